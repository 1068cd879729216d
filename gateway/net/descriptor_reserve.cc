#include "gateway/net/descriptor_reserve.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "gateway/net/descriptor.h"

namespace furrow::gateway {

std::uint64_t descriptor_limit() {
  rlimit limit = {};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

bool leaves_reserve(int descriptor) {
  const Descriptor next(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  return next && static_cast<std::uint64_t>(next.get()) + kDescriptorsReserved < descriptor_limit();
}

}  // namespace furrow::gateway
