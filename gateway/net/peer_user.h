// The user who runs the program at the other end of a unix socket, as the kernel knows. Thread: any.
#pragma once

#include <cstdint>
#include <string>

#include "broker-core/base/result.h"
#include "gateway/net/descriptor.h"

namespace furrow::gateway {

// By its number.
Result<std::uint32_t> uid_at(const Descriptor& connection);
// By its name in the user database of this machine. An error when it has none: nobody is guessed.
Result<std::string> user_at(const Descriptor& connection);

}  // namespace furrow::gateway
