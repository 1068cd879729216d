// The text of one topic level, in 20 bytes when it is short: most levels are (`moisture`, `sensor-00042`).
//
// A longer one owns a block of heap. A std::string would be 32 bytes and keep 15.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "broker-core/base/check.h"
#include "broker-core/mqtt/protocol.h"

namespace furrow::broker {

class LevelText {
 public:
  static constexpr std::size_t kInlineMax = 18;

  LevelText() = default;
  LevelText(const LevelText&) = delete;
  LevelText& operator=(const LevelText&) = delete;
  ~LevelText() { clear(); }

  // REQUIRES: text.size() <= mqtt::kStringBytesMax.
  void assign(std::string_view text) {
    FURROW_CHECK(text.size() <= mqtt::kStringBytesMax);
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
  // Kept as bytes, because a pointer member would align the class to eight and cost every node four.
  char* heap() const {
    char* place = nullptr;
    std::memcpy(&place, bytes_.data(), sizeof place);
    return place;
  }

  std::uint16_t size_ = 0;
  std::array<char, kInlineMax> bytes_;  // the text, or the address of its block
};
static_assert(sizeof(LevelText) == 20);

}  // namespace furrow::broker
