// Where requests of operators are answered: each by reading or changing the engine, in slices (answer.h).
//
// Pure: no socket, thread, file or clock. The gateway asks it for those who come by the control socket, and a command
// asks it for a gateway that is stopped, over an engine of its own on the same files. What changes something is a line
// of the log, `operator.…`, with who it was. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "broker-core/base/log.h"
#include "gateway/control/answer.h"
#include "gateway/control/client_answers.h"
#include "gateway/control/request.h"
#include "gateway/control/traces.h"
#include "gateway/engine/engine.h"

namespace furrow::gateway {

class Desk {
 public:
  // All that is referred to must outlive the desk and its answers.
  struct World {
    Engine& engine;
    Log& log;
    HasTls has_tls;
    // Whether the configuration has a bridge of this name.
    std::function<bool(std::string_view name)> has_bridge;
    // nullptr: the gateway is stopped.
    Traces* traces = nullptr;
  };
  explicit Desk(World world) : world_(std::move(world)) {}

  // `line` is a request, without its end; `uid` is the user who asks.
  std::unique_ptr<Answer> ask(std::string_view line, std::uint32_t uid, Instant now);

 private:
  std::unique_ptr<Answer> answer(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> kick(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> forget(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> list_bridges(Instant now);
  std::unique_ptr<Answer> pause(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> resume(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> reconnect(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> erase_retained(const ControlRequest& request, std::uint32_t uid);
  std::unique_ptr<Answer> purge(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> replay(const ControlRequest& request, std::uint32_t uid, Instant now);
  std::unique_ptr<Answer> trace(const ControlRequest& request, std::uint32_t uid, Instant now);

  broker::Broker& broker() { return world_.engine.broker(); }
  // nullptr when neither the configuration nor the store has it.
  bridge::Buffer* find_buffer(std::string_view name);
  // Why there is no such bridge.
  std::string no_bridge(std::string_view name) const;
  std::unique_ptr<Answer> set_pause(bridge::Buffer& buffer, std::optional<bridge::Pause> pause, Instant now);
  // Says `ok` once what was changed is durable.
  std::unique_ptr<Answer> when_durable(JsonObject end);

  const World world_;
};

}  // namespace furrow::gateway
