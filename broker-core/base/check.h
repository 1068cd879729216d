// Checks of our own promises: on in every build, never on bytes that a peer chose.
//
// A failed check prints the condition and its place and aborts; systemd restarts the gateway and
// the store makes that safe (`acknowledged means safe` holds through an abort as through a power cut).
#pragma once

namespace furrow {

[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace furrow

// One condition per check, so that the message says which promise broke.
#define FURROW_CHECK(condition)                               \
  do {                                                        \
    if (!(condition)) [[unlikely]] {                          \
      ::furrow::check_failed(#condition, __FILE__, __LINE__); \
    }                                                         \
  } while (false)
