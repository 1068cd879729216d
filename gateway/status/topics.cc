#include "gateway/status/topics.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "gateway/status/findings.h"
#include "gateway/status/json.h"
#include "gateway/status/sys_counters.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kHistoryTopic = "$SYS/furrow/history";

StatusTopic gateway_topic(const StatusModel& model) {
  return {"$SYS/furrow/gateway", gateway_json(model)};
}

StatusTopic bridge_topic(const BridgeStatus& bridge, const StatusMoment& moment) {
  return {"$SYS/furrow/bridge/" + bridge.name, bridge_json(bridge, moment)};
}

StatusTopic alarms_topic(const std::vector<Alarm>& alarms, const StatusMoment& moment) {
  return {"$SYS/furrow/alarms", alarms_json(alarms, moment)};
}

std::vector<StatusTopic> all_topics(const StatusModel& model) {
  std::vector<StatusTopic> all = sys_counters(model);
  all.push_back(gateway_topic(model));
  all.push_back(alarms_topic(model.alarms, model.moment));
  for (const BridgeStatus& bridge : model.bridges) all.push_back(bridge_topic(bridge, model.moment));
  return all;
}

}  // namespace

StatusTopics::StatusTopics(StatusSources& sources, broker::Broker& broker, Log& log, Duration interval)
    : sources_(sources),
      broker_(broker),
      interval_(interval),
      silence_(broker, log),
      alarms_(log),
      clients_(sources, broker) {
  sources_.set_silence([this](Instant now) { return silence_.status(now); });
  sources_.set_alarms([this] { return alarms_.raised(); });
  broker_.set_status_refresh([this](Instant now) { refresh(now); });
}

StatusTopics::~StatusTopics() {
  broker_.set_status_refresh({});
  sources_.set_silence({});
  sources_.set_alarms({});
}

void StatusTopics::set_interval(Duration interval, Instant now) {
  interval_ = interval;
  round_due_ = std::min(round_due_, now + interval);
}

// Retained, and not delivered: present subscribers have been told of every change, and may pay for each byte.
void StatusTopics::refresh(Instant now) {
  refresh_history(now);
  if (now < fresh_until_) return;
  for (const StatusTopic& one : all_topics(take(now))) {
    broker_.retain_status(one.topic, one.payload, now);
    topics_.insert(one.topic);
  }
  fresh_until_ = now + StatusPace::kApart;
}

// Present subscribers have seen it happen.
void StatusTopics::refresh_history(Instant now) {
  if (std::exchange(history_told_, history_.changes()) == history_.changes()) return;
  broker_.retain_status(kHistoryTopic, history_json(history_.points(), sources_.moment(++seq_, now)), now);
}

void StatusTopics::publish(Instant now) {
  if (history_.is_due(now)) history_.take(sources_, now);
  if (round_due() <= now) publish_all(now);
  clients_.publish(now);
  if (look_is_due(now)) (void)take(now);
  if (gateway_.due(sources_.gateway_changes()) <= now) publish_gateway(now);
  if (alarms_pace_.due(alarms_.changes()) <= now) publish_alarms(now);
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

StatusModel StatusTopics::take(Instant now) {
  StatusModel model = sources_.take(sources_.moment(++seq_, now));
  alarms_.review(findings(model), now);
  model.alarms = alarms_.raised();
  silence_.note_looked(now);
  looks_.note_published(all_changes(), now);
  looked_at_ = now;
  return model;
}

bool StatusTopics::look_is_due(Instant now) const {
  return next_look() <= now || looked_at_ + kLookInterval <= now;
}

Instant StatusTopics::next_look() const {
  return std::min({looks_.due(all_changes()), alarms_.next_deadline(), silence_.next_deadline()});
}

std::uint64_t StatusTopics::all_changes() const {
  std::uint64_t changes = sources_.gateway_changes() + silence_.changes();
  for (std::size_t i = 0; i < sources_.bridges().size(); ++i) changes += bridge_changes(i);
  return changes;
}

void StatusTopics::publish_all(Instant now) {
  const StatusModel model = take(now);
  sources_.note_load(model);
  std::set<std::string> gone = std::exchange(topics_, {});
  for (const StatusTopic& one : all_topics(model)) {
    broker_.publish_status(one.topic, one.payload, now);
    gone.erase(one.topic);
    topics_.insert(one.topic);
  }
  for (const std::string& topic : gone) broker_.publish_status(topic, {}, now);
  round_due_ = now + interval_;
  clients_.note_round();
  fresh_until_ = now + StatusPace::kApart;
  gateway_.note_published(sources_.gateway_changes(), now);
  alarms_pace_.note_published(alarms_.changes(), now);
  bridges_seen_ = sources_.bridge_changes();
  bridges_.resize(sources_.bridges().size());
  for (std::size_t i = 0; i < bridges_.size(); ++i) bridges_[i].note_published(bridge_changes(i), now);
}

void StatusTopics::publish_alarms(Instant now) {
  const StatusTopic topic = alarms_topic(alarms_.raised(), sources_.moment(++seq_, now));
  broker_.publish_status(topic.topic, topic.payload, now);
  alarms_pace_.note_published(alarms_.changes(), now);
}

void StatusTopics::publish_gateway(Instant now) {
  const StatusTopic topic = gateway_topic(take(now));
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
  Instant next = std::min({round_due(), next_look(), clients_.next_deadline(), alarms_pace_.due(alarms_.changes()),
                           gateway_.due(sources_.gateway_changes())});
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
