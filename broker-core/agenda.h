// Lists of connections with something to do: to be written out, to go on, to be closed, or to be looked at later.
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
  // A message to write, or anything else to do for the caller; in the order of haste: a message leaves before its
  // publisher's acknowledgement, because the message is waited for longer.
  enum class Ready : std::uint8_t { No, Answering, Delivering };

  // --- connections ---
  // The output has something to write, or the connection is to be closed, or reading pauses or goes on.
  void add_ready(ConnectionId connection, Ready as) {
    (as == Ready::Delivering ? delivering_ : answering_).push_back(connection);
  }
  // The output is worth a write before the turn ends.
  void add_full(ConnectionId connection) { full_.push_back(connection); }
  // The connection waits for the store.
  void add_held(ConnectionId connection) { held_.push_back(connection); }
  // The client has sent more than its window, which may have room again.
  void add_going_on(ConnectionId connection) { going_on_.push_back(connection); }
  // The client takes no packet as large as one that was due: the connection ends with the turn.
  void add_unsendable(ConnectionId connection) { unsendable_.push_back(connection); }
  // Connection::handle_timeout() is to come then.
  void add_deadline(Instant when, ConnectionId connection) { deadlines_.add(when, connection); }

  // --- the table ---
  // The next connection that is ready, and in which way; false when there is none. Each kind comes in the order in
  // which its connections became ready.
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
