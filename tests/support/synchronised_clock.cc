// Preloaded into a program (LD_PRELOAD), tells it that the kernel's clock is synchronised, whatever this machine's is.
#include <sys/timex.h>

extern "C" int adjtimex(timex* state) noexcept {
  *state = {};
  return TIME_OK;
}
