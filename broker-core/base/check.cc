#include "broker-core/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace furrow {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "furrow: broken promise: %s (%s:%d)\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace furrow
