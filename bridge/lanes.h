// The queues of a bridge's buffer: one for each priority, one more for each rule with a pace of its own, and with
// `drain.order: live-first` a second one of each for what comes while a backlog waits there.
//
//   high live, high, normal live, normal, low live, low       in the order of sending; then by rule
//
// Within a lane messages leave in the order in which they came, and a lane that waits for its pace holds up no other.
// One limit of messages and bytes holds for all: where it is reached, and the oldest are to go, those of the lowest
// priority go first, and never one for a message of a lower priority. The lane `normal` is always there; another from
// when rules first want it, for good: one of a rule that is gone becomes that of the next such rule. Thread: loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/found.h"
#include "bridge/lane.h"
#include "bridge/rule_pace.h"
#include "broker-core/broker.h"

namespace furrow::bridge {

class Lanes {
 public:
  // Makes the lanes that the store had, and `normal`. All must outlive it.
  Lanes(const std::string& bridge, const Found& found, Lane::Owner& owner, const RuleSet& rules,
        broker::Broker& broker);

  // The bridge is called `bridge` from now on: so are its queues, with the next batch.
  void rename(const std::string& bridge);
  // Lanes that the rules want are there from now on, those for live messages with `live_first`. To be called before
  // of().
  void handle_rules_changed(bool live_first);
  void set_limits(const broker::OutboxLimits& limits);

  // Messages get no sequences below this one.
  void set_first(Sequence first);

  // The queue whose packet identifiers the bridge has.
  Lane& normal() { return *normal_; }
  const Lane& normal() const { return *normal_; }
  // nullptr: there is none.
  Lane* find(QueueId queue) const;
  // `high.live`, `high`, `normal.live` …
  std::string_view name(const Lane& lane) const;
  // The number of a message for the far side, which no other message of the bridge has: its sequence, in lanes other
  // than `normal` behind the number of its lane.
  std::uint64_t number(QueueId queue, Sequence sequence) const;

  // A connection begins: what waits is the backlog, which live messages pass.
  void begin_backlogs();
  // Messages have left: a backlog that has none any more is over.
  void review_backlogs();
  // That of a message of this rule, which goes up, which comes now. `passes`: it may pass a backlog.
  Lane& of(std::size_t rule, bool passes) const;

  // Whether a message of `bytes` is to be refused: only under WhenFull::Refuse.
  bool refuses(const Lane& lane, std::size_t bytes) const;
  // Whether a message of `bytes` fits without a drop.
  bool has_place(std::size_t bytes) const { return !is_over(bytes); }
  // Accepts a message into the lane, as Outbox::push() does. Where those of a higher priority leave no room, it is
  // dropped.
  template <typename CommitmentOf>
  void push(Lane& lane, broker::MessageRef message, const broker::DeliveryOptions& options, Duration wait, Instant now,
            CommitmentOf&& commitment) {
    if (!make_room(lane, message->bytes_size(), now)) {
      lane.pass(broker::Outbox::Outcome::Dropped, now, broker::DropReason::QueueFull);
      return;
    }
    lane.outbox().push(std::move(message), options, wait, now, std::forward<CommitmentOf>(commitment));
  }

  // In the order of sending.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) visit(*slot.lane);
  }
  template <typename Count>
  std::uint64_t sum(Count count) const {
    std::uint64_t sum = 0;
    for_each([&](const Lane& lane) { sum += count(lane); });
    return sum;
  }
  std::uint64_t messages() const {
    return sum([](const Lane& lane) { return lane.outbox().messages(); });
  }
  std::uint64_t bytes() const {
    return sum([](const Lane& lane) { return lane.outbox().bytes(); });
  }
  // Paces whose time has come hold back nothing any more.
  void review_paces(Instant now);
  // When the next message of those that a pace holds back may leave; never while there is none.
  Instant pace_due() const;

 private:
  static constexpr std::size_t kNormal = 3;
  static constexpr std::size_t kLow = 5;
  // Two of each priority: live, and the rest.
  static std::size_t kind_of(Priority priority) { return 1 + 2 * static_cast<std::size_t>(priority); }
  static Priority priority_of(std::size_t kind) { return static_cast<Priority>(kind / 2); }

  struct Key {
    std::size_t kind = 0;    // in the order of sending
    std::uint64_t rule = 0;  // Rule::names_hash() of the one that has this lane to itself, for its pace; 0: none has

    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Slot {
    Key key;
    std::uint64_t number = 0;  // before the sequences of its messages; 0: nothing
    std::unique_ptr<Lane> lane;
    bool behind = false;  // a backlog waits there since the connection began
  };
  // The slots of a rule that goes up.
  struct Home {
    std::size_t rest = 0;
    std::optional<std::size_t> live;
  };

  static std::optional<Slot> parse(std::string_view name);
  static std::string name_of(const Slot& slot);
  broker::QueueRow row(const Slot& slot) const;
  std::vector<Key> wanted_keys(bool live_first) const;
  static Key key_of(const Rule& rule) { return {kind_of(rule.priority), rule.is_paced() ? rule.names_hash() : 0}; }
  std::optional<std::size_t> find(const Key& key) const;
  const Slot* slot_of(QueueId queue) const;
  std::uint64_t free_number(const Key& key) const;
  void add(Slot slot, const broker::CursorRow& cursor);
  // There is none with this key.
  void make(const Key& key, const std::vector<Key>& wanted);
  // Puts the slots in order, and tells the lanes their places.
  void arrange();
  // The lane gets what the others leave of the limits.
  void share_limits(Lane& lane);
  bool make_room(Lane& lane, std::size_t bytes, Instant now);
  Lane* oldest_waiting(Priority priority, Instant now) const;
  bool is_over(std::size_t more_bytes) const;

  std::string bridge_;  // changes with rename()
  // Constant after construction.
  Lane::Owner& owner_;
  const RuleSet& rules_;
  broker::Broker& broker_;

  broker::OutboxLimits limits_;
  Sequence first_;
  std::vector<Slot> slots_;                  // by key
  std::vector<Home> homes_;                  // of each rule
  std::map<std::uint64_t, RulePace> paces_;  // by Key::rule, live and the rest together
  Lane* normal_ = nullptr;
};

}  // namespace furrow::bridge
