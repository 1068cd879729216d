#include "tests/bench/load/block_device.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>

#include "tests/bench/load/fail.h"

namespace furrow::load {

std::uint64_t block_device_bytes(const std::string& folder) {
  ::sync();
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0) fail_errno("look at " + folder);
  // The seventh number is the sectors of 512 bytes that were written (kernel, Documentation/block/stat.rst).
  std::ifstream statistics("/sys/dev/block/" + std::to_string(major(found.st_dev)) + ":" +
                           std::to_string(minor(found.st_dev)) + "/stat");
  std::uint64_t value = 0;
  for (int field = 0; field < 7 && statistics >> value; ++field) {
  }
  return statistics ? value * 512 : 0;
}

}  // namespace furrow::load
