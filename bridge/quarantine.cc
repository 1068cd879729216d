#include "bridge/quarantine.h"

#include <algorithm>
#include <string_view>

namespace furrow::bridge {

using broker::DropReason;
using broker::Outbox;

namespace {

// Whoever looks at them has seen enough by then, and the disk is for those that can be delivered. The last one may be
// larger than what is left: it is not dropped.
constexpr std::uint64_t kMessagesMax = 1'000;
constexpr std::uint64_t kBytesMax = 64 * MiB;
// What stands before the name of the bridge in the store.
constexpr std::string_view kName = "quarantine/";

// Has `push` take the message into an outbox, as what must be written.
template <typename Push>
void store_copy(broker::Journal& journal, const broker::MessageRef& message, Push push) {
  broker::Commitment* commitment = nullptr;
  push([&]() -> broker::Commitment& {
    commitment = &journal.open(message);
    return *commitment;
  });
  if (commitment != nullptr) journal.seal(*commitment, {}, mqtt::ReasonCode::Success);
}

}  // namespace

Quarantine::Quarantine(const std::string& bridge, const Found& found, Lane::Owner& owner, const RuleSet& rules,
                       Lanes& lanes, broker::Broker& broker)
    : bridge_(bridge), owner_(owner), rules_(rules), lanes_(lanes), broker_(broker) {
  const auto queue = std::ranges::find_if(
      found.lanes, [](const broker::RestoredQueue& one) { return one.row.name.starts_with(kName); });
  if (queue != found.lanes.end()) make(queue->cursor);
}

void Quarantine::make(const broker::CursorRow& cursor) {
  outbox_ = std::make_unique<Outbox>(
      Outbox::Options{.limits = {}, .queue = cursor.queue, .owner = this, .stores_books = true}, cursor,
      broker_.journal(), books_);
}

void Quarantine::store_row() {
  (void)broker_.journal().put(
      broker::QueueRow{outbox_->queue(), broker::QueueKind::Lane, std::string(kName) + bridge_});
}

void Quarantine::rename(const std::string& bridge) {
  bridge_ = bridge;
  if (outbox_) store_row();
}

// --- in ---

bool Quarantine::has_place() const {
  return !outbox_ || (outbox_->messages() < kMessagesMax && outbox_->bytes() < kBytesMax);
}

void Quarantine::take(Lane& lane, Sequence sequence, Instant now) {
  if (!outbox_) {
    make(broker::empty_queue(broker_.new_queue()));
    store_row();
  }
  const Outbox::Entry& entry = *lane.outbox().find(sequence);
  const broker::MessageRef message = entry.message;
  store_copy(broker_.journal(), message, [&](auto commitment) {
    outbox_->push(message, {entry.qos, entry.retain, {}}, Duration::zero(), now, commitment);
  });
  outbox_->hasten(outbox_->last_sequence(), now);
  lane.set_aside();
  moves_.push_back({Move::To::Quarantine, &lane, sequence, outbox_->last_sequence()});
  end_moves(now);
}

// --- back ---

void Quarantine::replay(Instant now) {
  is_replaying_ = outbox_ && outbox_->has_waiting();
  give_back_waiting(now);
}

// A page was read.
void Quarantine::handle_progress(Instant now) {
  give_back_waiting(now);
}

void Quarantine::give_back_waiting(Instant now) {
  if (!is_replaying_) return;
  while (const Outbox::Entry* const entry = outbox_->next_waiting(now)) {
    if (!lanes_.has_place(entry->message->bytes_size())) {
      is_replaying_ = false;
      break;
    }
    give_back(outbox_->take(), now);
  }
  is_replaying_ = is_replaying_ && outbox_->has_waiting();
  end_moves(now);
  owner_.handle_progress(now);
}

void Quarantine::give_back(const Outbox::Entry& entry, Instant now) {
  const broker::MessageRef message = entry.message;
  const Sequence sequence = entry.sequence;
  const auto mapping = rules_.map().up(message->topic());
  Lane& lane = mapping ? lanes_.of(mapping->rule, false) : lanes_.normal();
  store_copy(broker_.journal(), message, [&](auto commitment) {
    lanes_.push(lane, message, {entry.qos, entry.retain, {}}, Duration::zero(), now, commitment);
  });
  lane.outbox().hasten(lane.outbox().last_sequence(), now);
  moves_.push_back({Move::To::Lane, &lane, lane.outbox().last_sequence(), sequence});
}

// --- both ---

void Quarantine::end_moves(Instant now) {
  std::erase_if(moves_, [&](const Move& move) { return end(move, now); });
  if (!moves_.empty()) owner_.await_store();
}

bool Quarantine::end(const Move& move, Instant now) {
  if (move.to == Move::To::Quarantine) {
    if (!outbox_->is_safe(move.in_quarantine)) return false;
    move.lane->hand_over(move.in_lane, now);
  } else {
    if (!move.lane->outbox().is_safe(move.in_lane)) return false;
    outbox_->settle(move.in_quarantine, Outbox::Outcome::HandedOver, now);
    (void)outbox_->write_settled();
  }
  return true;
}

void Quarantine::purge(Instant now) {
  if (!outbox_) return;
  is_replaying_ = false;
  outbox_->drop_all(DropReason::Purged, now);
}

// --- what is where ---

std::uint64_t Quarantine::messages() const {
  return outbox_ ? outbox_->messages() - std::min<std::uint64_t>(moves_.size(), outbox_->messages()) : 0;
}

void Quarantine::add_to(broker::Books& books) const {
  broker::Books here = books_;
  here.accepted -= outbox_ ? outbox_->messages() - messages() : 0;
  here.quarantined = messages();
  books += here;
}

}  // namespace furrow::bridge
