#include "tests/bench/load/fail.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace furrow::load {

void fail(const std::string& why) {
  std::fprintf(stderr, "furrow_load: %s\n", why.c_str());
  std::exit(1);
}

void fail_errno(const std::string& attempted) {
  fail(attempted + ": " + std::strerror(errno));
}

}  // namespace furrow::load
