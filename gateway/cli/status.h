// `furrow status`: the status documents of a running gateway, as a table or as they are. Reads them over MQTT, as any
// client can.
#pragma once

#include <optional>
#include <string>

namespace furrow::gateway {

struct StatusOptions {
  std::optional<std::string> config;  // whose gateway, when there is no url
  std::optional<std::string> url;     // mqtt://HOST[:PORT], or mqtts://
  std::optional<std::string> username;
  std::optional<std::string> password_from;  // a file
  std::optional<std::string> ca;             // a file; nothing: what this system trusts
  bool watch = false;
  bool json = false;
};

// The exit code: 1 when the gateway does not answer.
int run_status(const StatusOptions& options);

}  // namespace furrow::gateway
