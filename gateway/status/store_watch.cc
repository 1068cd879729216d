#include "gateway/status/store_watch.h"

#include <string_view>
#include <utility>

#include "gateway/status/model.h"

namespace furrow::gateway {
namespace {

using broker::StoreState;

std::string_view consequence(StoreState state) {
  if (broker::takes_messages(state)) return "publishers wait for it";
  return "new messages are not stored, what is stored still drains, QoS 0 goes on";
}

}  // namespace

void StoreWatch::note(const broker::StoreHealth& health, std::optional<Instant> commit_started, Instant now) {
  const broker::StoreHealth before = std::exchange(health_, health);
  if (health.state != before.state) tell(before.state, now);
  if (health.state != before.state || health.reason != before.reason) ++changes_;
  const bool stuck = commit_started && now - *commit_started > kAlarmAfter;
  if (stuck && !alarmed_) {
    log_.write(LogLevel::Error, "store.alarm",
               {{"commit_running_s", whole_seconds(now - *commit_started)},
                {"then", "look at the disk; nothing is acknowledged that needs it"}});
  }
  alarmed_ = stuck;
}

void StoreWatch::tell(StoreState was, Instant now) {
  if (health_.state == StoreState::Ok) {
    log_.write(LogLevel::Info, "store.recovered", {{"was", name(was)}, {"after_s", whole_seconds(now - since_)}});
  } else {
    log_.write(LogLevel::Error, "store.trouble",
               {{"state", name(health_.state)}, {"reason", health_.reason}, {"then", consequence(health_.state)}});
  }
  since_ = now;
}

}  // namespace furrow::gateway
