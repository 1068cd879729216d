#include "broker-core/access/rules.h"

#include <algorithm>
#include <utility>

#include "broker-core/access/glob.h"
#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::access {
namespace {

constexpr std::string_view kUser = "{user}";
constexpr std::string_view kClient = "{client}";
constexpr std::string_view kStatus = "$SYS/#";

bool has_name(std::string_view text) {
  return text.find(kUser) != std::string_view::npos || text.find(kClient) != std::string_view::npos;
}

bool begins_with_placeholder(std::string_view text) {
  return text.starts_with(kUser) || text.starts_with(kClient);
}

// `text` with `user` and `client` in the places of their placeholders.
std::string put_in(std::string_view text, std::string_view user, std::string_view client) {
  std::string made;
  while (!text.empty()) {
    if (text.starts_with(kUser)) {
      made += user;
      text.remove_prefix(kUser.size());
    } else if (text.starts_with(kClient)) {
      made += client;
      text.remove_prefix(kClient.size());
    } else {
      made += text.front();
      text.remove_prefix(1);
    }
  }
  return made;
}

// Whether `name` can stand in a level of a topic.
bool is_fit(std::string_view name) {
  return !name.empty() && name.find_first_of(std::string_view("+#/\0", 4)) == std::string_view::npos;
}

bool any_matches(const std::vector<std::string>& globs, std::string_view name) {
  return std::ranges::any_of(globs, [&](const std::string& glob) { return glob_matches(glob, name); });
}

}  // namespace

Entry::Entry(std::string text) : text_(std::move(text)), has_placeholder_(has_name(text_)) {
  FURROW_CHECK(is_valid(text_));
}

bool Entry::is_valid(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('/'));
  if (first == "$share" || (first.starts_with('$') && has_name(first))) return false;
  return mqtt::is_valid_filter(put_in(text, "x", "x"));
}

std::string_view Entry::unknown_placeholder(std::string_view text) {
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::size_t close = text.find_first_of("}/", open);
    if (close == std::string_view::npos || text[close] != '}') continue;
    const std::string_view found = text.substr(open, close + 1 - open);
    if (found != kUser && found != kClient) return found;
  }
  return {};
}

std::optional<std::string> Entry::expand(const Subject& subject) const {
  if (!has_placeholder_) return text_;
  const std::string_view text = text_;
  if (text.find(kUser) != std::string_view::npos && !(subject.user && is_fit(*subject.user))) return std::nullopt;
  if (text.find(kClient) != std::string_view::npos && !is_fit(subject.client)) return std::nullopt;
  std::string filter = put_in(text, subject.user.value_or(""), subject.client);
  // A client may not make a filter of topics that are the gateway's own.
  if (begins_with_placeholder(text) && filter.starts_with('$')) return std::nullopt;
  if (!mqtt::is_valid_filter(filter)) return std::nullopt;  // longer than a filter may be
  return filter;
}

std::string Entry::reach() const {
  const std::size_t place = std::min(text_.find(kUser), text_.find(kClient));
  const std::size_t slash = text_.rfind('/', place);
  return slash == std::string::npos ? "#" : text_.substr(0, slash + 1) + "#";
}

bool Rules::depend_on_address() const {
  return std::ranges::any_of(list_, [](const Rule& rule) { return !rule.from.empty(); });
}

Fit fit_of(const Rule& rule, const Subject& subject) {
  if (rule.anonymous && subject.user) return Fit::No;
  if (!rule.users.empty() && !(subject.user && any_matches(rule.users, *subject.user))) return Fit::No;
  if (rule.members && !(subject.user && any_matches(*rule.members, *subject.user))) return Fit::No;
  if (!rule.clients.empty() && !any_matches(rule.clients, subject.client)) return Fit::No;
  if (!rule.listeners.empty() && std::ranges::find(rule.listeners, subject.listener) == rule.listeners.end()) {
    return Fit::No;
  }
  if (rule.from.empty()) return Fit::Yes;
  if (!subject.address) return subject.address_forgotten ? Fit::PerhapsByAddress : Fit::No;
  return contains(rule.from, *subject.address) ? Fit::Yes : Fit::No;
}

bool may_publish_without_rules(std::string_view topic) {
  return !topic.starts_with('$');
}

bool may_subscribe_without_rules(std::string_view filter) {
  return !filter.starts_with('$') || mqtt::covers(kStatus, filter);
}

}  // namespace furrow::access
