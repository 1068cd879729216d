// What the program asks of its process at start.
#pragma once

#include <cstdint>

namespace furrow::gateway {

// Allows as many open descriptors as the system lets us: the usual 1024 are fewer than a gateway has clients.
void raise_descriptor_limit();

// A write to a connection that is gone is an error to look at, not the end of the program.
void ignore_broken_pipes();

// A number that peers cannot guess.
std::uint64_t random_seed();

}  // namespace furrow::gateway
