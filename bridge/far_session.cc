#include "bridge/far_session.h"

#include "broker-core/base/varint.h"
#include "broker-core/session/session_record.h"

namespace furrow::bridge {

using broker::ExchangeRow;

namespace {

// Not the first byte of a session's record.
constexpr std::uint8_t kOldBroker = 2;
constexpr std::uint64_t kLacksBridgeBit = 1;

void put_old_broker(ByteBuffer& out, const FarSession::OldBroker& broker) {
  out.push_back(kOldBroker);
  put_varint(out, broker.lacks_bridge_bit ? kLacksBridgeBit : 0);
  put_bytes(out, as_bytes(broker.remote));
}

// Takes it off the front of `in`, if there is one; of a damaged one nothing.
std::optional<FarSession::OldBroker> take_old_broker(ByteView& in) {
  if (in.empty() || in.front() != kOldBroker) return std::nullopt;
  in = in.subspan(1);
  std::uint64_t flags = 0;
  ByteView remote;
  if (!take_varint(in, flags) || flags > kLacksBridgeBit || !take_bytes(in, remote)) return std::nullopt;
  return FarSession::OldBroker{std::string(as_text(remote)), (flags & kLacksBridgeBit) != 0};
}

}  // namespace

FarSession::FarSession(const std::string& name, QueueId queue, std::span<const ExchangeRow> exchanges,
                       const std::optional<broker::Bytes>& stored, broker::Journal& journal)
    : key_(broker::far_session_key(name)), queue_(queue), journal_(journal) {
  for (const ExchangeRow& exchange : exchanges) {
    if (exchange.direction == ExchangeRow::Direction::Inbound) received_.insert(exchange.packet_id);
  }
  if (stored) restore(*stored);
}

void FarSession::restore(const broker::Bytes& stored) {
  ByteView bytes = stored;
  old_broker_ = take_old_broker(bytes);
  if (const auto record = broker::decode_session(key_, bytes)) subscriptions_.restore(record->subscriptions);
}

void FarSession::rename(const std::string& name) {
  (void)journal_.put(broker::SessionRow{key_, std::nullopt});
  key_ = broker::far_session_key(name);
  (void)journal_.put(session_row());
}

void FarSession::adopt(const broker::Bytes& stored, const std::string& former) {
  restore(stored);
  (void)journal_.put(broker::SessionRow{broker::far_session_key(former), std::nullopt});
  (void)journal_.put(session_row());
}

ExchangeRow FarSession::row(PacketId packet_id, State state) const {
  return {queue_, ExchangeRow::Direction::Inbound, packet_id, state, {}};
}

void FarSession::forget(PacketId packet_id) {
  received_.erase(packet_id);
  forgotten_in_ = journal_.put(row(packet_id, State::Erased));
}

void FarSession::forget_lost(std::unordered_set<PacketId> lost) {
  journal_.release_identifiers(queue_, lost);
  for (const PacketId id : lost) forget(id);
}

void FarSession::set_old_broker(std::optional<OldBroker> broker) {
  if (broker == old_broker_) return;
  old_broker_ = std::move(broker);
  old_broker_changed_ = true;
}

void FarSession::store_old_broker_lazily(Instant now) {
  if (std::exchange(old_broker_changed_, false)) journal_.put_lazy(session_row(), now);
}

broker::SessionRow FarSession::session_row() const {
  broker::SessionRecord record;
  record.queue = queue_;
  record.subscriptions = subscriptions_.record();
  if (record.subscriptions.empty() && !old_broker_) return {key_, std::nullopt};
  ByteBuffer row;
  if (old_broker_) put_old_broker(row, *old_broker_);
  row.append(encode(record));
  return {key_, broker::Bytes(row.view().begin(), row.view().end())};
}

bool FarSession::poll_change() {
  const bool broker_changed = std::exchange(old_broker_changed_, false);
  return subscriptions_.poll_change() || broker_changed;
}

void FarSession::store() {
  if (poll_change()) (void)journal_.put(session_row());
}

void FarSession::store_lazily(Instant now) {
  if (poll_change()) journal_.put_lazy(session_row(), now);
}

}  // namespace furrow::bridge
