#include "broker-core/failed_logins.h"

#include <algorithm>
#include <string>
#include <utility>

namespace furrow::broker {
namespace {

// Of a name that others chose, in a line.
constexpr std::size_t kNameBytesMax = 64;
// So often is a delay doubled before it is the longest in any case.
constexpr std::uint32_t kDoublingsMax = 16;

// The log makes it printable.
std::string_view cut(std::string_view name) {
  if (name.size() <= kNameBytesMax) return name;
  std::size_t size = kNameBytesMax;
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xC0U) == 0x80U) --size;  // not within a character
  return name.substr(0, size);
}

// An address of IPv4, or the network of one of IPv6.
IpAddress key_of(const std::optional<IpAddress>& address) {
  if (!address || address->is_v4()) return address.value_or(IpAddress());
  IpAddress::V6 network = address->bytes();
  std::fill(network.begin() + 8, network.end(), std::uint8_t{0});
  return IpAddress(network);
}

}  // namespace

bool FailedLogins::Lines::take(unsigned maximum, Instant now) {
  if (written == 0 || now - minute >= std::chrono::minutes(1)) {
    minute = now;
    written = 0;
  }
  if (written == maximum) return false;
  ++written;
  return true;
}

Duration FailedLogins::note(const Failure& failure, Instant now) {
  Place& place = place_of(failure.address, now);
  if (place.failures > 0 && now - place.last >= kForgiven) place.failures = 0;
  place.last = now;
  const std::uint32_t doublings = std::min(place.failures++, kDoublingsMax);
  if (place.lines.take(kLinesPerMinute, now) && lines_.take(kLinesPerMinuteOfAll, now)) {
    const std::string address = failure.address ? failure.address->text() : std::string(failure.peer);
    log_.write(LogLevel::Warning, "login.failed",
               {{"listener", failure.listener},
                {"address", address},
                {"user", cut(failure.user)},
                {"reason", failure.reason},
                {"unlogged", std::exchange(place.unlogged, 0)}});
  } else {
    ++place.unlogged;
  }
  return std::min(kDelayFirst * (1U << doublings), kDelayMax);
}

FailedLogins::Place& FailedLogins::place_of(const std::optional<IpAddress>& address, Instant now) {
  const IpAddress key = key_of(address);
  const auto found = places_.find(key);
  if (found != places_.end()) return found->second;
  if (places_.size() >= kPlacesMax) {
    std::erase_if(places_, [&](const auto& one) { return now - one.second.last >= kForgiven; });
  }
  if (places_.size() >= kPlacesMax) {
    places_.erase(std::ranges::min_element(places_, {}, [](const auto& one) { return one.second.last; }));
  }
  return places_[key];
}

}  // namespace furrow::broker
