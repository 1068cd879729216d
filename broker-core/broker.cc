#include "broker-core/broker.h"

#include <algorithm>

namespace furrow::broker {

namespace {

// Deadlines of connections that are gone: this many are not worth a look at all of them.
constexpr std::size_t kSpareDeadlines = 64;

constexpr std::uint32_t generation_of(ConnectionId id) {
  return static_cast<std::uint32_t>(id.value >> 32U);
}
constexpr ConnectionId make_connection_id(std::uint32_t slot, std::uint32_t generation) {
  return ConnectionId{(std::uint64_t{generation} << 32U) | (slot + 1)};
}

// `192.0.2.1` of `192.0.2.1:1024`.
std::string_view host_of(std::string_view peer) {
  return peer.substr(0, peer.rfind(':'));
}

}  // namespace

Broker::Broker(const Options& options, Store& store, Journal::StampClock stamp, Log& log, Restored& restored,
               Instant now)
    : options_(options),
      log_(log),
      random_(options.seed),
      journal_(options.journal, store, std::move(stamp), restored.last_segment),
      router_(options_.limits, conditions_, journal_, stats_, random_),
      session_shared_{.journal = journal_,
                      .books = session_books_,
                      .limits = options_.limits,
                      .interval = options_.commit_interval,
                      .conditions = conditions_,
                      .retained = router_.retained(),
                      .stats = stats_,
                      .hash_key = router_.hash_key(),
                      .last_queue = restored.last_queue},
      groups_(session_shared_, router_),
      sessions_(session_shared_, router_, groups_, log, random_, now) {
  const ClockStamp at_start = journal_.stamp(now);
  router_.restore(std::exchange(restored.retained, {}), at_start, now);
  groups_.restore(restored.queues);
  sessions_.restore(restored, at_start, now);
}

// --- connections ---

Connection* Broker::find(ConnectionId connection) {
  return const_cast<Connection*>(static_cast<const Broker*>(this)->find(connection));
}

const Connection* Broker::find(ConnectionId connection) const {
  const std::uint32_t slot = slot_of(connection);
  if (slot >= slots_.size() || slots_[slot].generation != generation_of(connection)) return nullptr;
  return slots_[slot].connection.get();
}

ConnectionId Broker::handle_accept(std::string peer, Instant now) {
  ++stats_.connections_offered;
  if (!has_room_for(peer)) return {};
  std::uint32_t slot = static_cast<std::uint32_t>(slots_.size());
  if (free_slots_.empty()) {
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const ConnectionId id = make_connection_id(slot, slots_[slot].generation);
  slots_[slot].connection = std::make_unique<Connection>(id, std::move(peer), *this, now);
  ++connection_count_;
  connection_deadlines_.add(slots_[slot].connection->deadline(), id);
  return id;
}

bool Broker::has_room_for(std::string_view peer) {
  const Limits& limits = options_.limits;
  if (limits.connections > 0 && connection_count_ >= limits.connections) {
    ++stats_.connections_over_limit;
    return false;
  }
  if (short_of_memory()) {
    ++stats_.memory_over_limit;
    return false;
  }
  if (limits.connections_per_address == 0) return true;
  std::uint32_t& from_there = addresses_[std::string(host_of(peer))];
  if (from_there >= limits.connections_per_address) {
    ++stats_.connections_over_address_limit;
    return false;
  }
  ++from_there;
  return true;
}

void Broker::leave_address(std::string_view peer) {
  if (options_.limits.connections_per_address == 0) return;
  const auto address = addresses_.find(std::string(host_of(peer)));
  if (address != addresses_.end() && --address.value() == 0) addresses_.erase(address);
}

void Broker::handle_bytes(ConnectionId connection, ByteView bytes, bool dry, Instant now) {
  Connection* found = find(connection);
  if (found == nullptr) return;
  stats_.bytes_received += bytes.size();
  const std::uint64_t retained = journal_.retained_added();
  found->handle_bytes(bytes, now);
  hurry_for(*found, dry, retained != journal_.retained_added());
}

// Nobody is held back by our patience: a publisher that has sent all it may, or has nothing more to send, waits for us.
// With few retained values among them it may as well be a sensor that renews its topics: RetainedPace decides.
void Broker::hurry_for(const Connection& connection, bool dry, bool with_retained) {
  const std::size_t waiting = connection.acknowledgements_waiting();
  const bool used_up = waiting >= options_.limits.inflight;
  if (used_up || (dry && waiting >= kWaitingPublishesMin)) journal_.hurry();
  if (with_retained && (used_up || (dry && waiting >= kUsualWindowMin))) journal_.hurry_retained();
}

void Broker::handle_sent(ConnectionId connection, std::size_t bytes, Instant now) {
  stats_.bytes_sent += bytes;
  if (Connection* found = find(connection)) found->handle_sent(now);
}

void Broker::handle_closed(ConnectionId connection, Instant now) {
  Connection* found = find(connection);
  if (found == nullptr) return;
  found->end(false, now);
  leave_address(found->peer());
  Slot& slot = slots_[slot_of(connection)];
  slot.connection.reset();
  ++slot.generation;
  free_slots_.push_back(slot_of(connection));
  --connection_count_;
  prune_deadlines();
}

// A connection of a minute leaves its keep-alive behind, of a day at most. Those that are not wanted go once they are
// the larger part, so that each is looked at twice.
void Broker::prune_deadlines() {
  if (connection_deadlines_.size() <= 2 * connection_count_ + kSpareDeadlines) return;
  connection_deadlines_.prune([this](Instant when, ConnectionId id) {
    const Connection* const connection = find(id);
    return connection != nullptr && connection->armed_ == when;
  });
}

void Broker::handle_persisted(BatchNumber watermark, Instant now) {
  journal_.handle_persisted(watermark, now);
  const std::vector<ConnectionId> held = std::exchange(held_, {});
  for (const ConnectionId id : held) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->in_held_ = false;
    connection->resume(now);
    if (connection->held()) note_held(*connection);
  }
}

void Broker::note_held(Connection& connection) {
  if (std::exchange(connection.in_held_, true)) return;
  held_.push_back(connection.id());
}

void Broker::handle_not_persisted(Batch batch, Instant now) {
  journal_.handle_not_persisted(std::move(batch), now);
}

void Broker::handle_page(const Page& page, Instant now) {
  journal_.handle_page(page, now);
}

void Broker::handle_timeout(Instant now) {
  ConnectionId id;
  while (connection_deadlines_.pop_due(now, id)) {
    if (Connection* connection = find(id)) connection->handle_timeout(now);
  }
  sessions_.handle_timeout(now);
}

void Broker::handle_turn_end(Instant now) {
  router_.retry_held(now);
  if (!going_on_.empty()) go_on(now);
  if (!unsendable_.empty()) close_unsendable(now);
  groups_.end_memberless();
  sessions_.handle_turn_end(now);
  journal_.flush_if_due(now);
  check_waiting();
}

void Broker::handle_memory(std::uint64_t bytes) {
  const bool is_short = options_.limits.memory_bytes > 0 && bytes > options_.limits.memory_bytes;
  if (std::exchange(conditions_.short_of_memory, is_short) && !is_short) sessions_.handle_room();
}

bool Broker::has_work() const {
  const bool is_ready = !delivering_.empty() || !answering_.empty();
  return router_.has_room_for_held() || is_ready || !going_on_.empty() || !unsendable_.empty() || sessions_.has_work();
}

Instant Broker::next_deadline() const {
  if (has_work()) return Instant::min();
  return std::min({connection_deadlines_.next(), journal_.next_deadline(), sessions_.next_deadline()});
}

void Broker::shut_down(Instant now) {
  sessions_.shut_down(now);
  for (Slot& slot : slots_) {
    if (!slot.connection || slot.connection->closing()) continue;
    slot.connection->close(mqtt::ReasonCode::ServerShuttingDown, "the gateway stops", now);
  }
  journal_.flush_all(now);
}

void Broker::handle_store_failing(bool failing) {
  if (failing == journal_.condition().failing()) return;
  journal_.condition().set_failing(failing);
  for (Slot& slot : slots_) {
    if (slot.connection) slot.connection->note_window();
  }
  if (!failing) sessions_.handle_room();
}

void Broker::handle_clock_trusted(Instant now) {
  journal_.correct_ages(now);
  router_.handle_clock_trusted(journal_.stamp(now));
  sessions_.handle_clock_trusted(now);
}

void Broker::close_unsendable(Instant now) {
  for (const ConnectionId id : std::exchange(unsendable_, {})) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->close(mqtt::ReasonCode::PacketTooLarge, "the client takes no packet as large as one that was due", now);
  }
}

