#include "gateway/status/topics.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "gateway/status/json.h"
#include "gateway/status/sys_counters.h"

namespace furrow::gateway {
namespace {

StatusTopic gateway_topic(const StatusModel& model) {
  return {"$SYS/furrow/gateway", gateway_json(model)};
}

StatusTopic bridge_topic(const BridgeStatus& bridge, const StatusMoment& moment) {
  return {"$SYS/furrow/bridge/" + bridge.name, bridge_json(bridge, moment)};
}

std::vector<StatusTopic> all_topics(const StatusModel& model) {
  std::vector<StatusTopic> all = sys_counters(model);
  all.push_back(gateway_topic(model));
  for (const BridgeStatus& bridge : model.bridges) all.push_back(bridge_topic(bridge, model.moment));
  return all;
}

}  // namespace

StatusTopics::StatusTopics(StatusSources& sources, broker::Broker& broker, Duration interval)
    : sources_(sources), broker_(broker), interval_(interval) {
  broker_.set_status_refresh([this](Instant now) { refresh(now); });
}

StatusTopics::~StatusTopics() {
  broker_.set_status_refresh({});
}

void StatusTopics::set_interval(Duration interval, Instant now) {
  interval_ = interval;
  round_due_ = std::min(round_due_, now + interval);
}

// Retained, and not delivered: present subscribers have been told of every change, and may pay for each byte.
void StatusTopics::refresh(Instant now) {
  if (now < fresh_until_) return;
  for (const StatusTopic& one : all_topics(sources_.take(sources_.moment(++seq_, now)))) {
    broker_.retain_status(one.topic, one.payload, now);
    topics_.insert(one.topic);
  }
  fresh_until_ = now + StatusPace::kApart;
}

void StatusTopics::publish(Instant now) {
  if (round_due() <= now) publish_all(now);
  if (gateway_.due(sources_.gateway_changes()) <= now) publish_gateway(now);
  for (std::size_t i = 0; i < bridges_.size(); ++i) {
    if (bridges_[i].due(bridge_changes(i)) <= now) publish_bridge(i, now);
  }
}

// With a bridge that has come or gone, all are published.
Instant StatusTopics::round_due() const {
  return bridges_seen_ == sources_.bridge_changes() ? round_due_ : Instant::min();
}

std::uint64_t StatusTopics::bridge_changes(std::size_t index) const {
  const bridge::Bridge* const bridge = sources_.bridges()[index].bridge;
  return bridge == nullptr ? 0 : bridge->status_changes();
}

void StatusTopics::publish_all(Instant now) {
  const StatusModel model = sources_.take(sources_.moment(++seq_, now));
  sources_.note_load(model);
  std::set<std::string> gone = std::exchange(topics_, {});
  for (const StatusTopic& one : all_topics(model)) {
    broker_.publish_status(one.topic, one.payload, now);
    gone.erase(one.topic);
    topics_.insert(one.topic);
  }
  for (const std::string& topic : gone) broker_.publish_status(topic, {}, now);
  round_due_ = now + interval_;
  fresh_until_ = now + StatusPace::kApart;
  gateway_.note_published(sources_.gateway_changes(), now);
  bridges_seen_ = sources_.bridge_changes();
  bridges_.resize(sources_.bridges().size());
  for (std::size_t i = 0; i < bridges_.size(); ++i) bridges_[i].note_published(bridge_changes(i), now);
}

void StatusTopics::publish_gateway(Instant now) {
  const StatusTopic topic = gateway_topic(sources_.take(sources_.moment(++seq_, now)));
  broker_.publish_status(topic.topic, topic.payload, now);
  gateway_.note_published(sources_.gateway_changes(), now);
}

void StatusTopics::publish_bridge(std::size_t index, Instant now) {
  const BridgeStatus bridge = sources_.take(sources_.bridges()[index]);
  const StatusTopic topic = bridge_topic(bridge, sources_.moment(++seq_, now));
  broker_.publish_status(topic.topic, topic.payload, now);
  if (const auto state = connection_state(bridge)) broker_.publish_status(state->topic, state->payload, now);
  bridges_[index].note_published(bridge_changes(index), now);
}

Instant StatusTopics::next_deadline() const {
  Instant next = std::min(round_due(), gateway_.due(sources_.gateway_changes()));
  if (next == Instant::min()) return next;  // then bridges_ may not be those of the sources
  for (std::size_t i = 0; i < bridges_.size(); ++i) next = std::min(next, bridges_[i].due(bridge_changes(i)));
  return next;
}

std::string StatusTopics::summary() const {
  std::string line = std::to_string(broker_.clients()) + " clients";
  for (const StatusSources::Bridge& one : sources_.bridges()) {
    const BridgeStatus bridge = sources_.take(one);
    line += ", bridge " + bridge.name + " " + std::string(bridge::name(bridge.snapshot.state));
  }
  return line;
}

}  // namespace furrow::gateway
