#include "bridge/far_session.h"

#include "broker-core/session/session_record.h"

namespace furrow::bridge {

using broker::ExchangeRow;

FarSession::FarSession(const std::string& name, QueueId queue, std::span<const ExchangeRow> exchanges,
                       const std::optional<broker::Bytes>& stored, broker::Journal& journal)
    : key_(broker::far_session_key(name)), queue_(queue), journal_(journal) {
  for (const ExchangeRow& exchange : exchanges) {
    if (exchange.direction == ExchangeRow::Direction::Inbound) received_.insert(exchange.packet_id);
  }
  if (!stored) return;
  if (const auto record = broker::decode_session(key_, *stored)) subscriptions_.restore(record->subscriptions);
}

ExchangeRow FarSession::row(PacketId packet_id, State state) const {
  return {queue_, ExchangeRow::Direction::Inbound, packet_id, state, {}};
}

void FarSession::forget(PacketId packet_id) {
  received_.erase(packet_id);
  forgotten_in_ = journal_.put(row(packet_id, State::Erased));
}

void FarSession::forget_all() {
  while (!received_.empty()) forget(*received_.begin());
}

broker::SessionRow FarSession::record() const {
  broker::SessionRecord record;
  record.queue = queue_;
  record.subscriptions = subscriptions_.record();
  return {key_, record.subscriptions.empty() ? std::nullopt : std::optional(encode(record))};
}

void FarSession::store_subscriptions() {
  if (subscriptions_.poll_change()) (void)journal_.put(record());
}

void FarSession::store_subscriptions_lazily(Instant now) {
  if (subscriptions_.poll_change()) journal_.put_lazy(record(), now);
}

}  // namespace furrow::bridge
