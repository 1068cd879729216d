// The exit codes by which the program answers its caller (scripts, systemd).
#pragma once

namespace furrow::gateway {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;  // also: a bad configuration

}  // namespace furrow::gateway
