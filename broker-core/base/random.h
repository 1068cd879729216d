// A small seeded generator (SplitMix64): the same seed gives the same run, in the field and in the simulator.
//
// Not for secrets: nothing that an attacker must not guess comes from here.
// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
#pragma once

#include <cstdint>

namespace furrow {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  // Uniform in [0, bound). REQUIRES: bound > 0. The bias of the modulo is below 2^-32 for our bounds.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  // True in `percent` of all calls.
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

}  // namespace furrow
