// The subscription identifiers that one delivery carries [MQTT-3.3.4-3, -4, -5]. Most carry none or one, which need no
// heap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

namespace furrow::broker {

class SubscriptionIds {
 public:
  SubscriptionIds() = default;
  explicit SubscriptionIds(std::span<const std::uint32_t> ids) {
    if (ids.size() == 1) {
      single_ = ids.front();
      count_ = 1;
    } else if (!ids.empty()) {
      many_ = new std::uint32_t[ids.size() + 1];
      many_[0] = static_cast<std::uint32_t>(ids.size());
      std::ranges::copy(ids, many_ + 1);
      count_ = kMany;
    }
  }
  SubscriptionIds(SubscriptionIds&& other) noexcept { swap(other); }
  SubscriptionIds& operator=(SubscriptionIds&& other) noexcept {
    swap(other);
    return *this;
  }
  SubscriptionIds(const SubscriptionIds&) = delete;
  SubscriptionIds& operator=(const SubscriptionIds&) = delete;
  ~SubscriptionIds() {
    if (count_ == kMany) delete[] many_;
  }

  std::span<const std::uint32_t> view() const {
    if (count_ == kMany) return {many_ + 1, many_[0]};
    return {&single_, count_};
  }

 private:
  static constexpr std::uint32_t kMany = 2;

  void swap(SubscriptionIds& other) noexcept {
    std::swap(bits_, other.bits_);
    std::swap(count_, other.count_);
  }

  union {
    std::uint64_t bits_ = 0;
    std::uint32_t single_;
    std::uint32_t* many_;
  };
  std::uint32_t count_ = 0;
};

}  // namespace furrow::broker
