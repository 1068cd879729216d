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
    : interval_(interval), sources_(sources), broker_(broker) {
  broker_.set_status_refresh([this](Instant now) { refresh(now); });
}

StatusTopics::~StatusTopics() {
  broker_.set_status_refresh({});
}

// For a new subscriber alone: who is there already has been told of every change, and may pay for each byte.
void StatusTopics::refresh(Instant now) {
  if (now < fresh_until_) return;
  for (const StatusTopic& one : all_topics(sources_.take(sources_.moment(++seq_, now)))) {
    broker_.retain_status(one.topic, one.payload, now);
    topics_.insert(one.topic);
  }
  fresh_until_ = now + StatusPace::kApart;
}

void StatusTopics::publish(Instant now) {
  look_for_changes();
  if (round_due_ <= now) publish_all(now);
  if (gateway_.pace.is_due(now)) publish_gateway(now);
  for (std::size_t i = 0; i < bridges_.size(); ++i) {
    if (bridges_[i].pace.is_due(now)) publish_bridge(i, now);
  }
}

void StatusTopics::look_for_changes() {
  const auto look = [](Document& document, std::uint64_t changes) {
    if (std::exchange(document.changes, changes) != changes) document.pace.note_change();
  };
  look(gateway_, sources_.gateway_changes());
  if (bridge_changes_ != sources_.bridge_changes()) {
    bridge_changes_ = sources_.bridge_changes();
    bridges_.assign(sources_.bridges().size(), {});
    round_due_ = Instant::min();
  }
  for (std::size_t i = 0; i < bridges_.size(); ++i) {
    if (const bridge::Bridge* bridge = sources_.bridges()[i].bridge) look(bridges_[i], bridge->status_changes());
  }
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
  gateway_.pace.note_published(now);
  for (Document& document : bridges_) document.pace.note_published(now);
}

void StatusTopics::publish_gateway(Instant now) {
  const StatusTopic topic = gateway_topic(sources_.take(sources_.moment(++seq_, now)));
  broker_.publish_status(topic.topic, topic.payload, now);
  gateway_.pace.note_published(now);
}

void StatusTopics::publish_bridge(std::size_t index, Instant now) {
  const BridgeStatus bridge = sources_.take(sources_.bridges()[index]);
  const StatusTopic topic = bridge_topic(bridge, sources_.moment(++seq_, now));
  broker_.publish_status(topic.topic, topic.payload, now);
  if (const auto state = connection_state(bridge)) broker_.publish_status(state->topic, state->payload, now);
  bridges_[index].pace.note_published(now);
}

Instant StatusTopics::next_deadline() const {
  Instant next = std::min(round_due_, gateway_.pace.next());
  for (const Document& document : bridges_) next = std::min(next, document.pace.next());
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
