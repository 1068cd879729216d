// What the system says of a call that failed.
#pragma once

#include <string>
#include <string_view>

#include "broker-core/base/result.h"

namespace furrow::gateway {

// The kind of error that `errno_value` is, and its words.
Errc errc_from_errno(int errno_value);
std::string errno_text(int errno_value);

// `attempted: No such file or directory`, by the errno of this thread.
Error errno_error(std::string_view attempted);

}  // namespace furrow::gateway
