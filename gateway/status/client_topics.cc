#include "gateway/status/client_topics.h"

#include <algorithm>
#include <utility>

#include "broker-core/client_view.h"
#include "gateway/status/json.h"

namespace furrow::gateway {
namespace {

// All but `since`.
ClientDetails details_of(broker::Session& session) {
  const broker::Identity& identity = session.identity();
  ClientDetails details{.id = session.client_id(),
                        .connected = session.connection() != nullptr,
                        .user = identity.user,
                        .listener = identity.listener,
                        .address = {},
                        .version = {},
                        .expiry_s = session.record().expiry_s,
                        .subscriptions = session.record().subscriptions.size()};
  if (details.connected) {
    details.address = session.connection()->peer();
    details.version = broker::version_text(session.connection()->version());
  }
  if (const broker::Outbox* const queue = session.outbox()) {
    details.queue_messages = queue->backlog();
    details.queue_bytes = queue->bytes();
    details.inflight = queue->inflight();
  }
  return details;
}

}  // namespace

std::string client_topic(std::string_view client_id) {
  std::string topic = "$SYS/furrow/client/";
  for (const char c : client_id) {
    switch (c) {
      case '/':
        topic += "%2F";
        break;
      case '+':
        topic += "%2B";
        break;
      case '#':
        topic += "%23";
        break;
      case '%':
        topic += "%25";
        break;
      default:
        topic += c;
    }
  }
  return topic;
}

void ClientTopics::set_enabled(bool enabled, Instant now) {
  if (std::exchange(enabled_, enabled) == enabled) return;
  round_ = enabled;
  if (!enabled) forget_all(now);
}

void ClientTopics::publish(Instant now) {
  if (!enabled_) return;
  if (round_ || looks_.due(broker_.session_changes()) <= now) look(now);
  if (next_due_ <= now) publish_due(now);
}

Instant ClientTopics::next_deadline() const {
  if (!enabled_) return kNever;
  return round_ ? Instant::min() : std::min(looks_.due(broker_.session_changes()), next_due_);
}

void ClientTopics::look(Instant now) {
  ++look_;
  broker_.for_each_session([&](broker::Session& session) { look_at(session, now); });
  forget_gone(now);
  round_ = false;
  looks_.note_published(broker_.session_changes(), now);
  if (!due_.empty()) next_due_ = std::min(next_due_, now);
}

void ClientTopics::look_at(broker::Session& session, Instant now) {
  const ConnectionId connection = session.connection() != nullptr ? session.connection()->id() : ConnectionId{};
  const auto [found, is_new] = known_.try_emplace(session.client_id());
  Known& known = found->second;
  known.seen = look_;
  const bool is_other = is_new || known.connection != connection;
  if (!is_other && !round_) return;
  ClientDetails details = details_of(session);
  details.since = is_other ? now : known.details.since;
  const bool says_more = is_other || details != known.details;
  known.connection = connection;
  known.details = std::move(details);
  if (says_more && !std::exchange(known.is_due, true)) due_.push_back(session.client_id());
}

void ClientTopics::forget_gone(Instant now) {
  std::erase_if(known_, [&](const auto& one) {
    const bool is_gone = one.second.seen != look_;
    if (is_gone) broker_.publish_status(client_topic(one.first), {}, now);
    return is_gone;
  });
}

void ClientTopics::forget_all(Instant now) {
  ++look_;
  forget_gone(now);
  due_.clear();
  next_due_ = kNever;
}

void ClientTopics::publish_due(Instant now) {
  const StatusMoment moment = sources_.moment(++seq_, now);
  for (std::size_t i = 0; i < kTogetherMax && !due_.empty(); ++i) {
    const auto known = known_.find(due_.front());
    due_.pop_front();
    if (known == known_.end()) continue;  // gone meanwhile
    known->second.is_due = false;
    broker_.publish_status(client_topic(known->first), client_json(known->second.details, moment), now);
  }
  next_due_ = due_.empty() ? kNever : now + kApart;
}

}  // namespace furrow::gateway
