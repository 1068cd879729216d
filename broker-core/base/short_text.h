// A text in 20 bytes when it is short: most topic levels are (`moisture`, `sensor-00042`), and many filters.
//
// A longer one owns a block of heap. A std::string would be 32 bytes and keep 15.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow {

class ShortText {
 public:
  static constexpr std::size_t kInlineMax = 18;

  ShortText() = default;
  explicit ShortText(std::string_view text) { assign(text); }
  ShortText(const ShortText& other) : ShortText(other.view()) {}
  ShortText(ShortText&& other) noexcept : size_(std::exchange(other.size_, 0)), bytes_(other.bytes_) {}
  ShortText& operator=(ShortText other) noexcept {
    std::swap(size_, other.size_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~ShortText() { clear(); }

  // REQUIRES: text.size() <= 65,535, as of all strings of MQTT.
  void assign(std::string_view text) {
    FURROW_CHECK(text.size() <= std::numeric_limits<std::uint16_t>::max());
    clear();
    char* place = bytes_.data();
    if (text.size() > kInlineMax) {
      place = new char[text.size()];
      std::memcpy(bytes_.data(), &place, sizeof place);
    }
    if (!text.empty()) std::memcpy(place, text.data(), text.size());
    size_ = static_cast<std::uint16_t>(text.size());
  }

  void clear() {
    if (size_ > kInlineMax) delete[] heap();
    size_ = 0;
  }

  std::string_view view() const { return {size_ > kInlineMax ? heap() : bytes_.data(), size_}; }

  std::size_t heap_bytes() const { return size_ > kInlineMax ? size_ : 0; }

 private:
  // Kept as bytes, because a pointer member would align the class to eight and cost each owner four bytes.
  char* heap() const {
    char* place = nullptr;
    std::memcpy(&place, bytes_.data(), sizeof place);
    return place;
  }

  std::uint16_t size_ = 0;
  std::array<char, kInlineMax> bytes_;  // the text, or the address of its block
};
static_assert(sizeof(ShortText) == 20);

}  // namespace furrow
