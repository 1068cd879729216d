#include "gateway/clock.h"

#include <sys/stat.h>
#include <sys/timex.h>

#include <algorithm>
#include <ctime>
#include <string_view>

#include "broker-core/base/check.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

Duration read(clockid_t id) {
  timespec time = {};
  FURROW_CHECK(::clock_gettime(id, &time) == 0);
  return std::chrono::seconds(time.tv_sec) +
         std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(time.tv_nsec));
}

// One number per boot of the machine; 0, like any other, if the kernel does not tell: ages then count as within one
// boot.
std::uint64_t boot_number() {
  const auto id = read_first_line("/proc/sys/kernel/random/boot_id");
  return id ? hash_text(*id) : 0;
}

bool has_hardware_clock() {
  struct stat found = {};
  return ::stat("/sys/class/rtc/rtc0", &found) == 0;
}

bool kernel_synchronised() {
  timex state = {};  // modes 0: only asks
  const int result = ::adjtimex(&state);
  return result >= 0 && result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

}  // namespace

bool is_trusted(const ClockEvidence& evidence) {
  return evidence.synchronised || (evidence.has_hardware && evidence.wall > std::max(evidence.built, evidence.noted));
}

WallTime judged_wall(const ClockEvidence& evidence) {
  return is_trusted(evidence) ? evidence.wall : std::max({evidence.wall, evidence.built, evidence.noted});
}

Clock::Clock() : boot_(boot_number()), has_hardware_(has_hardware_clock()) {}

Instant Clock::now() const {
  return Instant(read(CLOCK_BOOTTIME));
}

std::optional<Clock::TimeOfDay> Clock::local_time() const {
  if (!trusted()) return std::nullopt;
  const auto since_epoch = wall().time_since_epoch();
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  ::tzset();  // the zone may have been changed since the last call
  std::tm local = {};
  if (::localtime_r(&seconds, &local) == nullptr) return std::nullopt;
  // A leap second, which is rare and would be the 61st, belongs to the minute that ends.
  return TimeOfDay{.minute = static_cast<std::uint16_t>(local.tm_hour * 60 + local.tm_min),
                   .to_next_minute = std::chrono::seconds(60 - std::min(local.tm_sec, 59))};
}

WallTime Clock::wall() const {
  return WallTime(read(CLOCK_REALTIME));
}

ClockEvidence Clock::evidence() const {
  return {.synchronised = kernel_synchronised(),
          .has_hardware = has_hardware_,
          .wall = wall(),
          .built = WallTime(std::chrono::seconds(FURROW_BUILD_TIME)),
          .noted = noted_};
}

bool Clock::trusted() const {
  return is_trusted(evidence());
}

WallTime Clock::judged() const {
  return judged_wall(evidence());
}

ClockStamp Clock::stamp(Instant now) const {
  return {.boot = boot_, .monotonic = now, .wall = wall_at(now), .trusted = trusted()};
}

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

}  // namespace furrow::gateway
