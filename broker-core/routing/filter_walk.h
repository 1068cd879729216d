// Says of topics, given in byte order, whether they match a filter, and if not, how far the next that may is.
//
// All topics that begin with the same bytes are neighbours. So when a level is not the wanted one, the next match with
// the levels before it is `before/wanted`, or if that has passed already, lies behind everything that begins with
// `before/`: the slash is followed by '0' in ASCII, so `before0` is the first text behind all of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace furrow::broker {

class FilterWalk {
 public:
  // Borrows `filter`. A filter that begins with a wildcard takes no topic that begins with `$` [MQTT-4.7.2-1].
  // REQUIRES: mqtt::is_valid_filter(filter).
  explicit FilterWalk(std::string_view filter)
      : filter_(filter), begins_with_wildcard_(filter.starts_with('+') || filter.starts_with('#')) {}

  std::string_view filter() const { return filter_; }

  enum class Verdict : std::uint8_t {
    Match,
    Next,  // the next topic may match
    Seek,  // nothing before seek_target() matches; it is behind the topic
    End,   // nothing from here on matches
  };
  Verdict judge(std::string_view topic);

  std::string_view seek_target() const { return target_; }

 private:
  Verdict skip_to(std::string_view wanted, std::string_view topic, std::string_view level);
  Verdict seek(std::string_view first, std::string_view second = "", std::string_view third = "");

  const std::string_view filter_;
  const bool begins_with_wildcard_;
  std::string target_;
};

}  // namespace furrow::broker
