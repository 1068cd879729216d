#include "tests/sim/mutation.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker-core/base/varint.h"
#include "broker-core/session/segment.h"
#include "broker-core/session/session_record.h"

namespace furrow::sim {

namespace {

using broker::ExchangeRow;
using Direction = ExchangeRow::Direction;
using State = ExchangeRow::State;

constexpr std::array<std::string_view, kMutations> kNames = {
    "none",
    "ack-before-commit",
    "delete-before-send",
    "cursor-before-segment",
    "packet-id-not-stored",
    "pubrel-before-pubrec-stored",
    "window-off-by-one",
    "watermark-one-too-high",
    "drop-not-counted",
    "expiry-by-wall-clock",
    "order-lost-on-reload",
    "retained-not-committed",
    "dedupe-forgotten",
    "deletion-not-committed",
    "will-not-stored",
    "will-after-disconnect",
    "will-despite-return",
    "qos0-lost",
    "qos0-repeated",
    "queue-removal-not-committed",
    "reading-not-paused",
    "lease-not-stored",
    "holes-not-stored",
    "passing-will-not-stored",
    "will-lost-at-stop",
    "will-despite-restart",
    "identifiers-erased-lazily",
    "replay-forgotten",
    "cursor-beyond-stored",
    "newest-lost",
    "numbers-not-stored",
    "lane-not-stored",
    "quarantine-not-stored",
    "wants-not-stored",
    "heard-not-stored",
};

bool is_quarantine(const broker::QueueRow& row) {
  return row.kind == broker::QueueKind::Lane && row.name.starts_with("quarantine/");
}

// Nobody knows any more what the queue was for.
void hide(broker::QueueRow& row) {
  row.name.replace(0, row.name.find('/'), "none");
}

// How seldom what is erased without haste is erased.
constexpr std::uint64_t kLazyBatches = 50;

// How many messages up to `end` the cursor has left.
std::uint64_t left_until(const broker::CursorRow& cursor, Sequence end) {
  std::uint64_t left = end.value - cursor.settled.value;
  ByteView holes(cursor.holes);
  std::uint64_t distance = 0;
  std::uint64_t count = 0;
  for (std::uint64_t at = cursor.settled.value + 1; take_varint(holes, distance) && take_varint(holes, count);) {
    at += distance;
    for (std::uint64_t i = 0; i < count; ++i, ++at) left -= at <= end.value ? 1 : 0;
  }
  return left;
}

// The messages that a segment has for one queue, in the wrong order under the right sequences.
broker::SegmentRow reversed(const broker::SegmentRow& row, QueueId queue, const ClockStamp& now) {
  broker::SegmentReader reader(row.directory, row.records, queue, now);
  std::vector<broker::SegmentReader::Record> records;
  for (broker::SegmentReader::Record record; reader.next(Sequence{1}, record); record = {}) records.push_back(record);
  broker::SegmentWriter writer(now);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const broker::SegmentReader::Record& wrong = records[records.size() - 1 - i];
    writer.add_message(*wrong.message, 1);
    writer.add_delivery(queue, records[i].sequence, {wrong.qos, wrong.retain, wrong.subscription_ids});
  }
  return records.empty() ? row : writer.finish(row.id);
}

broker::Bytes without_will(std::string_view client_id, const broker::Bytes& data) {
  std::vector<std::uint32_t> unsent;
  broker::Identity owner;
  std::optional<broker::SessionRecord> record = broker::decode_session(client_id, data, &unsent, &owner);
  if (!record) return data;
  record->will.reset();
  return encode(*record, owner, unsent);
}

broker::Bytes without_replays(std::string_view client_id, const broker::Bytes& data) {
  broker::Identity owner;
  const std::optional<broker::SessionRecord> record = broker::decode_session(client_id, data, nullptr, &owner);
  return record ? encode(*record, owner) : data;
}

// The row of a session at a far broker (bridge/far_session.h) without the part that begins with `left_out`, or, for 0,
// without subscriptions.
broker::Bytes far_row_without(std::uint8_t left_out, std::string_view client_id, const broker::Bytes& data) {
  broker::Bytes changed;
  ByteView rest = data;
  while (!rest.empty()) {
    const std::uint8_t what = rest.front();
    if (what != 2 && what != 4 && what != 5) break;
    const ByteView part = rest;
    rest = rest.subspan(1);
    std::uint64_t number = 0;
    ByteView text;
    if (!take_varint(rest, number) || (what == 2 && !take_bytes(rest, text))) return data;
    for (std::uint64_t hashes = what == 5 ? number : 0; hashes > 0; --hashes) {
      if (!take_varint(rest, number)) return data;
    }
    const ByteView kept = part.first(part.size() - rest.size());
    if (what != left_out) changed.insert(changed.end(), kept.begin(), kept.end());
  }
  std::optional<broker::SessionRecord> record = broker::decode_session(client_id, rest);
  if (!record) return data;
  if (left_out == 0) record->subscriptions.clear();
  const broker::Bytes end = encode(*record);
  changed.insert(changed.end(), end.begin(), end.end());
  return changed;
}

// Whether the row is of a client that leaves no session.
bool is_will_alone(const broker::SessionRow& row) {
  if (!row.data) return false;
  const auto record = broker::decode_session(row.client_id, *row.data);
  return record && !record->queue;
}

}  // namespace

