// Payloads that say who published them and which one they are, and the check that they come whole, once and in order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/load/fail.h"

namespace furrow::load {

// As sensors send: a number or two, or a small JSON object.
constexpr std::size_t kPayloadBytesMin = 12;
constexpr std::size_t kPayloadBytesMax = 64;

struct Stamp {
  std::uint32_t source = 0;
  std::uint32_t number = 0;
};

// `fixed`, or, where that is 0, a size that differs from one message to the next.
inline std::size_t payload_size(const Stamp& stamp, std::size_t fixed) {
  if (fixed > 0) return fixed;
  return kPayloadBytesMin + (stamp.number * 31U + stamp.source * 17U) % (kPayloadBytesMax - kPayloadBytesMin + 1);
}

class PayloadMaker {
 public:
  // REQUIRES: `size` is 0, as in payload_size(), or within the bounds above.
  explicit PayloadMaker(std::size_t size = 0) : size_(size) { bytes_.fill('.'); }

  // Valid until the next call.
  std::string_view make(const Stamp& stamp) {
    std::memcpy(bytes_.data(), &stamp, sizeof stamp);
    return {bytes_.data(), payload_size(stamp, size_)};
  }

 private:
  const std::size_t size_;
  std::array<char, kPayloadBytesMax> bytes_;
};

// Of a payload of any size, as long as it begins with a stamp.
inline Stamp read_stamp(std::string_view payload) {
  Stamp stamp;
  if (payload.size() < sizeof stamp) fail("a payload came that nobody published");
  std::memcpy(&stamp, payload.data(), sizeof stamp);
  return stamp;
}

// What one subscriber gets: of each source all numbers from 0 on, or some of them, but each at most once.
class OrderCheck {
 public:
  explicit OrderCheck(std::size_t sources, std::size_t size = 0) : size_(size), next_(sources) {}

  Stamp take_next(std::string_view payload) {
    const Stamp stamp = take(payload);
    if (stamp.number != next_[stamp.source]) fail(describe(stamp) + " came, out of order or after a gap");
    ++next_[stamp.source];
    return stamp;
  }
  Stamp take_later(std::string_view payload) {
    const Stamp stamp = take(payload);
    if (stamp.number < next_[stamp.source]) fail(describe(stamp) + " came twice, or out of order");
    next_[stamp.source] = stamp.number + 1;
    return stamp;
  }

 private:
  Stamp take(std::string_view payload) const {
    const Stamp stamp = read_stamp(payload);
    if (stamp.source >= next_.size() || payload.size() != payload_size(stamp, size_)) {
      fail("a payload came that nobody published");
    }
    return stamp;
  }
  static std::string describe(const Stamp& stamp) {
    return "message " + std::to_string(stamp.number) + " of publisher " + std::to_string(stamp.source);
  }

  std::size_t size_;                 // of each payload, as in payload_size()
  std::vector<std::uint32_t> next_;  // by source
};

}  // namespace furrow::load
