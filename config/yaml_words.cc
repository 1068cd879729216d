#include "config/yaml_words.h"

#include <algorithm>
#include <cstddef>

namespace furrow::config {
namespace {

constexpr std::size_t kOpenMax = 64;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  YamlWords split() {
    // Each bracket looks for its end: far more of them than a configuration has would make that a square.
    while (at_ < text_.size() && words_.open.size() < kOpenMax) {
      begin_line();
      while (at_ < text_.size() && text_[at_] != '\n' && words_.open.size() < kOpenMax) read_word();
      ++at_;
    }
    return std::move(words_);
  }

 private:
  void begin_line() {
    ++line_;
    line_begin_ = at_;
    after_key_ = false;
    // Inside of brackets a value that was expected may come in the next line.
    if (!in_flow()) expects_value_ = true;
    for (; peek() == ' ' || peek() == '\t'; ++at_) {
      if (peek() == '\t' && words_.tab.line == 0 && !in_flow()) words_.tab = place();
    }
  }

  // One word or separator, from at_ on. Always moves on, and never past the end of its line but in quotes.
  void read_word() {
    const char c = peek();
    if (is_blank(c)) {
      ++at_;
    } else if (c == '#' && (at_ == line_begin_ || is_blank(text_[at_ - 1]) || expects_value_)) {
      read_comment();
    } else if (in_flow() && (c == ',' || c == ']' || c == '}')) {
      read_flow_separator(c);
    } else if (!expects_value_) {
      read_plain();
    } else if (c == '"' || c == '\'') {
      read_quoted(c);
    } else if (c == '[' || c == '{') {
      read_bracket(c);
    } else if (c == '*' || c == '@' || c == '`') {
      note_unquoted(c, at_, end_of_meant(at_));
    } else if (c == '-' && is_separator(at_ + 1) && !in_flow()) {
      words_.begins.push_back({place(), text_.substr(at_, 1)});
      ++at_;
    } else {
      read_plain();
    }
  }

  // A `#` where a value is expected between brackets swallows the brackets that close: `{filter: #}`.
  void read_comment() {
    const std::string_view rest = rest_of_line();
    const bool swallows = in_flow() && expects_value_ && rest.size() > 1 && rest.find_first_of(",]}") == 1;
    if (swallows) {
      note_unquoted('#', at_, at_ + 1);
    }
    at_ += rest_of_line().size();
  }

  void read_flow_separator(char c) {
    if (c == ',') {
      expects_value_ = true;
    } else {
      const YamlWords::Bracket open = words_.open.back();
      const bool is_crossed = (open.mark == '[') != (c == ']');
      if (is_crossed && !words_.crossed) words_.crossed = {place(), c, open};
      words_.open.pop_back();
      expects_value_ = false;
    }
    after_key_ = false;
    ++at_;
  }

  void read_quoted(char quote) {
    const Place begin = place();
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      if (text_[at_] != '\n') continue;
      ++line_;
      line_begin_ = at_ + 1;
    }
    const bool is_open = at_ >= text_.size();
    if (is_open || line_ != begin.line) words_.folded.push_back({begin, line_, is_open});
    if (!is_open) ++at_;
    expects_value_ = false;
    read_colon(begin, text_.substr(at_, 0));
  }

  // A list or a map, unless it is what only looks like one: an address in brackets, or `{name}` with text around it.
  void read_bracket(char c) {
    const std::size_t behind = behind_bracket();
    const bool is_text = behind < text_.size() && !is_separator(behind) &&
                         std::string_view(",]}#").find(text_[behind]) == std::string_view::npos &&
                         !(text_[behind] == ':' && is_separator(behind + 1));
    if (is_text) return note_unquoted(c, at_, end_of_meant(at_));
    words_.open.push_back({place(), c});
    ++at_;
    expects_value_ = true;
    after_key_ = false;
  }

  void read_plain() {
    const std::size_t begin = at_;
    const Place began = place();
    while (at_ < text_.size() && text_[at_] != '\n' && !ends_plain()) ++at_;
    expects_value_ = false;
    if (in_flow() && (peek() == '[' || peek() == '{')) return note_unquoted(peek(), begin, end_of_meant(begin));
    if (at_ == begin) ++at_;  // a lone separator
    if (after_key_ && !in_flow() && peek() == ':' && is_separator(at_ + 1)) {
      return note_unquoted(':', begin, end_of_meant(begin));
    }
    read_colon(began, text_.substr(begin, at_ - begin));
  }

  bool ends_plain() const {
    const char c = text_[at_];
    if (c == ':' && is_separator(at_ + 1)) return true;
    if (c == '#' && is_blank(text_[at_ - 1])) return true;
    return in_flow() && std::string_view(",[]{}").find(c) != std::string_view::npos;
  }

  // A text before a ':' was a key.
  void read_colon(Place begin, std::string_view key) {
    std::size_t colon = at_;
    while (colon < text_.size() && text_[colon] == ' ') ++colon;
    if (colon >= text_.size() || text_[colon] != ':' || !is_separator(colon + 1)) return;
    at_ = colon + 1;
    if (!in_flow()) words_.begins.push_back({begin, key});
    expects_value_ = true;
    after_key_ = true;
  }

  // The end of the text whose quotes were forgotten: between brackets at the next separator that closes
  // nothing of its own, else at the end of the line or a comment.
  std::size_t end_of_meant(std::size_t begin) const {
    std::size_t depth = 0;
    std::size_t end = begin;
    for (; end < text_.size() && text_[end] != '\n'; ++end) {
      const char c = text_[end];
      if (c == '#' && end > begin && is_blank(text_[end - 1])) break;
      if (c == '[' || c == '{') {
        ++depth;
      } else if (in_flow() && depth == 0 && (c == ',' || c == ']' || c == '}')) {
        break;
      } else if ((c == ']' || c == '}') && depth > 0) {
        --depth;
      }
    }
    while (end > begin && is_blank(text_[end - 1])) --end;
    return end;
  }

  void note_unquoted(char mark, std::size_t begin, std::size_t end) {
    words_.unquoted.push_back({place_at(begin), text_.substr(begin, end - begin), mark});
    at_ = std::max(end, begin + 1);
    expects_value_ = false;
  }

  // Behind the bracket that closes the one here; the end of the line when it does not close there.
  std::size_t behind_bracket() const {
    const std::size_t end = at_ + rest_of_line().size();
    std::size_t depth = 0;
    char quote = 0;
    for (std::size_t i = at_; i < end; ++i) {
      const char c = text_[i];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '[' || c == '{') {
        ++depth;
      } else if ((c == ']' || c == '}') && --depth == 0) {
        return i + 1;
      }
    }
    return end;
  }

  bool in_flow() const { return !words_.open.empty(); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\n'; }
  bool is_separator(std::size_t index) const {
    return index >= text_.size() || is_blank(text_[index]) || text_[index] == '\n' ||
           (in_flow() && std::string_view(",]}").find(text_[index]) != std::string_view::npos);
  }
  std::string_view rest_of_line() const {
    const std::string_view rest = text_.substr(at_);
    return rest.substr(0, rest.find('\n'));
  }
  Place place() const { return place_at(at_); }
  Place place_at(std::size_t index) const { return {line_, static_cast<std::uint32_t>(index - line_begin_ + 1)}; }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_begin_ = 0;
  std::uint32_t line_ = 0;
  bool expects_value_ = true;
  bool after_key_ = false;  // a key of this line waits for its value, or has it
  YamlWords words_;
};

}  // namespace

YamlWords split_yaml(std::string_view text) {
  return Splitter(text).split();
}

}  // namespace furrow::config
