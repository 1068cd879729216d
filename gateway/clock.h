// The clocks of this machine: the only `now()` of the program.
//
// Reads, never sets. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/time.h"
#include "broker-core/base/utc_text.h"  // for those who have a clock

namespace furrow::gateway {

// What is known about the wall clock, to judge whether it is right.
struct ClockEvidence {
  bool synchronised = false;  // the kernel says so: something (NTP) steers it
  bool has_hardware = false;  // a real-time clock keeps it while the power is off
  WallTime wall{};
  WallTime built{};  // when this program was built: no right clock shows less
  WallTime noted{};  // what the clock showed when it was last trusted, over all runs
};

// A machine without a real-time clock shows some time of its last run after boot, until it hears from a time server.
bool is_trusted(const ClockEvidence& evidence);

// The moment that dates of certificates are judged at: of a clock that is not trusted the latest time that is known to
// have been, so that neither is everything not valid yet after a boot, nor does a turned-back clock revive what has
// expired.
WallTime judged_wall(const ClockEvidence& evidence);

class Clock {
 public:
  Clock();

  // Since boot, suspended time included: what was asleep has aged.
  Instant now() const;
  WallTime wall() const;
  bool trusted() const;
  // See judged_wall().
  WallTime judged() const;
  // What an earlier run noted of the wall clock, when it was right. Before any other thread uses the clock.
  void set_noted(WallTime noted) { noted_ = noted; }
  // The time of day here, by the time zone of the machine as it is now; nothing while the clock is not trusted.
  struct TimeOfDay {
    std::uint16_t minute = 0;
    Duration to_next_minute{};
  };
  std::optional<TimeOfDay> local_time() const;
  // The other clocks at the moment `now`, which is not long ago.
  ClockStamp stamp(Instant now) const;
  // The wall-clock time of a moment of this boot, by today's idea of the time.
  WallTime wall_at(Instant then) const { return wall() - (now() - then); }

 private:
  ClockEvidence evidence() const;

  const std::uint64_t boot_;
  const bool has_hardware_;
  WallTime noted_{};
};

// FNV-1a: names long texts by a number. Not for tables that a peer fills.
std::uint64_t hash_text(std::string_view text);

}  // namespace furrow::gateway
