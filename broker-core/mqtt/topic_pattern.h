// Topics by another name: what the wildcards of a filter matched, put into a pattern.
//
//   filter   farm/+/moisture/#     takes    farm/7/moisture/deep/a
//   pattern  v1/{1}/data/{rest}    makes    v1/7/data/deep/a
//
//   pattern := (text | '{' number '}')* ['{rest}']
//
// {1}, {2} … stand for what each + of the filter matched, in order, {rest} for what # matched: it stands alone in the
// last level, as # does. Where # matched the parent level (farm/7/moisture), {rest} goes with the slash before it.
// {gateway} and {bridge} are plain text: whoever knows those names has put them in before.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"

namespace furrow::mqtt {

class TopicPattern {
 public:
  // The error says what is wrong with `pattern`, for the operator. REQUIRES: `filter` is valid.
  static Result<TopicPattern> parse(std::string_view filter, std::string_view pattern);

  // Why the topic that was taken cannot be told from the one that was made: some wildcard of the filter does not appear
  // exactly once, as a whole level. Empty when it can.
  std::string why_irreversible() const;
  // The wildcards whose matches the pattern leaves out, as `{2}, {rest}`; empty when there are none.
  std::string left_out() const;
  // The way back. REQUIRES: why_irreversible() is empty.
  TopicPattern reversed() const;

  // The filter of the topics that are made.
  std::string made_filter() const;
  // The topic that is made from `topic`; nothing where {rest} goes and there is no slash to go with it. May be empty,
  // and longer than a topic may be. REQUIRES: `topic` matches the filter, but for its first character being `$`.
  std::optional<std::string> make(std::string_view topic) const;

 private:
  // A place among the wildcards of the filter, in which # comes after every +.
  using Wildcard = std::size_t;
  // Text, and behind it what a wildcard matched.
  struct Piece {
    std::string text;
    std::optional<Wildcard> wildcard;
  };

  TopicPattern(std::string filter, std::vector<Piece> pieces);
  bool is_rest(Wildcard wildcard) const { return has_rest_ && wildcard + 1 == wildcards_; }
  std::string name_of(Wildcard wildcard) const;
  std::size_t count_of(Wildcard wildcard) const;
  bool stands_alone(std::size_t piece) const;

  std::string filter_;
  std::vector<Piece> pieces_;
  std::size_t wildcards_ = 0;  // of the filter
  bool has_rest_ = false;      // the last of them is #
};

}  // namespace furrow::mqtt
