// When a JSON Web Token ends, as it says itself. Pure.
//
//   token = HEADER "." CLAIMS "." SIGNATURE        each in base64url without '='; CLAIMS is a JSON object
//
// Only the far side judges a token. What it says of its end is used to renew it in time, and nothing else is read; a
// password that is no token says nothing. Spec: RFC 7519 §4.1.4.
#pragma once

#include <optional>
#include <string_view>

#include "broker-core/base/time.h"

namespace furrow::gateway {

// The time of the claim `exp`; nothing when `password` is no token, or has none.
std::optional<WallTime> jwt_end(std::string_view password);

}  // namespace furrow::gateway
