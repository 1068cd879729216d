// The checks of the rules of bridges, one by one and among each other.
#pragma once

#include <cstddef>
#include <string>

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

// A rule of a bridge that has `retain_sync`, or has not: its filter, prefixes, exceptions and options.
void check_rule(const TopicRule& rule, bool retain_sync, const std::string& path, Report& report);

// Warns about rules of `bridge`, the one at `index`, that never get a message because one before takes it.
void check_shadowed_rules(const Bridge& bridge, std::size_t index, Report& report);

// Warns where a bridge gets back what it sent.
void check_echo(const Bridge& bridge, std::size_t index, Report& report);

// Looks for messages that `down_bridge` brings in and `up_bridge` takes out again to the same broker.
// REQUIRES: they are two, and share an address.
void check_circles(const Config& config, std::size_t down_bridge, std::size_t up_bridge, Report& report);

}  // namespace furrow::config
