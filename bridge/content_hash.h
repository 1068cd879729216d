// What a message says, as a number: equal topics and payloads have equal ones, in one run of the program.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "broker-core/base/bytes.h"

namespace furrow::bridge {

inline std::uint64_t content_hash(std::string_view topic, ByteView payload) {
  const std::hash<std::string_view> hash;
  return hash(topic) * 31 + hash(as_text(payload));
}

}  // namespace furrow::bridge
