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

void Engine::remove_bridge(const bridge::Bridge& bridge) {
  FURROW_CHECK(bridge.left());
  std::erase_if(bridges_, [&bridge](const auto& one) { return one.get() == &bridge; });
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
    if (!has_work()) return;
  }
}

void Engine::shut_down(Instant now) {
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
