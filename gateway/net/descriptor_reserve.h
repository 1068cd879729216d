// Descriptors that clients never take.
//
// A fleet of clients, or a stranger who only connects, may have all others: bridges, the store and the control of the
// gateway still get theirs. Thread: any.
#pragma once

#include <cstdint>

namespace furrow::gateway {

inline constexpr std::uint64_t kDescriptorsReserved = 32;

// The most descriptors that this process may have.
std::uint64_t descriptor_limit();

// Whether the next descriptor may be a client's. `descriptor` is any open one of this process, by which the kernel is
// asked: it gives the lowest free number, and when that is one of the last 32 all numbers below are in use.
bool leaves_reserve(int descriptor);

}  // namespace furrow::gateway