void Broker::go_on(Instant now) {
  for (const ConnectionId id : std::exchange(going_on_, {})) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    const std::uint64_t retained = journal_.retained_added();
    connection->go_on(now);
    hurry_for(*connection, !connection->overdrawn(), retained != journal_.retained_added());
  }
}

// Reading from those who wait for acknowledgements pauses while too much waits for the store.
void Broker::check_waiting() {
  const std::size_t limit = options_.limits.commit_waiting_bytes;
  const bool over = short_of_memory() || (limit > 0 && journal_.waiting_bytes() > limit);
  if (over == conditions_.store_lags) return;
  conditions_.store_lags = over;
  if (over) ++stats_.reading_paused;
  // Who does not wait any more has become ready with the answer.
  for (Slot& slot : slots_) {
    if (slot.connection && slot.connection->acknowledgements_waiting() > 0) mark_ready(*slot.connection);
  }
}

void Broker::mark_ready(Connection& connection, bool delivers) {
  const auto as = delivers ? Connection::Ready::Delivering : Connection::Ready::Answering;
  if (connection.ready_ >= as) return;
  connection.ready_ = as;
  (delivers ? delivering_ : answering_).push_back(connection.id());
}

ByteBuffer Broker::take_buffer() {
  if (spare_buffers_.empty()) return {};
  ByteBuffer buffer = std::move(spare_buffers_.back());
  spare_buffers_.pop_back();
  spare_bytes_ -= buffer.capacity();
  return buffer;
}

