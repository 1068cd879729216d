#include "bridge/lane.h"

#include <algorithm>

namespace furrow::bridge {

using broker::DropReason;
using broker::Outbox;
using mqtt::Qos;

// --- what may leave ---

// The outbox knows the message's own expiry; a rule's lies over it, at the place where the rule is known.
void Lane::drop_outdated(std::size_t room, Instant now) {
  if (!rules_.expires()) return;
  outbox_.expire_if([&](const Outbox::Entry& entry) { return is_outdated(entry, now); }, room, now);
}

bool Lane::is_outdated(const Outbox::Entry& entry, Instant now) const {
  if (entry.sequence <= restored_) return false;
  const auto mapping = rules_.map().up(entry.message->topic());
  if (!mapping) return false;
  const Duration limit = rules_.map().rule(*mapping).expire_after;
  return limit > Duration::zero() && now - entry.message->received() > limit;
}

bool Lane::thin(std::size_t room, Instant now) {
  if (!rules_.thins() && thinning_.next_due() == kNever) return false;
  release_held(now);
  drop_superseded(now);
  if (outbox_.next_waiting(now) == nullptr) return false;
  if (rules_.keeps_latest()) {
    note_latest_waiting();
    drop_superseded(now);
  }
  note_waiting(now);
  drop_replaced(now);
  const Sequence judged = std::exchange(judged_, judge_waiting(room, now));
  release_held(now);  // what has made way leaves before what it made way for
  return judged_ > judged;
}

bool Lane::crosses(broker::Publication& publication, const Rule& rule, bool retain) {
  if (!rule.thinning.any()) return true;
  const Instant now = publication.now();
  const Thinning::Value value{.topic = publication.fields().topic,
                              .payload = publication.fields().payload,
                              .received = now,
                              .retain = retain && rule.retain_keep,
                              .sequence = {}};
  thinning_.note(value, now);
  const Thinning::Verdict verdict = thinning_.judge(value, rule.thinning, now);
  if (verdict == Thinning::Verdict::Held) thinning_.keep(value.topic, publication.message());
  if (verdict == Thinning::Verdict::Dropped) pass(Outbox::Outcome::Dropped, now, DropReason::Thinned);
  drop_replaced(now);
  release_held(now);
  if (outbox_.has_waiting()) outbox_.wake_owner(now);
  return verdict == Thinning::Verdict::Crosses;
}

std::optional<Lane::Thinned> Lane::thinned(const Outbox::Entry& entry) const {
  const auto mapping = rules_.map().up(entry.message->topic());
  if (!mapping || !rules_.map().rule(*mapping).thinning.any()) return std::nullopt;
  const Rule& rule = rules_.map().rule(*mapping);
  return Thinned{.value = {.topic = entry.message->topic(),
                           .payload = entry.message->payload(),
                           .received = entry.message->received(),
                           .retain = entry.retain && rule.retain_keep,
                           .sequence = entry.sequence},
                 .terms = rule.thinning};
}

// Each message is noted once, when it is in memory before those on disk.
void Lane::note_waiting(Instant now) {
  const Sequence first{noted_.value + 1};
  outbox_.contents().for_each_between(first, outbox_.next_sequence(), [&](const Outbox::Entry& entry) {
    noted_ = entry.sequence;
    if (const auto one = thinned(entry)) thinning_.note(one->value, now);
  });
}

Sequence Lane::judge_waiting(std::size_t room, Instant now) {
  Sequence judged;
  std::vector<Sequence> held;
  const Ring<Outbox::Entry>& front = outbox_.contents().front();
  for (std::size_t i = outbox_.contents().send_index(); i < front.size(); ++i) {
    const Outbox::Entry& entry = front[i];
    if (entry.state != broker::PagedQueue::State::Waiting) continue;
    if (room == 0 && entry.qos != Qos::AtMostOnce) break;
    const auto one = thinned(entry);
    const auto verdict = one ? thinning_.judge(one->value, one->terms, now) : Thinning::Verdict::Crosses;
    if (verdict != Thinning::Verdict::Crosses) {
      held.push_back(entry.sequence);
    } else if (must_wait(entry, now)) {
      break;
    } else if (entry.qos != Qos::AtMostOnce) {
      --room;
    }
    judged = entry.sequence;
  }
  for (const Sequence sequence : held) outbox_.hold(sequence);
  held_ += held.size();
  drop_replaced(now);
  return judged;
}

// At QoS 2 a message that has left is sent again before all others after a crash: what gave way to it must be off the
// disk, or it would come behind it and stand for the topic. Otherwise the newer one follows again.
bool Lane::must_wait(const Outbox::Entry& entry, Instant now) {
  if (entry.qos != Qos::ExactlyOnce || journal_.condition().failing()) return false;
  const bool waits = thinning_.has_replaced_by(entry.sequence) ||
                     std::ranges::find(superseded_, entry.sequence, &Superseded::by) != superseded_.end();
  if (waits) outbox_.hasten(entry.sequence, now);
  return waits;
}

// --- what does not cross ---

void Lane::drop_replaced(Instant now) {
  while (const auto one = thinning_.poll_replaced()) {
    if (one->held.sequence) {
      superseded_.push_back({one->held.sequence, one->by, DropReason::Thinned});
    } else {
      pass(Outbox::Outcome::Dropped, now, DropReason::Thinned);
    }
  }
  drop_superseded(now);
}

void Lane::drop_superseded(Instant now) {
  bool is_awaited = false;
  const auto drop = [&](Superseded& one) {
    if (one.dropped || !outbox_.is_safe(one.by)) return false;
    --held_;
    outbox_.settle(one.sequence, Outbox::Outcome::Dropped, now, one.reason);
    const Outbox::Entry* const by = outbox_.find(one.by);
    one.dropped = by != nullptr && by->qos == Qos::ExactlyOnce;
    is_awaited = is_awaited || one.dropped;
    return !one.dropped;
  };
  while (std::erase_if(superseded_, drop) > 0) {  // again: some stand for each other
  }
  if (is_awaited) {
    const BatchNumber batch = outbox_.write_settled();
    for (Superseded& one : superseded_) {
      if (one.dropped && !one.written) one.written = batch;
    }
  }
  std::erase_if(superseded_, [&](const Superseded& one) { return one.dropped && journal_.is_durable(one.written); });
  if (!superseded_.empty()) owner_.await_store();
}

// --- only the latest ---

bool Lane::keeps_latest(const Outbox::Entry& entry) const {
  const auto mapping = rules_.map().up(entry.message->topic());
  return mapping && rules_.map().rule(*mapping).keep_latest;
}

void Lane::note_latest(Instant now) {
  const Outbox::Entry* const entry = outbox_.find(outbox_.last_sequence());
  if (entry == nullptr || entry->state != broker::PagedQueue::State::Waiting) return;
  note_latest(*entry);
  drop_superseded(now);
}

// Of those before the gap alone: what lies behind it is looked at once it was read.
void Lane::note_latest_waiting() {
  std::vector<Sequence> waiting;
  const Sequence first{latest_noted_.value + 1};
  outbox_.contents().for_each_between(first, outbox_.next_sequence(), [&](const Outbox::Entry& entry) {
    latest_noted_ = entry.sequence;
    const bool waits = entry.state == broker::PagedQueue::State::Waiting;
    if (waits && keeps_latest(entry)) waiting.push_back(entry.sequence);
  });
  for (const Sequence sequence : waiting) {
    const Outbox::Entry* const entry = outbox_.find(sequence);
    if (entry->state == broker::PagedQueue::State::Waiting) note_latest(*entry);
  }
}

// What the far side retains gives way to what it retains, too.
void Lane::note_latest(const Outbox::Entry& entry) {
  const Latest that{entry.sequence, entry.retain};
  const std::string topic(entry.message->topic());
  if (latest_.size() >= kLatestMax && !latest_.contains(topic)) return;
  Latest& latest = latest_[topic];
  if (latest.sequence > that.sequence) {
    if (latest.retain || !that.retain) supersede(that.sequence, latest.sequence, DropReason::Replaced);
    return;
  }
  const Latest older = std::exchange(latest, that);
  if (older.sequence == that.sequence || (older.retain && !that.retain)) return;
  const Outbox::Entry* const old = outbox_.find(older.sequence);
  const bool waits = old != nullptr && old->state == broker::PagedQueue::State::Waiting;
  if (waits) supersede(older.sequence, that.sequence, DropReason::Replaced);
}

void Lane::supersede(Sequence older, Sequence by, DropReason reason) {
  const Ring<Outbox::Entry>& front = outbox_.contents().front();
  if (front.empty() || older > front.back().sequence) return;  // later, when it is before what waits on disk
  outbox_.hold(older);
  ++held_;
  superseded_.push_back({older, by, reason});
}

// --- what is held ---

void Lane::release_held(Instant now) {
  while (const auto held = thinning_.poll_due(now)) {
    if (held->sequence) {
      --held_;
      outbox_.give_back(held->sequence);
    } else {
      owner_.send_released(*this, *held, now);
    }
  }
}

void Lane::handle_rules_changed() {
  thinning_.release_all();
  latest_.clear();
  latest_noted_ = {};
  judged_ = {};
}

void Lane::hand_over(Sequence sequence, Instant now) {
  if (outbox_.find(sequence) == nullptr) return;  // purged meanwhile
  --held_;
  outbox_.settle(sequence, Outbox::Outcome::HandedOver, now);
  (void)outbox_.write_settled();
}

void Lane::purge(Instant now) {
  outbox_.drop_all(DropReason::Purged, now);
  for (std::size_t i = thinning_.give_up().size(); i > 0; --i) pass(Outbox::Outcome::Dropped, now, DropReason::Purged);
  superseded_.clear();
  held_ = 0;
}

}  // namespace furrow::bridge
