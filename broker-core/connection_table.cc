#include "broker-core/connection_table.h"

#include <utility>

namespace furrow::broker {

namespace {

// Deadlines of connections that are gone: this many are not worth a look at all of them.
constexpr std::size_t kSpareDeadlines = 64;

// `192.0.2.1`, without the port, which is another one each time.
std::string name_of(const Arrival& arrival) {
  return arrival.address ? arrival.address->text() : arrival.program;
}

}  // namespace

ConnectionId ConnectionTable::accept(Arrival arrival, Instant accepted) {
  ++shared_.stats.connections_offered;
  if (const char* const limit = limit_for(arrival.address)) {
    shared_.limit_log.write(limit, name_of(arrival), "connection not taken", accepted);
    return {};
  }
  auto slot = static_cast<std::uint32_t>(slots_.size());
  if (free_slots_.empty()) {
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const ConnectionId id{(std::uint64_t{slots_[slot].generation} << 32U) | (slot + 1)};
  slots_[slot].connection = std::make_unique<Connection>(id, std::move(arrival), shared_, accepted);
  ++size_;
  return id;
}

const char* ConnectionTable::limit_for(const std::optional<IpAddress>& address) {
  const Limits& limits = shared_.limits;
  if (limits.connections > 0 && size_ >= limits.connections) {
    ++shared_.stats.connections_over_limit;
    return "limits.connections";
  }
  if (shared_.conditions.short_of_memory) {
    ++shared_.stats.memory_over_limit;
    return "limits.memory";
  }
  if (limits.connections_per_address == 0 || !address) return nullptr;
  std::uint32_t& from_there = addresses_[*address];
  if (from_there >= limits.connections_per_address) {
    ++shared_.stats.connections_over_address_limit;
    return "limits.connections_per_address";
  }
  ++from_there;
  return nullptr;
}

void ConnectionTable::leave_address(const std::optional<IpAddress>& address) {
  if (shared_.limits.connections_per_address == 0 || !address) return;
  const auto found = addresses_.find(*address);
  if (found != addresses_.end() && --found->second == 0) addresses_.erase(found);
}

void ConnectionTable::remove(ConnectionId id, Instant now) {
  Connection* const found = find(id);
  if (found == nullptr) return;
  found->end(false, now);
  leave_address(found->address());
  Slot& slot = slots_[slot_of(id)];
  slot.connection.reset();
  ++slot.generation;
  free_slots_.push_back(slot_of(id));
  --size_;
  prune_deadlines();
}

// A connection of a minute leaves its keep-alive behind, of a day at most. Those that are not wanted go once they are
// the larger part, so that each is looked at twice.
void ConnectionTable::prune_deadlines() {
  Deadlines<ConnectionId>& deadlines = shared_.agenda.deadlines();
  if (deadlines.size() <= 2 * size_ + kSpareDeadlines) return;
  deadlines.prune([this](Instant when, ConnectionId id) {
    const Connection* const connection = find(id);
    return connection != nullptr && connection->armed() == when;
  });
}

// --- the world ---

void ConnectionTable::handle_persisted(Instant now) {
  for (const ConnectionId id : shared_.agenda.take_held()) {
    if (Connection* const connection = find(id)) connection->handle_persisted(now);
  }
}

void ConnectionTable::handle_timeout(Instant now) {
  ConnectionId id;
  while (shared_.agenda.deadlines().pop_due(now, id)) {
    if (Connection* const connection = find(id)) connection->handle_timeout(now);
  }
}

void ConnectionTable::handle_turn_end(Instant now) {
  for (const ConnectionId id : shared_.agenda.take_going_on()) {
    if (Connection* const connection = find(id)) connection->go_on(now);
  }
  for (const ConnectionId id : shared_.agenda.take_unsendable()) {
    Connection* const connection = find(id);
    if (connection == nullptr) continue;
    connection->close(mqtt::ReasonCode::PacketTooLarge, "the client takes no packet as large as one that was due", now);
  }
}

void ConnectionTable::note_windows() {
  for_each([](Connection& connection) { connection.note_window(); });
}

void ConnectionTable::handle_limits_changed() {
  addresses_.clear();
  const bool counts_addresses = shared_.limits.connections_per_address > 0;
  for_each([&](Connection& connection) {
    if (counts_addresses && connection.address()) ++addresses_[*connection.address()];
    connection.handle_limits_changed();
  });
}

void ConnectionTable::note_reading() {
  // One that does not wait any more has become ready with its answer.
  for_each([](Connection& connection) {
    if (connection.acknowledgements_waiting() > 0) connection.note_reading();
  });
}

void ConnectionTable::close_all(mqtt::ReasonCode reason, std::string_view why, Instant now) {
  for_each([&](Connection& connection) { connection.close(reason, why, now); });
}

// --- to the world ---

bool ConnectionTable::poll_ready(ConnectionId& id) {
  for (Agenda::Ready as{}; shared_.agenda.pop_ready(id, as);) {
    Connection* const found = find(id);
    // One that was answered first, and then had a message, has been given with those.
    if (found != nullptr && found->take_ready(as)) return true;
  }
  return false;
}

bool ConnectionTable::poll_full(ConnectionId& id) {
  while (shared_.agenda.pop_full(id)) {
    const Connection* const found = find(id);
    if (found != nullptr && found->is_full()) return true;
  }
  return false;
}

}  // namespace furrow::broker