std::string_view name(Mutation mutation) {
  return kNames[static_cast<std::size_t>(mutation)];
}

std::optional<Mutation> mutation_from(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Mutation>(found - kNames.begin());
}

void Mutator::change(broker::Batch& batch) {
  switch (mutation_) {
    case Mutation::HeardNotStored:
      batch.heard.clear();
      break;
    case Mutation::DeleteBeforeSend:
      for (broker::CursorRow& cursor : batch.cursors) {
        const Sequence read = handed_out_[cursor.queue];
        if (read <= cursor.settled) continue;
        cursor.messages -= std::min(cursor.messages, left_until(cursor, read));
        cursor.settled = read;
        cursor.holes.clear();
      }
      break;
    case Mutation::CursorBeforeSegment:
      std::swap(held_segments_, batch.segments);
      break;
    case Mutation::PacketIdNotStored:
      std::erase_if(batch.exchanges, [](const ExchangeRow& row) {
        return row.direction == Direction::Outbound && row.state == State::Published;
      });
      break;
    case Mutation::PubrelBeforePubrecStored: {
      std::vector<ExchangeRow> rows = std::exchange(held_exchanges_, {});
      for (const ExchangeRow& row : batch.exchanges) {
        const bool held = row.direction == Direction::Outbound && row.state == State::Released;
        (held ? held_exchanges_ : rows).push_back(row);
      }
      batch.exchanges = std::move(rows);
      break;
    }
    case Mutation::IdentifiersErasedLazily:
      hold_erasures(batch);
      break;
    case Mutation::RetainedNotCommitted:
      batch.retained.clear();
      break;
    case Mutation::DedupeForgotten:
      std::erase_if(batch.exchanges, [](const ExchangeRow& row) {
        return row.direction == Direction::Inbound && row.state == State::Published;
      });
      break;
    case Mutation::DeletionNotCommitted:
      std::erase_if(batch.retained, [](const broker::RetainedRow& row) { return !row.data; });
      break;
    case Mutation::QueueRemovalNotCommitted:
      batch.queues_removed.clear();
      break;
    case Mutation::LeaseNotStored:
      std::erase_if(batch.exchanges, [](const ExchangeRow& row) {
        return row.direction == Direction::Outbound && row.state != State::Erased && row.outbox != row.queue;
      });
      break;
    case Mutation::HolesNotStored:
      for (broker::CursorRow& cursor : batch.cursors) {
        if (cursor.holes.empty()) continue;
        cursor.messages = cursor.next.value - 1 - cursor.settled.value;
        cursor.holes.clear();
      }
      break;
    case Mutation::CursorBeyondStored:
      reach_beyond_stored(batch);
      break;
    case Mutation::NumbersNotStored:
    case Mutation::WantsNotStored: {
      const std::uint8_t left_out = mutation_ == Mutation::NumbersNotStored ? 4 : 0;
      for (broker::SessionRow& row : batch.sessions) {
        if (!row.data || !broker::is_far_session(row.client_id)) continue;
        row.data = far_row_without(left_out, row.client_id, *row.data);
      }
      break;
    }
    case Mutation::LaneNotStored:
      for (broker::QueueRow& row : batch.queues_created) {
        if (row.kind == broker::QueueKind::Lane && !is_quarantine(row)) hide(row);
      }
      break;
    case Mutation::QuarantineNotStored:
      for (broker::QueueRow& row : batch.queues_created) {
        if (is_quarantine(row)) hide(row);
      }
      break;
    case Mutation::PassingWillNotStored:
      std::erase_if(batch.sessions, is_will_alone);
      break;
    case Mutation::WillLostAtStop:
      if (!stopping_) break;
      [[fallthrough]];
    case Mutation::WillNotStored:
      for (broker::SessionRow& row : batch.sessions) {
        if (row.data) row.data = without_will(row.client_id, *row.data);
      }
      break;
    case Mutation::ReplayForgotten:
      for (broker::SessionRow& row : batch.sessions) {
        if (row.data) row.data = without_replays(row.client_id, *row.data);
      }
      break;
    default:
      break;
  }
}

