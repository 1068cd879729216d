#include "broker-core/mqtt/topic_pattern.h"

#include <algorithm>
#include <charconv>

#include "broker-core/base/printable.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::mqtt {
namespace {

constexpr std::size_t kShownBytesMax = 200;

std::string in_quotes(std::string_view text) {
  return "'" + printable(text, kShownBytesMax) + "'";
}

std::size_t count_wildcards(std::string_view filter) {
  std::size_t count = 0;
  TopicLevels levels(filter);
  for (std::string_view level; levels.next(level);) count += is_wildcard(level) ? 1 : 0;
  return count;
}

bool ends_with_rest(std::string_view filter) {
  return filter == "#" || filter.ends_with("/#");
}

// What stands in the place of some wildcards of a filter.
struct Wildcards {
  std::string_view filter;
  std::size_t singles = 0;  // the number of +
  bool has_rest = false;

  // The wildcard that `name`, a text between braces, stands for.
  Result<std::size_t> find(std::string_view name) const {
    if (name == "rest") {
      if (has_rest) return singles;
      return invalid("{rest} stands for what # takes, and the filter " + in_quotes(filter) + " has no #");
    }
    std::size_t number = 0;
    const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (fault != std::errc() || end != name.data() + name.size() || number == 0) {
      return invalid(in_quotes("{" + std::string(name) + "}") +
                     " is none of {1}, {2} … for each + of the filter, {rest} for #, {gateway}, {bridge}");
    }
    if (number <= singles) return number - 1;
    return invalid("{" + std::string(name) + "} stands for a + that the filter " + in_quotes(filter) +
                   " has not: it has " + (singles == 0 ? "none" : std::to_string(singles)));
  }
};

}  // namespace

TopicPattern::TopicPattern(std::string filter, std::vector<Piece> pieces)
    : filter_(std::move(filter)),
      pieces_(std::move(pieces)),
      wildcards_(count_wildcards(filter_)),
      has_rest_(ends_with_rest(filter_)) {}

Result<TopicPattern> TopicPattern::parse(std::string_view filter, std::string_view pattern) {
  if (pattern.find_first_of("+#") != std::string_view::npos) {
    return invalid(in_quotes(pattern) + " has a wildcard: write {1} for the first + of the filter, {rest} for #");
  }
  const bool has_rest = ends_with_rest(filter);
  const Wildcards wildcards{filter, count_wildcards(filter) - (has_rest ? 1 : 0), has_rest};
  std::vector<Piece> pieces(1);
  std::string_view rest = pattern;
  while (!rest.empty()) {
    if (rest.front() != '{' || rest.starts_with("{gateway}") || rest.starts_with("{bridge}")) {
      const std::size_t next = rest.find('{', 1);
      pieces.back().text += rest.substr(0, next);
      rest.remove_prefix(std::min(next, rest.size()));
      continue;
    }
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) return invalid(in_quotes(rest) + " has no } that ends it");
    FURROW_TRY(pieces.back().wildcard, wildcards.find(rest.substr(1, end - 1)));
    rest.remove_prefix(end + 1);
    pieces.emplace_back();
  }
  TopicPattern made(std::string(filter), std::move(pieces));
  for (std::size_t i = 0; i < made.pieces_.size(); ++i) {
    const auto& wildcard = made.pieces_[i].wildcard;
    const bool is_last = i + 2 == made.pieces_.size() && made.pieces_.back().text.empty();
    if (wildcard && made.is_rest(*wildcard) && !(is_last && made.stands_alone(i))) {
      return invalid("{rest} stands alone in the last level, as # does");
    }
  }
  if (!is_valid_filter(made.made_filter())) return invalid(in_quotes(pattern) + " makes no topic");
  return made;
}

std::string TopicPattern::name_of(Wildcard wildcard) const {
  return is_rest(wildcard) ? "{rest}" : "{" + std::to_string(wildcard + 1) + "}";
}

std::size_t TopicPattern::count_of(Wildcard wildcard) const {
  return static_cast<std::size_t>(std::ranges::count(pieces_, std::optional(wildcard), &Piece::wildcard));
}

// Whether nothing else is in the level of the wildcard of this piece.
bool TopicPattern::stands_alone(std::size_t piece) const {
  const bool begins =
      piece == 0 ? pieces_[0].text.empty() || pieces_[0].text.ends_with('/') : pieces_[piece].text.ends_with('/');
  const std::string& behind = pieces_[piece + 1].text;
  const bool is_last = behind.empty() && !pieces_[piece + 1].wildcard;
  return begins && (is_last || behind.starts_with('/'));
}

std::string TopicPattern::why_irreversible() const {
  for (Wildcard wildcard = 0; wildcard < wildcards_; ++wildcard) {
    const std::size_t count = count_of(wildcard);
    if (count == 0) return name_of(wildcard) + " is missing";
    if (count > 1) return name_of(wildcard) + " appears " + std::to_string(count) + " times";
  }
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].wildcard && !stands_alone(i)) return name_of(*pieces_[i].wildcard) + " shares its level";
  }
  return {};
}

std::string TopicPattern::left_out() const {
  std::string names;
  for (Wildcard wildcard = 0; wildcard < wildcards_; ++wildcard) {
    if (count_of(wildcard) == 0) names += (names.empty() ? "" : ", ") + name_of(wildcard);
  }
  return names;
}

// The levels of the filter become the pattern. Its wildcards are numbered anew, by their places in the made filter.
TopicPattern TopicPattern::reversed() const {
  std::vector<Wildcard> order;
  for (const Piece& piece : pieces_) {
    if (piece.wildcard) order.push_back(*piece.wildcard);
  }
  std::vector<Piece> back(1);
  Wildcard taken = 0;
  bool first = true;
  TopicLevels levels(filter_);
  for (std::string_view level; levels.next(level); first = false) {
    if (!first) back.back().text += '/';
    if (is_wildcard(level)) {
      back.back().wildcard = static_cast<Wildcard>(std::ranges::find(order, taken++) - order.begin());
      back.emplace_back();
    } else {
      back.back().text += level;
    }
  }
  return {made_filter(), std::move(back)};
}

std::string TopicPattern::made_filter() const {
  std::string text;
  for (const Piece& piece : pieces_) {
    text += piece.text;
    if (piece.wildcard) text += is_rest(*piece.wildcard) ? '#' : '+';
  }
  std::string filter;
  TopicLevels levels(text);
  for (std::string_view level; levels.next(level);) {
    const bool shares = level.size() > 1 && level.find('+') != std::string_view::npos;
    filter.append(shares ? "+" : level) += '/';
  }
  filter.pop_back();
  return filter;
}

std::optional<std::string> TopicPattern::make(std::string_view topic) const {
  std::vector<std::optional<std::string_view>> matched;
  TopicLevels wanted(filter_);
  TopicLevels given(topic);
  std::string_view level;
  for (std::string_view one; wanted.next(one);) {
    const bool is_there = given.next(level);
    if (one == "+") matched.emplace_back(level);
    if (one != "#") continue;
    matched.emplace_back();
    if (is_there) matched.back() = topic.substr(static_cast<std::size_t>(level.data() - topic.data()));
  }
  std::string made;
  for (const Piece& piece : pieces_) {
    made += piece.text;
    if (!piece.wildcard) continue;
    if (const auto& found = matched[*piece.wildcard]) {
      made += *found;
    } else if (made.ends_with('/')) {
      made.pop_back();
    } else {
      return std::nullopt;
    }
  }
  return made;
}

}  // namespace furrow::mqtt
