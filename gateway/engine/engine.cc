#include "gateway/engine/engine.h"

#include <algorithm>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow::gateway {

Engine::Engine(const broker::Broker::Options& options, broker::Store& store, broker::Journal::StampClock stamp,
               Log& log, broker::Restored restored, Instant now)
    : log_(log),
      broker_(options, store, std::move(stamp), log, restored, now),
      buffers_(std::move(restored), broker_) {}

bridge::Bridge& Engine::add_bridge(bridge::Options options, Instant now) {
  bridge::Buffer& buffer = buffers_.of(options.name);
  bridges_.push_back(std::make_unique<bridge::Bridge>(std::move(options), buffer, broker_, log_, now));
  return *bridges_.back();
}

std::vector<std::unique_ptr<bridge::Bridge>>::const_iterator Engine::look_up(std::string_view name) const {
  return std::ranges::find(bridges_, name, [](const auto& one) { return std::string_view(one->bridge_name()); });
}

bool Engine::has_bridge(std::string_view name) const {
  return look_up(name) != bridges_.end();
}

bool Engine::is_leaving(const bridge::Bridge& bridge) const {
  return std::ranges::find(leaving_, &bridge, &Leaving::bridge) != leaving_.end();
}

bridge::Bridge* Engine::find_bridge(std::string_view name) const {
  const auto found = look_up(name);
  if (found == bridges_.end()) return nullptr;
  const auto leaving = std::ranges::find(leaving_, found->get(), &Leaving::bridge);
  return leaving != leaving_.end() && !leaving->successor ? nullptr : found->get();
}

Engine::Leaving& Engine::begin_leaving(bridge::Bridge& bridge, Instant now) {
  const auto found = std::ranges::find(leaving_, &bridge, &Leaving::bridge);
  if (found != leaving_.end()) return *found;
  bridge.shut_down(now);
  return leaving_.emplace_back(Leaving{&bridge, std::nullopt});
}

void Engine::renew_bridge(bridge::Options options, Instant now) {
  FURROW_CHECK(has_bridge(options.name));
  Leaving& leaving = begin_leaving(**look_up(options.name), now);
  bridge::Buffer& buffer = buffers_.of(options.name);
  buffer.set_limits(options.buffer);
  buffer.set_rules(options.rules, options.live_first, now);
  buffer.set_meshed(options.mesh);
  buffer.set_taking(options.enabled);
  leaving.successor = std::move(options);
}

void Engine::retire_bridge(std::string_view name, Instant now) {
  FURROW_CHECK(has_bridge(name));
  bridge::Bridge& bridge = **look_up(name);
  begin_leaving(bridge, now).successor.reset();
  buffers_.of(bridge.bridge_name()).set_taking(false);
}

// While the gateway stops nobody takes a place.
void Engine::replace_left(Instant now, Edge& edge) {
  for (std::size_t i = 0; i < leaving_.size() && !stopping_;) {
    const bridge::Bridge& gone = *leaving_[i].bridge;
    if (!gone.left() || gone.has_work()) {
      ++i;
      continue;
    }
    std::optional<bridge::Options> options = std::move(leaving_[i].successor);
    leaving_.erase(leaving_.begin() + static_cast<std::ptrdiff_t>(i));
    edge.handle_bridge_left(gone);
    const auto place = std::ranges::find(bridges_, &gone, [](const auto& one) { return one.get(); });
    if (!options) {
      bridges_.erase(place);
      continue;
    }
    bridge::Buffer& buffer = buffers_.of(options->name);
    place->reset();  // two bridges cannot send from one buffer
    *place = std::make_unique<bridge::Bridge>(*std::move(options), buffer, broker_, log_, now);
    edge.handle_bridge_made(**place);
  }
}

void Engine::handle_store(StoreNews news, Instant now) {
  broker_.handle_store_failing(news.failing);
  if (news.durable > durable_) {
    durable_ = news.durable;
    broker_.handle_persisted(durable_, now);
  }
  if (news.withdrawn) broker_.handle_not_persisted(*std::move(news.withdrawn), now);
  for (const broker::Page& page : news.pages) broker_.handle_page(page, now);
}

void Engine::handle_due(Instant now) {
  if (broker_.next_deadline() <= now) broker_.handle_timeout(now);
  for (const auto& bridge : bridges_) {
    if (bridge->next_deadline() <= now) bridge->handle_timeout(now);
  }
}

void Engine::end_turn(Instant now, Edge& edge) {
  for (int round = 0; round < kRoundsMax; ++round) {
    broker_.handle_turn_end(now);
    for (const auto& bridge : bridges_) edge.flush(*bridge, now);
    edge.flush_clients(now);
    replace_left(now, edge);
    if (!has_work()) return;
  }
}

void Engine::shut_down(Instant now) {
  stopping_ = true;
  for (const auto& bridge : bridges_) bridge->shut_down(now);
  broker_.shut_down(now);
}

bool Engine::has_work() const {
  return broker_.has_work() ||
         std::any_of(bridges_.begin(), bridges_.end(), [](const auto& bridge) { return bridge->has_work(); });
}

Instant Engine::next_deadline() const {
  if (has_work()) return Instant::min();
  Instant next = broker_.next_deadline();
  for (const auto& bridge : bridges_) next = std::min(next, bridge->next_deadline());
  return next;
}

}  // namespace furrow::gateway