// An identifier that is used again has its new row, and is not erased any more.
void Mutator::hold_erasures(broker::Batch& batch) {
  const auto holds = [](const ExchangeRow& row) {
    return row.direction == Direction::Inbound && row.state == State::Erased;
  };
  for (const ExchangeRow& row : batch.exchanges) {
    std::erase_if(held_exchanges_, [&](const ExchangeRow& held) {
      return held.direction == row.direction && held.queue == row.queue && held.packet_id == row.packet_id;
    });
    if (holds(row)) held_exchanges_.push_back(row);
  }
  std::erase_if(batch.exchanges, holds);
  if (++batches_ % kLazyBatches != 0) return;
  std::ranges::move(std::exchange(held_exchanges_, {}), std::back_inserter(batch.exchanges));
}

// An exchange may be stored before its message, while a full disk takes rows alone: the cursor then tells of the
// message as if it were there.
void Mutator::reach_beyond_stored(broker::Batch& batch) {
  for (const ExchangeRow& row : batch.exchanges) {
    if (row.direction != Direction::Outbound || row.state == State::Erased) continue;
    Sequence& last = leased_[row.outbox];
    last = std::max(last, row.sequence);
  }
  for (broker::CursorRow& cursor : batch.cursors) {
    cursor.next = std::max(cursor.next, Sequence{leased_[cursor.queue].value + 1});
  }
}

void Mutator::change(broker::Page& page, const ClockStamp& now) const {
  if (mutation_ != Mutation::OrderLostOnReload) return;
  for (broker::SegmentRow& row : page.segments) row = reversed(row, page.queue, now);
}

void Mutator::note(const broker::Page& page) {
  std::vector<broker::DirectoryEntry> directory;
  for (const broker::SegmentRow& row : page.segments) {
    if (!broker::parse_directory(row.directory, directory)) continue;
    for (const broker::DirectoryEntry& entry : directory) {
      Sequence& last = handed_out_[entry.queue];
      if (entry.queue == page.queue) last = std::max(last, entry.last);
    }
  }
}

BatchNumber Mutator::changed(BatchNumber durable) const {
  return mutation_ == Mutation::WatermarkOneTooHigh ? BatchNumber{durable.value + 1} : durable;
}

void Mutator::change(broker::Restored& restored) const {
  if (mutation_ == Mutation::WillDespiteRestart) {
    for (broker::SessionRow& row : restored.sessions) {
      if (is_will_alone(row)) row.client_id += "-another";
    }
  }
  if (mutation_ != Mutation::DropNotCounted) return;
  for (broker::RestoredQueue& queue : restored.queues) {
    broker::CursorRow& cursor = queue.cursor;
    if (cursor.messages == 0 || !cursor.holes.empty()) continue;
    cursor.settled.value += 1;
    cursor.messages -= 1;
  }
}

void Mutator::change(ClockStamp& stamp) {
  if (mutation_ != Mutation::ExpiryByWallClock) return;
  stamp.boot = ++boots_;
  stamp.trusted = true;
}

std::uint16_t Mutator::changed_receive_maximum(std::uint16_t maximum) const {
  return static_cast<std::uint16_t>(mutation_ == Mutation::WindowOffByOne ? maximum + 1 : maximum);
}

std::uint32_t Mutator::changed_will_delay(std::uint32_t delay_s) const {
  return mutation_ == Mutation::WillDespiteReturn ? 0 : delay_s;
}

mqtt::ReasonCode Mutator::changed_goodbye() const {
  const bool with_will = mutation_ == Mutation::WillAfterDisconnect;
  return with_will ? mqtt::ReasonCode::DisconnectWithWillMessage : mqtt::ReasonCode::NormalDisconnection;
}

unsigned Mutator::copies_of_qos0() {
  if (++qos0_messages_ % 10 != 0) return 1;
  if (mutation_ == Mutation::Qos0Lost) return 0;
  return mutation_ == Mutation::Qos0Repeated ? 2 : 1;
}

void Mutator::crash() {
  stopping_ = false;
  held_segments_.clear();
  held_exchanges_.clear();
  handed_out_.clear();
  leased_.clear();
}

}  // namespace furrow::sim
