// What the operator decided, as the options of the parts that obey it.
//
// The core has options of its own and knows no configuration; this is the one place where they meet.
#pragma once

#include <cstdint>
#include <string>

#include "bridge/bridge.h"
#include "broker-core/broker.h"
#include "config/config.h"
#include "gateway/log_sink.h"

namespace furrow::gateway {

// `seed` is drawn at start; peers must not know it.
broker::Broker::Options broker_options(const config::Config& config, std::uint64_t seed);
bridge::Options bridge_options(const config::Bridge& bridge, const std::string& gateway_id, std::uint64_t seed);
LogSink::Options log_options(const config::Logging& logging);

}  // namespace furrow::gateway
