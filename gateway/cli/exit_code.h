// How the program answers its caller: exit codes for scripts and systemd, and a sentence for people where it fails.
#pragma once

#include <cstdio>
#include <string>

namespace furrow::gateway {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;  // also: a bad configuration

// Says on standard error why a command ends with `exit_code`, which it returns.
inline int complain(const std::string& why, int exit_code = kExitFailure) {
  std::fprintf(stderr, "furrow: %s\n", why.c_str());
  return exit_code;
}

}  // namespace furrow::gateway