void Broker::give_back(ByteBuffer&& buffer) {
  ByteBuffer taken(std::move(buffer));
  if (taken.capacity() < kSpareBytesMin || spare_bytes_ + taken.capacity() > kSpareBytesMax) return;
  spare_bytes_ += taken.capacity();
  spare_buffers_.push_back(std::move(taken));
}

bool Broker::poll_ready(ConnectionId& connection) {
  while (!delivering_.empty() || !answering_.empty()) {
    const bool delivers = !delivering_.empty();
    connection = (delivers ? delivering_ : answering_).pop_front();
    Connection* found = find(connection);
    if (found == nullptr) continue;
    // One that was answered first, and then had a message, has been given with those.
    if (found->ready_ != (delivers ? Connection::Ready::Delivering : Connection::Ready::Answering)) continue;
    found->ready_ = Connection::Ready::No;
    return true;
  }
  return false;
}

bool Broker::poll_full(ConnectionId& connection) {
  while (!full_.empty()) {
    connection = full_.back();
    full_.pop_back();
    const Connection* found = find(connection);
    if (found != nullptr && found->output_.size() >= kOutputFullBytes) return true;
  }
  return false;
}

ByteBuffer& Broker::output(ConnectionId connection) {
  Connection* found = find(connection);
  FURROW_CHECK(found != nullptr);
  return found->output();
}

bool Broker::closing(ConnectionId connection) const {
  const Connection* found = find(connection);
  return found == nullptr || found->closing();
}

bool Broker::reading_paused(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return false;
  const bool waits_for_store = conditions_.store_lags && found->acknowledgements_waiting() > 0;
  return found->held() || found->overdrawn() || (waits_for_store && !found->may_make_room());
}

bool Broker::awaits_acknowledgement(ConnectionId connection) const {
  const Connection* found = find(connection);
  return found != nullptr && found->acknowledgements_waiting() > 0;
}

}  // namespace furrow::broker
