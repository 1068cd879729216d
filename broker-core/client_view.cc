#include "broker-core/client_view.h"

#include "broker-core/connection.h"
#include "broker-core/session/session.h"

namespace furrow::broker {

namespace {

ClientView::Network network_of(const Connection& connection) {
  return {.peer = connection.peer(),
          .version = connection.version(),
          .last_heard = connection.last_received(),
          .paced = connection.paced()};
}

}  // namespace

std::string_view version_text(mqtt::Version version) {
  switch (version) {
    case mqtt::Version::V3_1:
      return "3.1";
    case mqtt::Version::V3_1_1:
      return "3.1.1";
    case mqtt::Version::V5:
      break;
  }
  return "5";
}

ClientView view_of(const Session& session, const ClockStamp& now) {
  const SessionRecord& record = session.record();
  const Identity& identity = session.identity();
  ClientView view{.client_id = session.client_id(), .listener = identity.listener};
  if (identity.user) view.user = &*identity.user;
  view.subscriptions = record.subscriptions.size();
  view.inflight = session.inflight_count();
  if (const Outbox* const outbox = session.outbox()) {
    view.queue_messages = outbox->messages();
    view.queue_bytes = outbox->bytes();
    view.dropped = outbox->dropped();
  }
  if (const Connection* const connection = session.connection()) {
    view.network = network_of(*connection);
    view.since = connection->since();
    view.dropped += connection->dropped_qos0();
  } else if (record.disconnected != nullptr) {
    view.since = now.monotonic - elapsed(*record.disconnected, now);
    view.expires = expiry_of(record, view.since);
  }
  return view;
}

}  // namespace furrow::broker
