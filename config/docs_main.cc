// Prints what is made from the table of keys: `furrow_config_docs yaml` the reference file, `man` the manual page.
#include <cstdio>
#include <string_view>

#include "config/reference.h"

int main(int count, char** arguments) {
  const std::string_view wanted = count == 2 ? arguments[1] : "";
  if (wanted == "yaml") return std::fputs(furrow::config::reference_yaml().c_str(), stdout) < 0 ? 1 : 0;
  if (wanted == "man") return std::fputs(furrow::config::manual_page().c_str(), stdout) < 0 ? 1 : 0;
  std::fputs("usage: furrow_config_docs yaml | man\n", stderr);
  return 2;
}
