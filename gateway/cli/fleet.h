// `furrow fleet`: what a region retains of its gateways (`status.remote_topic`), all of them in one table.
#pragma once

#include <optional>
#include <string>

namespace furrow::gateway {

struct FleetOptions {
  std::string url;                // mqtt://HOST[:PORT], or mqtts://
  std::string topic = "fleet/+";  // a filter
  std::optional<std::string> username;
  std::optional<std::string> password_from;  // a file
  std::optional<std::string> ca;             // a file; nothing: what this system trusts
  bool watch = false;
  bool json = false;
};

// The exit code: 1 when the region does not answer.
int run_fleet(const FleetOptions& options);

}  // namespace furrow::gateway
