// The queues of a bridge's buffer: one for each priority, and with `drain.order: live-first` a second one for what
// comes while a backlog of that priority waits.
//
//   high live, high, normal live, normal, low live, low       in the order of sending
//
// Within a lane messages leave in the order in which they came. One limit of messages and bytes holds for all: where it
// is reached, and the oldest are to go, those of the lowest lane go first, and never one for a message of a lower
// priority. The lane `normal` is always there; another from when rules first want it, for good. Thread: loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bridge/found.h"
#include "bridge/lane.h"
#include "broker-core/broker.h"

namespace furrow::bridge {

class Lanes {
 public:
  // Makes the lanes that the store had, and `normal`. All must outlive it.
  Lanes(const std::string& bridge, const Found& found, Lane::Owner& owner, const RuleSet& rules,
        broker::Broker& broker);

  // The bridge is called `bridge` from now on: so are its queues, with the next batch.
  void rename(const std::string& bridge);
  // Lanes that the rules want are there from now on, those for live messages with `live_first`.
  void handle_rules_changed(bool live_first);
  void set_limits(const broker::OutboxLimits& limits);

  // Messages get no sequences below this one.
  void set_first(Sequence first);

  // The queue whose packet identifiers the bridge has.
  Lane& normal() { return *lanes_[kNormal]; }
  const Lane& normal() const { return *lanes_[kNormal]; }
  // nullptr: there is none.
  Lane* find(QueueId queue) const;
  // `high.live`, `high`, `normal.live` …
  std::string_view name(const Lane& lane) const;
  // The number of a message for the far side, which no other message of the bridge has: its sequence, in lanes other
  // than `normal` behind the digit of its lane.
  std::uint64_t number(QueueId queue, Sequence sequence) const;

  // A connection begins: what waits is the backlog, which live messages pass.
  void begin_backlogs();
  // Messages have left: a backlog that has none any more is over.
  void review_backlogs();
  // That of a message which comes now. `passes`: it may pass a backlog.
  Lane& of(Priority priority, bool passes) const;

  // Whether a message of `bytes` is to be refused: only under WhenFull::Refuse.
  bool refuses(const Lane& lane, std::size_t bytes) const;
  // Whether a message of `bytes` fits without a drop.
  bool has_place(std::size_t bytes) const { return !is_over(bytes); }
  // Accepts a message into the lane, as Outbox::push() does. Where others of as high a priority, or higher, leave no
  // room, it is dropped.
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
    for (const auto& lane : lanes_) {
      if (lane != nullptr) visit(*lane);
    }
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
  // Whether the drain's pace holds for the lane: what is high or live is no backlog that others would wait for.
  bool is_paced(const Lane& lane) const { return &lane == lanes_[kNormal].get() || &lane == lanes_[kLow].get(); }
  // Whether its messages wait for no window and no demand.
  bool is_urgent(const Lane& lane) const { return &lane == lanes_[kHigh].get() || &lane == lanes_[kHighLive].get(); }

 private:
  static constexpr std::size_t kHighLive = 0;
  static constexpr std::size_t kHigh = 1;
  static constexpr std::size_t kNormalLive = 2;
  static constexpr std::size_t kNormal = 3;
  static constexpr std::size_t kLowLive = 4;
  static constexpr std::size_t kLow = 5;
  static constexpr std::size_t kCount = 6;
  static std::size_t place_of(Priority priority) { return 1 + 2 * static_cast<std::size_t>(priority); }

  void make(std::size_t place);
  void add(std::size_t place, const broker::CursorRow& cursor);
  broker::QueueRow row(std::size_t place) const;
  // The lane gets what the others leave of the limits.
  void share_limits(Lane& lane);
  bool make_room(Lane& lane, std::size_t bytes, Instant now);
  bool is_over(std::size_t more_bytes) const;

  std::string bridge_;  // changes with rename()
  // Constant after construction.
  Lane::Owner& owner_;
  const RuleSet& rules_;
  broker::Broker& broker_;

  broker::OutboxLimits limits_;
  Sequence first_;
  std::array<std::unique_ptr<Lane>, kCount> lanes_;
  std::size_t count_ = 0;              // of them
  std::array<bool, kCount> behind_{};  // a backlog waits there since the connection began
};

}  // namespace furrow::bridge
