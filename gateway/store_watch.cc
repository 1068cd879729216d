#include "gateway/store_watch.h"

#include <string_view>

#include "gateway/status.h"

namespace furrow::gateway {
namespace {

using broker::StoreState;

std::uint64_t whole_seconds(Duration duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

std::string_view consequence(StoreState state) {
  if (broker::takes_messages(state)) return "publishers wait for it";
  return "new messages are not stored, what is stored still drains, QoS 0 goes on";
}

}  // namespace

void StoreWatch::note(const broker::StoreHealth& health, std::optional<Instant> commit_started, Instant now) {
  if (health.state != state_) {
    if (health.state == StoreState::Ok) {
      log_.write(LogLevel::Info, "store.recovered", {{"was", name(state_)}, {"after_s", whole_seconds(now - since_)}});
    } else {
      log_.write(LogLevel::Error, "store.trouble",
                 {{"state", name(health.state)}, {"reason", health.reason}, {"then", consequence(health.state)}});
    }
    state_ = health.state;
    since_ = now;
  }
  const bool stuck = commit_started && now - *commit_started > kAlarmAfter;
  if (stuck && !alarmed_) {
    log_.write(LogLevel::Error, "store.alarm",
               {{"commit_running_s", whole_seconds(now - *commit_started)},
                {"then", "look at the disk; nothing is acknowledged that needs it"}});
  }
  alarmed_ = stuck;
}

}  // namespace furrow::gateway
