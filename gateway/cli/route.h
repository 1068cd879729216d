// `furrow route`: which bridges take a topic, by which rule and under what name, and why others do not. A dry run, by
// the code that decides in a running gateway.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"

namespace furrow::gateway {

struct RouteOptions {
  std::string topic;
  std::optional<std::string> from;  // a bridge: the topic is one of its far side, and comes down
  std::optional<std::string> config;
};

struct RouteAnswer {
  std::string text;       // lines for people
  bool is_taken = false;  // by a bridge on the way up; on the way down, by the rules of the bridge that it comes by
};
// `file` is the name of the configuration, for people. REQUIRES: the topic is a valid name, and `from` a bridge.
RouteAnswer find_routes(const RouteOptions& options, const config::Config& config, const std::string& file);

// The exit code: 1 when nobody takes the topic.
int run_route(const RouteOptions& options);

}  // namespace furrow::gateway
