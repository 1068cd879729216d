// What the operator decided, as the options of the parts that obey it.
//
// The core has options of its own and knows no configuration; this is the one place where they meet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bridge/bridge.h"
#include "broker-core/access/rules.h"
#include "broker-core/broker.h"
#include "config/config.h"
#include "gateway/log_sink.h"

namespace furrow::gateway {

// `seed` is drawn at start; peers must not know it.
broker::Broker::Options broker_options(const config::Config& config, std::uint64_t seed);
// Nothing when there are none, which is not the same as an empty list.
std::shared_ptr<const access::Rules> access_rules(const config::Access& access);
bridge::Options bridge_options(const config::Bridge& bridge, const std::string& gateway_id, std::uint64_t seed);
// Whether clients come by TLS to the listener of this name; and whether there is a bridge of this one.
bool has_tls(const config::Config& config, std::string_view listener);
bool has_bridge(const config::Config& config, std::string_view name);
LogSink::Options log_options(const config::Logging& logging);

}  // namespace furrow::gateway
