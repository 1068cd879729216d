#include "broker-core/base/utc_text.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace furrow {
namespace {

// Without the `Z`; empty when the year has no place in a time of the C library.
std::string text_of(std::chrono::seconds since_epoch) {
  const std::time_t count = since_epoch.count();
  std::tm parts = {};
  std::array<char, 32> text{};
  if (::gmtime_r(&count, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts)};
}

constexpr const char* kUnknown = "unknown-time";

}  // namespace

std::string utc_text(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  const auto rest = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch() - seconds).count();
  const std::string text = text_of(seconds);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(rest));
  return text.empty() ? kUnknown : text + fraction.data();
}

std::string utc_seconds_text(WallTime time) {
  const std::string text = text_of(std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()));
  return text.empty() ? kUnknown : text + "Z";
}

}  // namespace furrow
