// That an operator has paused a bridge, as a value and as the bytes that the store keeps of it.
//
//   pause := version:1 stamp length_s      when it began; 0: until somebody resumes the bridge
//
// A pause outlives the bridge, the process and the power. It is known by the clock of this boot, and from then on by
// the wall clock once that is trusted: a machine that cannot tell how long it was off counts that time as nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/time.h"
#include "broker-core/store.h"

namespace furrow::bridge {

struct Pause {
  ClockStamp since;
  std::chrono::seconds length{};  // 0: until somebody resumes the bridge

  bool is_over(const ClockStamp& now) const { return length.count() > 0 && elapsed(since, now) >= length; }
  // Of a pause that ends by itself.
  Duration left(const ClockStamp& now) const { return length - elapsed(since, now); }
  // `paused by operator since 2026-11-24T10:00:00Z`, and until when.
  std::string reason() const;
};

// The key of its row among the client identifiers of the store. It begins like that of a session at a far broker, and
// no bridge has a name that makes the two one.
std::string pause_key(std::string_view bridge);
broker::Bytes encode(const Pause& pause);
// Nothing when the bytes are damaged: then the bridge runs.
std::optional<Pause> decode_pause(ByteView bytes);

}  // namespace furrow::bridge
