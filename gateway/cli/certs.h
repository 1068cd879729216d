// `furrow certs`: a small CA for a site, and the certificates of a configuration with the days that they have left.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace furrow::gateway {

struct CertsOptions {
  enum class Action { Show, Init, Issue };

  Action action = Action::Show;
  std::optional<std::string> config;  // show
  std::string directory = ".";        // init makes it; issue finds the CA in it
  std::string name;                   // issue: of a device or a gateway
  std::vector<std::string> hosts;     // issue: names and addresses, when it is a server, too
  int days = 825;
};

// Never overwrites a file. The exit code.
int run_certs(const CertsOptions& options);

}  // namespace furrow::gateway
