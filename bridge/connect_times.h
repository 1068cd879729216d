// When a bridge that is not meant to be connected all the time connects, and when it leaves.
//
//   window   connects in these hours of the local day alone; at any time while the clock is not trusted, since a
//   gateway
//            that does not know the time would otherwise keep what it has for good
//   demand   connects once enough messages wait, or one for long enough, and leaves when nothing moves. What has made
//   it
//            connect counts until it leaves: a link that breaks in between is made again for fewer messages, too
//
// Both have to allow it. Pure: the minute of the local day is passed in, as is the time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker-core/base/time.h"

namespace furrow::bridge {

class ConnectTimes {
 public:
  struct Options {
    // Minutes of the local day, from the first to the one behind the last; equal: all day.
    std::uint16_t window_begin = 0;
    std::uint16_t window_end = 0;
    // Both 0: always connected.
    std::uint64_t demand_messages = 0;
    Duration demand_age{};
    Duration idle{};  // how long nothing moves before it leaves
  };
  // The messages that wait in the buffer, and since when; without the latter they are as old as can be.
  struct Queue {
    std::uint64_t messages = 0;
    std::optional<Instant> oldest;
    bool urgent = false;  // some are of high priority: those wait for no window and no demand
  };

  explicit ConnectTimes(const Options& options) : options_(options) {}

  bool has_window() const { return options_.window_begin != options_.window_end; }
  bool has_demand() const { return options_.demand_messages != 0 || options_.demand_age != Duration::zero(); }

  // The minute of the local day; nothing: the clock is not trusted. Until the first call a window is closed.
  void set_minute(std::optional<std::uint16_t> minute, Instant now);
  bool window_is_open() const;
  // When it opens, to the minute; nothing while it is open or the time is not known.
  std::optional<Instant> opens_at() const { return opens_at_; }

  bool wants_connection(const Queue& queue, Instant now) const;
  // When that may become true by time alone.
  Instant wanted_due(const Queue& queue) const;
  void note_connecting() { demanded_ = true; }

  // --- while connected ---
  // A message was sent, was acknowledged or came.
  void note_activity(Instant now) { active_ = now; }
  // When the bridge has been idle for long enough.
  Instant idle_due() const { return has_demand() ? active_ + options_.idle : kNever; }
  void note_left() { demanded_ = false; }

  // Why the bridge is not connected. REQUIRES: it does not want to be.
  std::string reason() const;

 private:
  bool has_enough(const Queue& queue, Instant now) const;

  // Constant after construction.
  const Options options_;

  bool knows_time_ = false;  // set_minute() was called
  std::optional<std::uint16_t> minute_;
  std::optional<Instant> opens_at_;
  bool demanded_ = false;  // since it left
  Instant active_{};
};

}  // namespace furrow::bridge
