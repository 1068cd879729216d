// `furrow passwd`: users and their passwords in a file that a gateway reads.
#pragma once

#include <cstdint>
#include <string>

namespace furrow::gateway {

struct PasswdOptions {
  enum class Action : std::uint8_t { Set, Delete, Check, List };

  std::string file;
  std::string user;
  Action action = Action::Set;
  bool from_stdin = false;  // the password is the first line of standard input; else asked for on the terminal
};

// Returns the exit code: 1 also when --check finds another password.
int run_passwd(const PasswdOptions& options);

}  // namespace furrow::gateway
