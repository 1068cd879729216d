#include "gateway/cli/demo.h"

#include <cstdio>

#include "gateway/cli/exit_code.h"

namespace furrow::gateway {

int run_demo(const DemoOptions&) {
  std::fputs("furrow: 'demo' is not built in this version\n", stderr);
  return kExitUsage;
}

}  // namespace furrow::gateway
