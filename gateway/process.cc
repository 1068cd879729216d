#include "gateway/process.h"

#include <malloc.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "broker-core/base/check.h"

namespace furrow::gateway {

void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // up to the hard limit it may not fail
}

void keep_files_private() {
  (void)::umask(S_IRWXG | S_IRWXO);  // the mask before: of no interest
}

void ignore_broken_pipes() {
  (void)std::signal(SIGPIPE, SIG_IGN);  // fails for unknown signals only
}

std::uint64_t allocated_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "gateway";
  return name.data();
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  FURROW_CHECK(::getrandom(&seed, sizeof seed, 0) == ssize_t{sizeof seed});
  return seed;
}

}  // namespace furrow::gateway
