// The log lines of a bridge: each change once, lasting trouble again every hour, attempts at level debug.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "bridge/buffer.h"
#include "bridge/drain.h"
#include "bridge/loop_guard.h"
#include "broker-core/base/log.h"
#include "broker-core/base/time.h"

namespace furrow::bridge {

// Whole seconds, rounded up: `8s`.
std::string in_seconds(Duration duration);

class Reports {
 public:
  // `log` must outlive it.
  Reports(std::string name, Log& log) : name_(std::move(name)), log_(log) {}

  // The messages in the buffer.
  struct Waiting {
    std::uint64_t messages = 0;
    std::optional<Instant> oldest;
  };

  void connecting(std::string_view remote, std::string_view dialect);
  void attempt_failed(std::string_view remote, std::string_view reason);
  void online(std::string_view remote, std::string_view mqtt_version, bool resumed, std::uint64_t queued);
  // The bridge waits for `retry_in` before it connects again.
  void offline(std::string_view reason, Duration retry_in, const Waiting& waiting, Instant now);
  // Not connected on purpose.
  void waiting(std::string_view reason, const Waiting& waiting);
  // Connected, and nothing is acknowledged.
  void stalled(std::string_view reason, const Waiting& waiting, Instant now);
  // Connected, and messages are acknowledged.
  void well() { troubles_.clear(); }
  void drained(const Drain::Result& result);
  // A message was not passed on, because of the gateways that it came by: said once an hour.
  void circling(const Circling& message, Instant now);
  void stopped(const Echoes::Stopped& message);
  // The far broker does not take a message.
  void set_aside(const Buffer::SetAside& message);
  // The far broker did something that does not fit: said once for each `what`.
  void oddity(std::string_view event, std::string_view what, std::string_view then);
  void refused(std::string_view event, std::string_view reason, std::string_view then = {});

 private:
  struct Trouble {
    Instant since;
    Instant said;
  };
  // Reasons may take turns, such as those of several dialects; more than this many at a time are not remembered.
  static constexpr std::size_t kTroublesMax = 16;

  // Whether the log is to be told of it now. Sets `lasted` when it has been told before.
  bool is_to_be_said(std::string_view reason, std::optional<Duration>& lasted, Instant now);

  // Constant after construction.
  const std::string name_;
  Log& log_;

  std::map<std::string, Trouble, std::less<>> troubles_;  // by reason, since all was well
  Instant circling_due_ = Instant::min();                 // when a message that circles is to be said again
  std::set<std::string, std::less<>> oddities_;           // as many as the code knows of
};

}  // namespace furrow::bridge
