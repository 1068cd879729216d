#include "gateway/process.h"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "broker-core/base/check.h"

#ifdef __has_feature
#define FURROW_HAS_SANITIZER __has_feature(address_sanitizer)
#else
#define FURROW_HAS_SANITIZER 0
#endif

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

void keep_memory_private() {
#if !defined(__SANITIZE_ADDRESS__) && !FURROW_HAS_SANITIZER
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  (void)::setrlimit(RLIMIT_CORE, &none);       // to lower a limit may not fail
  (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // holds where a program, not a file, takes core dumps
#endif
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
