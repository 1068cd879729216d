// Preloaded into a program (LD_PRELOAD), makes its syncs as slow as FURROW_SYNC_MS says, as a worn card does; "skip":
// leaves them out, so that a store with a million commits is there in minutes.
#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

using Sync = int (*)(int);

int sync_slowly(const char* name, int descriptor) {
  const char* const how = std::getenv("FURROW_SYNC_MS");
  if (how != nullptr && std::strcmp(how, "skip") == 0) return 0;
  if (how != nullptr) std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(how)));
  return reinterpret_cast<Sync>(::dlsym(RTLD_NEXT, name))(descriptor);  // NOLINT: what dlsym() is for
}

}  // namespace

extern "C" {

int fsync(int descriptor) {
  return sync_slowly("fsync", descriptor);
}

int fdatasync(int descriptor) {
  return sync_slowly("fdatasync", descriptor);
}
}
