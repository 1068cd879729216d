// Messages of a bridge that its far broker does not take, set aside until an operator has looked at them.
//
// A queue of its own in the store, of a thousand messages, which nothing is sent from. A message comes
// here, and goes back to the lanes, as a copy, and leaves the place where it was once the copy is safe. Until then it
// counts there; a crash in between leaves both, which only an operator who sends the quarantine again will notice.
// Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bridge/found.h"
#include "bridge/lane.h"
#include "bridge/lanes.h"
#include "broker-core/broker.h"
#include "broker-core/session/books.h"
#include "broker-core/session/outbox.h"

namespace furrow::bridge {

class Quarantine final : private broker::OutboxOwner {
 public:
  // All must outlive it.
  Quarantine(const std::string& bridge, const Found& found, Lane::Owner& owner, const RuleSet& rules, Lanes& lanes,
             broker::Broker& broker);

  // The bridge is called `bridge` from now on: so is its queue, with the next batch.
  void rename(const std::string& bridge);

  // Whether there is a place for one more message.
  bool has_place() const;
  // Sets a message aside. REQUIRES: has_place(), and it is in flight in the lane, and of no window.
  void take(Lane& lane, Sequence sequence, Instant now);
  // Gives all that is here to the lanes, behind what waits there; ends where these have no room for more.
  void replay(Instant now);
  // Whether messages are on their way back or here, and not safe there.
  bool is_moving() const { return is_replaying_ || !moves_.empty(); }
  // Drops all of it, counted as `purged`.
  void purge(Instant now);
  // See Lane::Owner::await_store().
  void handle_store_progress(Instant now) { end_moves(now); }

  // nullptr: it never had a message. What is on its way here or back is in it, too.
  const broker::Outbox* outbox() const { return outbox_.get(); }
  // But for what counts in a lane.
  std::uint64_t messages() const;
  // Adds its messages, those that are here and those that were here once.
  void add_to(broker::Books& books) const;

 private:
  // Between the lane and the quarantine, with its place in each.
  struct Move {
    enum class To : std::uint8_t { Quarantine, Lane } to;
    Lane* lane;
    Sequence in_lane;
    Sequence in_quarantine;
  };

  void handle_progress(Instant now) override;

  void make(const broker::CursorRow& cursor);
  void store_row();
  void give_back_waiting(Instant now);
  void give_back(const broker::Outbox::Entry& entry, Instant now);
  void end_moves(Instant now);
  // Whether the copy is safe, so that the message was settled where it had been.
  bool end(const Move& move, Instant now);

  std::string bridge_;  // changes with rename()
  // Constant after construction.
  Lane::Owner& owner_;
  const RuleSet& rules_;
  Lanes& lanes_;
  broker::Broker& broker_;

  broker::Books books_;
  std::unique_ptr<broker::Outbox> outbox_;
  std::vector<Move> moves_;
  bool is_replaying_ = false;
};

}  // namespace furrow::bridge
