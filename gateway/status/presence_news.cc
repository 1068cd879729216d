#include "gateway/status/presence_news.h"

#include <algorithm>
#include <utility>

#include "config/config.h"
#include "gateway/status/json.h"

namespace furrow::gateway {
namespace {

bool wants_presence(const std::unique_ptr<bridge::Bridge>& bridge) {
  return bridge->wants_presence();
}
bool takes_presence(const std::unique_ptr<bridge::Bridge>& bridge) {
  return bridge->takes_presence();
}

// What a person wants to know soon.
std::string news_of(const StatusModel& model) {
  std::string news;
  for (const Alarm& one : model.alarms) news += one.id + "\n";
  for (const BridgeStatus& one : model.bridges) news += one.name + std::string(bridge::name(one.snapshot.state)) + "\n";
  return news;
}

std::string numbers_of(const StatusModel& model) {
  std::string numbers;
  for (const BridgeStatus& one : model.bridges) numbers += std::to_string(one.snapshot.backlog_messages) + "\n";
  return numbers;
}

}  // namespace

bridge::Presence::Options presence_options(const std::string& remote_topic, const std::string& bridge_name,
                                           const GatewayFacts& gateway) {
  if (remote_topic.empty()) return {};
  return {.topic = config::expand_names(remote_topic, gateway.id, bridge_name),
          .lost = offline_json(gateway, "connection lost"),
          .left = offline_json(gateway, "disconnected on purpose")};
}

void PresenceNews::publish(Bridges bridges, Instant now) {
  const bool has_first = std::ranges::any_of(bridges, wants_presence);
  const bool has_more = looked_at_ + kLookInterval <= now && std::ranges::any_of(bridges, takes_presence);
  if (!has_first && !has_more) return;
  const StatusModel model = sources_.take(sources_.moment(++seq_, now));
  const std::string news = news_of(model);
  const std::string all = news + numbers_of(model);
  for (const auto& bridge : bridges) {
    if (!bridge->takes_presence()) continue;
    Told& told = told_[bridge->bridge_name()];
    if (!bridge->wants_presence() && !is_due(told, news, all, now)) continue;
    bridge->publish_presence(presence_json(model), now);
    told = {.news = news, .all = all, .at = now};
  }
  looked_at_ = now;
}

bool PresenceNews::is_due(const Told& told, const std::string& news, const std::string& all, Instant now) {
  return told.news != news || (told.all != all && told.at + kNumbersInterval <= now) ||
         told.at + kAnywayInterval <= now;
}

Instant PresenceNews::next_deadline(Bridges bridges) const {
  if (std::ranges::any_of(bridges, wants_presence)) return Instant::min();
  return std::ranges::any_of(bridges, takes_presence) ? looked_at_ + kLookInterval : kNever;
}

}  // namespace furrow::gateway
