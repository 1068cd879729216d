#include "gateway/status/health.h"

namespace furrow::gateway {
namespace {

bool is_well(const bridge::Snapshot& snapshot) {
  switch (snapshot.state) {
    case bridge::State::Online:
    case bridge::State::Draining:
    case bridge::State::Waiting:
    case bridge::State::Disabled:
      return true;
    case bridge::State::Connecting:
    case bridge::State::Stalled:
    case bridge::State::Backoff:
      return false;
  }
  return false;
}

// A store that is slow works.
bool is_well(broker::StoreState state) {
  return state == broker::StoreState::Ok || state == broker::StoreState::Slow || state == broker::StoreState::Salvaging;
}

}  // namespace

std::string ailments(const StatusModel& model, bool with_bridges) {
  std::string all;
  const broker::StoreHealth& store = model.store.health;
  if (!is_well(store.state)) all += "store is " + std::string(name(store.state)) + ": " + store.reason + "\n";
  for (const ListenerStatus& one : model.listeners) {
    if (!one.waiting.empty()) all += "listener " + one.name + " is waiting: " + one.waiting + "\n";
  }
  if (model.timing.late_by > kLoopLateMax) {
    const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(model.timing.late_by).count();
    all += "loop was late by " + std::to_string(late) + " ms\n";
  }
  if (!with_bridges) return all;
  for (const BridgeStatus& one : model.bridges) {
    if (is_well(one.snapshot)) continue;
    all += "bridge " + one.name + " is " + std::string(bridge::name(one.snapshot.state)) + "\n";
  }
  return all;
}

}  // namespace furrow::gateway
