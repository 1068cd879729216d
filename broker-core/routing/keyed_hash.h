// SipHash-1-3: the hash of topics and levels in the routing tables.
//
// Peers choose topics and filters. With a secret key they cannot choose ones that meet in a table and so turn each
// look-up into a walk. One round per word and three at the end is what Rust and CPython use for the same purpose;
// a level of up to seven bytes costs five rounds.
// Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "broker-core/base/random.h"

namespace furrow::broker {

struct HashKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;

  static HashKey from_seed(std::uint64_t seed) {
    Random random(seed);
    const std::uint64_t k0 = random.next();
    return {k0, random.next()};
  }
};

class SipState {
 public:
  explicit SipState(HashKey key)
      : v0_(key.k0 ^ 0x736F6D6570736575U),
        v1_(key.k1 ^ 0x646F72616E646F6DU),
        v2_(key.k0 ^ 0x6C7967656E657261U),
        v3_(key.k1 ^ 0x7465646279746573U) {}

  void add(std::uint64_t word) {
    v3_ ^= word;
    round();
    v0_ ^= word;
  }

  std::uint64_t finish() {
    v2_ ^= 0xFFU;
    round();
    round();
    round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32) + v3_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
};

// Words are read in native order: the value is good for tables in memory, not for anything stored or sent.
inline std::uint64_t keyed_hash(HashKey key, std::string_view text) {
  SipState state(key);
  std::uint64_t word = 0;
  std::size_t position = 0;
  for (; text.size() - position >= sizeof word; position += sizeof word) {
    std::memcpy(&word, text.data() + position, sizeof word);
    state.add(word);
  }
  word = 0;
  if (position < text.size()) std::memcpy(&word, text.data() + position, text.size() - position);
  // The last word has the length in its top byte, so that a text and the same text with zeros behind it differ.
  state.add(word | std::uint64_t{text.size()} << 56U);
  return state.finish();
}

}  // namespace furrow::broker
