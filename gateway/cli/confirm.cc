#include "gateway/cli/confirm.h"

#include <unistd.h>

#include <array>
#include <cstdio>

namespace furrow::gateway {

Result<bool> confirm(const std::string& question) {
  if (::isatty(STDIN_FILENO) != 1) {
    return Error(Errc::InvalidArgument, question + " There is nobody to ask: say --yes");
  }
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  std::array<char, 16> answer{};
  if (std::fgets(answer.data(), answer.size(), stdin) == nullptr) return false;
  return answer[0] == 'y' || answer[0] == 'Y';
}

}  // namespace furrow::gateway
