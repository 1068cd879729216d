// The way of a command to a gateway: over its control socket while it runs, over its files while it is stopped.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"
#include "gateway/control/request.h"

namespace furrow::gateway {

// Which gateway a command is about.
struct GatewayChoice {
  std::optional<std::string> config;
  std::optional<std::string> data;
};

class GatewayAccess {
 public:
  virtual ~GatewayAccess() = default;

  // Gets the lines of the answer but its end, which is returned: see control/answer.h. An answer that is a refusal is
  // an error. `on_item` may be empty.
  using OnItem = std::function<void(std::string_view line)>;
  virtual Result<std::string> ask(const ControlRequest& request, const OnItem& on_item) = 0;

  // An answer of which nothing comes for this long is an error: for gateways that may hang.
  virtual void set_patience(std::chrono::seconds patience) { (void)patience; }
  // The gateway's process, where that can be told.
  virtual std::optional<int> process() const { return std::nullopt; }
  // Tells the gateway that nothing more is asked: an answer that goes on by itself ends, in order. Null effect where
  // none does.
  virtual void end_requests() {}
  // SIGINT and SIGTERM do that, the first of them; a second one ends the program.
  virtual void end_on_signal() {}

 protected:
  // The end of an answer, or the refusal that it is.
  static Result<std::string> judge_end(std::string_view line);
};

// What a command is for: a gateway that runs, or the files of one that is stopped, too.
enum class Reach : std::uint8_t { Running, StoppedToo };

// The error says what is to be done: start the gateway, ask as another user.
Result<std::unique_ptr<GatewayAccess>> reach_gateway(const GatewayChoice& choice, Reach reach);

// Prints `furrow: …`, and returns the exit code of a failure.
int fail_with(const Error& why);

}  // namespace furrow::gateway
