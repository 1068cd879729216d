// The network connections of a broker, by id.
//
// Owns them and gives their ids; bounds how many there are, and how many come from one address. Goes through what they
// ask for in the agenda. Knows of sessions and routing only what a connection says. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "broker-core/agenda.h"
#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/ip.h"
#include "broker-core/connection.h"

namespace furrow::broker {

// The place of a connection in tables by connection, from 0; no two connections have the same at a time.
constexpr std::uint32_t slot_of(ConnectionId id) {
  return static_cast<std::uint32_t>(id.value) - 1;
}

class ConnectionTable {
 public:
  // `shared` must outlive it.
  explicit ConnectionTable(Connection::Shared& shared) : shared_(shared) {}
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // A client has connected. 0 when a limit is reached or memory is short.
  ConnectionId accept(Arrival arrival, Instant accepted);
  // The network connection is gone: so is ours. Null effect when there is none.
  void remove(ConnectionId id, Instant now);
  // nullptr when there is none. Valid until remove().
  Connection* find(ConnectionId id) const {
    const std::uint32_t slot = slot_of(id);
    if (slot >= slots_.size() || slots_[slot].generation != generation_of(id)) return nullptr;
    return slots_[slot].connection.get();
  }
  std::size_t size() const { return size_; }

  // --- the world ---
  // A batch is durable: those that wait for it go on.
  void handle_persisted(Instant now);
  void handle_timeout(Instant now);
  // Goes on with those whose windows have room again, and closes those that cannot be sent what was due.
  void handle_turn_end(Instant now);
  // The store takes writes again, or no longer: windows may have room for other packets than before.
  void note_windows();
  void handle_limits_changed();
  // Reading from those that wait for acknowledgements pauses from now on, or no longer.
  void note_reading();
  void close_all(mqtt::ReasonCode reason, std::string_view why, Instant now);
  // Whether there is something to do before any time passes.
  bool has_work() const { return shared_.agenda.has_work(); }
  Instant next_deadline() const { return shared_.agenda.deadlines().next(); }

  // --- to the world ---
  // As Broker::poll_ready() and poll_full().
  bool poll_ready(ConnectionId& id);
  bool poll_full(ConnectionId& id);

 private:
  struct Slot {
    std::unique_ptr<Connection> connection;
    std::uint32_t generation = 0;
  };

  static constexpr std::uint32_t generation_of(ConnectionId id) { return static_cast<std::uint32_t>(id.value >> 32U); }
  template <typename Visit>
  void for_each(Visit visit) {
    for (const Slot& slot : slots_) {
      if (slot.connection) visit(*slot.connection);
    }
  }
  // The key of the limit for which no connection is taken from there; nullptr when one is, which then counts.
  const char* limit_for(const std::optional<IpAddress>& address);
  void leave_address(const std::optional<IpAddress>& address);
  void prune_deadlines();

  Connection::Shared& shared_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t size_ = 0;
  std::map<IpAddress, std::uint32_t> addresses_;  // connections of each, where that is limited
};

}  // namespace furrow::broker
