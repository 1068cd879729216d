// What connections want of the broker: to be written out, to go on, to be closed or looked at later.
//
// Connections enter themselves, by id, and know which lists they are in. The connection table goes through the lists;
// by then an entry may be out of date, or its connection gone. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "broker-core/base/deadlines.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/ring.h"
#include "broker-core/base/time.h"

namespace furrow::broker {

class Agenda {
 public:
  // What there is to do for the caller, in the order of haste: a message leaves before its publisher's acknowledgement,
  // since the one is waited for longer.
  enum class Ready : std::uint8_t { No, Answering, Delivering };

  // --- connections ---
  // The output has something to write, or the connection is to be closed, or reading pauses or goes on.
  void add_ready(ConnectionId connection, Ready as) {
    (as == Ready::Delivering ? delivering_ : answering_).push_back(connection);
  }
  // The output is worth a write before the turn ends.
  void add_full(ConnectionId connection) { full_.push_back(connection); }
  // Waits for the store.
  void add_held(ConnectionId connection) { held_.push_back(connection); }
  // Has sent more than its window, which may have room again.
  void add_going_on(ConnectionId connection) { going_on_.push_back(connection); }
  // Is to be closed with the end of the turn: its client takes no packet as large as one that was due.
  void add_unsendable(ConnectionId connection) { unsendable_.push_back(connection); }
  // Is to be looked at then.
  void add_deadline(Instant when, ConnectionId connection) { deadlines_.add(when, connection); }

  // --- the table ---
  // The next that is ready, and as what; false when there is none. Both kinds in the order in which they became so.
  bool pop_ready(ConnectionId& connection, Ready& as) {
    if (delivering_.empty() && answering_.empty()) return false;
    as = delivering_.empty() ? Ready::Answering : Ready::Delivering;
    connection = (as == Ready::Delivering ? delivering_ : answering_).pop_front();
    return true;
  }
  bool pop_full(ConnectionId& connection) {
    if (full_.empty()) return false;
    connection = full_.back();
    full_.pop_back();
    return true;
  }
  std::vector<ConnectionId> take_held() { return std::exchange(held_, {}); }
  std::vector<ConnectionId> take_going_on() { return std::exchange(going_on_, {}); }
  std::vector<ConnectionId> take_unsendable() { return std::exchange(unsendable_, {}); }
  Deadlines<ConnectionId>& deadlines() { return deadlines_; }
  const Deadlines<ConnectionId>& deadlines() const { return deadlines_; }
  // Whether there is something to do before any time passes.
  bool has_work() const {
    return !delivering_.empty() || !answering_.empty() || !going_on_.empty() || !unsendable_.empty();
  }
  std::size_t held() const { return held_.size(); }

 private:
  Ring<ConnectionId> delivering_;
  Ring<ConnectionId> answering_;
  std::vector<ConnectionId> full_;
  std::vector<ConnectionId> held_;
  std::vector<ConnectionId> going_on_;
  std::vector<ConnectionId> unsendable_;
  Deadlines<ConnectionId> deadlines_;
};

}  // namespace furrow::broker
