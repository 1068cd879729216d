// A queue of a bridge's buffer: messages that leave in the order in which they came, with books of their own, and what
// thinning has made of those that wait.
//
// What thinning holds or has dropped stays in the outbox, in flight there, until it is given back or settled: so it is
// as safe as the rest. A value that gave way is settled once the one that stands for it is safe: a crash would take
// what is only in memory, and leave nothing of the topic. Thread: loop. Time: passed in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bridge/rule_pace.h"
#include "bridge/rule_set.h"
#include "bridge/thinning.h"
#include "broker-core/publication.h"
#include "broker-core/session/books.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/outbox.h"

namespace furrow::bridge {

class Lane {
 public:
  // The buffer that it is a part of. handle_progress(): more may be sent, as a page was read.
  class Owner : public broker::OutboxOwner {
   public:
    // Calls handle_store_progress() of each lane when the store has answered.
    virtual void await_store() = 0;
    // A message of QoS 0 that was held outside the outbox is to go now; says with pass() what became of it.
    virtual void send_released(Lane& lane, const Thinning::Held& held, Instant now) = 0;

   protected:
    ~Owner() = default;
  };

  // The queue is `cursor.queue`, a new one restored like one that was found empty. All must outlive it.
  Lane(const broker::CursorRow& cursor, Owner& owner, const RuleSet& rules, broker::Journal& journal)
      : owner_(owner),
        rules_(rules),
        journal_(journal),
        outbox_({.limits = {}, .queue = cursor.queue, .owner = &owner, .stores_books = true}, cursor, journal, books_) {
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // The place of the lane among the others, and what that means to its messages.
  struct Place {
    Priority priority = Priority::Normal;
    bool drained = false;      // those of a backlog leave at the pace of the drain; for others nobody would wait
    RulePace* pace = nullptr;  // that of their rule, which must outlive this; nullptr: none

    // Whether they wait for no window, no demand and no drain.
    bool urgent() const { return priority == Priority::High; }
  };
  void set_place(const Place& place) { place_ = place; }
  const Place& place() const { return place_; }
  bool holds_back(Instant now) const { return place_.pace != nullptr && place_.pace->holds_back(now); }

  broker::Outbox& outbox() { return outbox_; }
  const broker::Outbox& outbox() const { return outbox_; }
  const broker::Books& books() const { return books_; }
  // Counts a message that did not come through the outbox.
  void pass(broker::Outbox::Outcome outcome, Instant now, broker::DropReason reason = broker::DropReason::QueueFull) {
    outbox_.pass(outcome, now, reason);
  }

  // --- sending ---
  // Up to here, messages may have been sent before a restart.
  void note_restored(Sequence sequence) { restored_ = std::max(restored_, sequence); }
  // Drops messages that have waited longer than their rules allow, among those that could leave now: `room` of them.
  void drop_outdated(std::size_t room, Instant now);
  // Drops values that rules thin away, and holds those whose time has not come, among those that could leave now:
  // `room` of them. Returns whether more of those that wait may leave than before.
  bool thin(std::size_t room, Instant now);
  // Those that wait up to here may leave.
  Sequence send_last() const { return rules_.thins() ? judged_ : kLastSequence; }
  // Whether a message of QoS 0 that need not wait crosses at once; else it is held, or dropped.
  bool crosses(broker::Publication& publication, const Rule& rule, bool retain);
  // The message that was taken last waits, and is of a rule that keeps the latest: an older one of its topic gives way.
  void note_latest(Instant now);
  // When values that are held leave; then, lets them.
  Instant thinning_due() const { return thinning_.next_due(); }
  void release_held(Instant now);
  // Whether a value of the topic is held in the outbox: what comes must not overtake it.
  bool holds(std::string_view topic) const { return thinning_.holds_queued(topic); }
  // The far side may not have what crossed before.
  void forget_crossed() { thinning_.forget(); }
  // The rules are others.
  void handle_rules_changed();
  // See Owner::await_store().
  void handle_store_progress(Instant now) { drop_superseded(now); }

  // --- what is where ---
  std::uint64_t backlog() const { return outbox_.backlog(); }            // but for what is held
  std::uint64_t held() const { return held_; }                           // in flight in the outbox, and of no window
  std::uint64_t inflight() const { return outbox_.inflight() - held_; }  // of QoS 1 and 2
  // Drops all of it, counted as `purged`.
  void purge(Instant now);

  // --- quarantine ---
  // A message in flight, of no window, is held here until hand_over() settles it: another queue has it then.
  void set_aside() { ++held_; }
  void hand_over(Sequence sequence, Instant now);

 private:
  // How thinning sees a message, and the terms of its rule; nothing where that thins nothing.
  struct Thinned {
    Thinning::Value value;
    const ThinningTerms& terms;
  };
  std::optional<Thinned> thinned(const broker::Outbox::Entry& entry) const;
  bool is_outdated(const broker::Outbox::Entry& entry, Instant now) const;
  bool keeps_latest(const broker::Outbox::Entry& entry) const;
  void note_latest(const broker::Outbox::Entry& entry);
  void note_latest_waiting();
  void supersede(Sequence older, Sequence by, broker::DropReason reason);
  void note_waiting(Instant now);
  // Returns the last that was judged.
  Sequence judge_waiting(std::size_t room, Instant now);
  void drop_replaced(Instant now);
  void drop_superseded(Instant now);
  bool must_wait(const broker::Outbox::Entry& entry, Instant now);

  // Constant after construction.
  Owner& owner_;
  const RuleSet& rules_;
  broker::Journal& journal_;

  Place place_;
  broker::Books books_;
  broker::Outbox outbox_;
  Sequence restored_;

  Thinning thinning_;
  Sequence noted_;          // the messages up to here were noted by it
  Sequence judged_;         // and those up to here judged, of those that wait
  std::uint64_t held_ = 0;  // messages of the outbox that it holds, or has dropped, and those that are set aside
  // Those that it has dropped: each goes once the one that stands for it is safe.
  struct Superseded {
    Sequence sequence;
    Sequence by;
    broker::DropReason reason;
    bool dropped = false;      // it has gone, which the other one waits for
    BatchNumber written = {};  // says so
  };
  std::vector<Superseded> superseded_;

  // Of rules that keep the latest: the newest message of each topic that waits, or has waited. A topic that has no
  // room here keeps all.
  static constexpr std::size_t kLatestMax = 10'000;
  struct Latest {
    Sequence sequence;
    bool retain = false;
  };
  std::unordered_map<std::string, Latest> latest_;
  Sequence latest_noted_;  // the messages up to here were noted there, once they were in memory before those on disk
};

}  // namespace furrow::bridge
