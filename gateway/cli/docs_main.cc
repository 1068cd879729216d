// Prints what is made from the command line: `furrow_command_docs man` the manual page, `bash` the completion.
#include <cstdio>
#include <string_view>

#include "gateway/cli/command_docs.h"
#include "gateway/cli/command_line.h"
#include "gateway/version.h"

int main(int count, char** arguments) {
  using namespace furrow::gateway;
  const std::string_view wanted = count == 2 ? arguments[1] : "";
  const CommandText furrow = describe_command_line();
  if (wanted == "man") return std::fputs(command_manual(furrow, kVersion).c_str(), stdout) < 0 ? 1 : 0;
  if (wanted == "bash") return std::fputs(bash_completion(furrow).c_str(), stdout) < 0 ? 1 : 0;
  std::fputs("usage: furrow_command_docs man | bash\n", stderr);
  return 2;
}
