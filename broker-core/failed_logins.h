// Logins that have failed, by where they came from: how long the next answer from there is held back, and the log's
// lines about them.
//
// The line is one that a program may wait for (fail2ban), the same in all versions:
//   login.failed listener=NAME address=ADDRESS user=NAME reason=WORD unlogged=N
// Never with the password. A place that fails again and again is told so later and later, up to kDelayMax, which keeps
// a device with an old password from costing much, and makes guessing slow. It has kLinesPerMinute lines a minute, all
// places together kLinesPerMinuteOfAll; the next line says how many were left out. Remembers kPlacesMax places: an
// address of IPv4, or a /64 of IPv6, which one guesser has whole. The first to be forgotten is the one that failed
// longest ago. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "broker-core/base/ip.h"
#include "broker-core/base/log.h"
#include "broker-core/base/time.h"

namespace furrow::broker {

class FailedLogins {
 public:
  static constexpr Duration kDelayFirst = std::chrono::milliseconds(100);
  static constexpr Duration kDelayMax = std::chrono::seconds(3);
  // A place that has not failed for so long is as good as any.
  static constexpr Duration kForgiven = std::chrono::minutes(10);
  static constexpr std::size_t kPlacesMax = 1024;
  static constexpr unsigned kLinesPerMinute = 10;
  static constexpr unsigned kLinesPerMinuteOfAll = 100;

  struct Failure {
    std::string_view listener;
    std::optional<IpAddress> address;
    std::string_view peer;  // where there is no address
    std::string_view user;  // empty: none
    std::string_view reason;
  };

  // `log` must outlive this.
  explicit FailedLogins(Log& log) : log_(log) {}

  // Counts and logs it, and returns how long to hold the answer back.
  Duration note(const Failure& failure, Instant now);

  std::size_t places() const { return places_.size(); }

 private:
  struct Lines {
    Instant minute{};  // when the current one began
    unsigned written = 0;

    bool take(unsigned maximum, Instant now);
  };
  struct Place {
    Instant last{};
    std::uint32_t failures = 0;  // in a row, without kForgiven between two
    Lines lines = {};
    std::uint64_t unlogged = 0;
  };

  Place& place_of(const std::optional<IpAddress>& address, Instant now);

  Log& log_;
  std::map<IpAddress, Place> places_;
  Lines lines_;
};

}  // namespace furrow::broker
