// `furrow access`: what a client may do by the rules of a configuration, and which of them says so. A dry run, by the
// code that decides in a running gateway.
#pragma once

#include <optional>
#include <string>

namespace furrow::gateway {

struct AccessOptions {
  std::optional<std::string> user;  // nothing: a client without a user name
  std::string action;               // publish or subscribe
  std::string topic;                // or filter
  bool retain = false;              // a message that is to be retained
  std::optional<std::string> client;
  std::optional<std::string> listener;
  std::optional<std::string> from;
  std::optional<std::string> config;
};

// Prints `allowed` or `refused` and the rule that decides to standard output; returns the exit code.
int run_access(const AccessOptions& options);

}  // namespace furrow::gateway
