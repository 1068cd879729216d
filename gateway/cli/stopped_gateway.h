// A gateway that is stopped, asked by the code that answers for one that runs, over its files.
//
// Takes the lock of the data directory. What is only asked writes nothing; a change is committed before its answer is
// given. Nobody is connected, bridges do not run, and time stands still between two commands.
#pragma once

#include <memory>

#include "broker-core/base/result.h"
#include "config/config.h"
#include "gateway/cli/gateway_access.h"

namespace furrow::gateway {

// Becomes the user whom the data directory belongs to, when root asks: files that root makes in it would keep the
// gateway from starting.
Result<std::unique_ptr<GatewayAccess>> open_stopped_gateway(const config::Config& config);

}  // namespace furrow::gateway
