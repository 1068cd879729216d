#include "bridge/far_session.h"

#include <algorithm>
#include <string_view>

#include "broker-core/base/varint.h"
#include "broker-core/session/session_record.h"

namespace furrow::bridge {

using broker::ExchangeRow;

namespace {

// Neither is the first byte of the record of a session.
constexpr std::uint8_t kOldBroker = 2;
constexpr std::uint8_t kNumbers = 4;
// Numbers are counted up: none comes near this.
constexpr std::uint64_t kNumbersMax = std::uint64_t{1} << 62U;
constexpr std::uint64_t kLacksBridgeBit = 1;
constexpr std::uint8_t kOffered = 5;
constexpr std::uint64_t kOfferedMax = 10'000;  // rules; a damaged row may claim any number

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

void put_offered(ByteBuffer& out, const std::vector<std::uint64_t>& offered) {
  out.push_back(kOffered);
  put_varint(out, offered.size());
  for (const std::uint64_t hash : offered) put_varint(out, hash);
}

// As take_old_broker().
std::vector<std::uint64_t> take_offered(ByteView& in) {
  if (in.empty() || in.front() != kOffered) return {};
  in = in.subspan(1);
  std::uint64_t count = 0;
  if (!take_varint(in, count) || count > kOfferedMax) return {};
  std::vector<std::uint64_t> offered(count);
  for (std::uint64_t& hash : offered) {
    if (!take_varint(in, hash)) return {};
  }
  return offered;
}

Sequence take_numbers(ByteView& in) {
  if (in.empty() || in.front() != kNumbers) return {};
  in = in.subspan(1);
  std::uint64_t end = 0;
  if (!take_varint(in, end) || end > kNumbersMax) return {};
  return Sequence{end};
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
  offered_ = take_offered(bytes);
  numbers_end_ = take_numbers(bytes);
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

bool FarSession::was_offered(const Rule& rule) const {
  return std::ranges::find(offered_, rule.names_hash()) != offered_.end();
}

void FarSession::note_offered(const std::vector<Rule>& rules, Instant now) {
  std::vector<std::uint64_t> hashes;
  for (const Rule& rule : rules) {
    if (rule.goes_up() && rule.retain_keep && hashes.size() < kOfferedMax) hashes.push_back(rule.names_hash());
  }
  if (hashes == offered_) return;
  offered_ = std::move(hashes);
  journal_.put_lazy(session_row(), now);
}

void FarSession::forget_offered() {
  if (offered_.empty()) return;
  offered_.clear();
  (void)journal_.put(session_row());
}

BatchNumber FarSession::reserve_numbers(Sequence end) {
  numbers_end_ = end;
  return journal_.put(session_row());
}

broker::SessionRow FarSession::session_row() const {
  broker::SessionRecord record;
  record.queue = queue_;
  record.subscriptions = subscriptions_.record();
  const bool is_empty = record.subscriptions.empty() && !old_broker_ && offered_.empty() && !numbers_end_;
  if (is_empty) return {key_, std::nullopt};
  ByteBuffer row;
  if (old_broker_) put_old_broker(row, *old_broker_);
  if (!offered_.empty()) put_offered(row, offered_);
  if (numbers_end_) {
    row.push_back(kNumbers);
    put_varint(row, numbers_end_.value);
  }
  row.append(encode(record));
  return {key_, broker::Bytes(row.view().begin(), row.view().end())};
}

bool FarSession::poll_change() {
  const bool broker_changed = std::exchange(old_broker_changed_, false);
  return subscriptions_.poll_change() || broker_changed;
}

void FarSession::store() {
  if (poll_change()) stored_in_ = journal_.put(session_row());
}

void FarSession::store_lazily(Instant now) {
  if (poll_change()) journal_.put_lazy(session_row(), now);
}

}  // namespace furrow::bridge
