// The version that `furrow --version` and the status topics name.
#pragma once

namespace furrow::gateway {

// As CMakeLists.txt has it.
inline constexpr const char* kVersion = FURROW_VERSION;

}  // namespace furrow::gateway
