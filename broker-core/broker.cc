#include "broker-core/broker.h"

#include <algorithm>

namespace furrow::broker {

Broker::Broker(const Options& options, Store& store, Journal::StampClock stamp, Log& log, Restored& restored,
               Instant now)
    : settings_(options),
      random_(options.seed),
      access_(options.access_rules),
      limit_log_(log),
      journal_(options.journal, store, std::move(stamp), restored.last_segment),
      mesh_(journal_, random_),
      router_(settings_.limits, conditions_, journal_, mesh_, stats_, random_),
      session_shared_{.journal = journal_,
                      .books = session_books_,
                      .limits = settings_.limits,
                      .interval = settings_.commit_interval,
                      .conditions = conditions_,
                      .retained = router_.retained(),
                      .stats = stats_,
                      .identities = identities_,
                      .access = access_,
                      .limit_log = limit_log_,
                      .hash_key = router_.hash_key(),
                      .last_queue = restored.last_queue},
      groups_(session_shared_, router_),
      sessions_(session_shared_, settings_.listeners, router_, groups_, log, random_, now),
      connection_shared_{.settings = settings_,
                         .limits = settings_.limits,
                         .conditions = conditions_,
                         .stats = stats_,
                         .log = log,
                         .journal = journal_,
                         .router = router_,
                         .sessions = sessions_,
                         .limit_log = limit_log_,
                         .failed_logins = FailedLogins(log),
                         .access = access_,
                         .forbidden_disconnects = settings_.forbidden_disconnects},
      connections_(connection_shared_),
      visitors_(connection_shared_) {
  const ClockStamp at_start = journal_.stamp(now);
  mesh_.restore(restored);
  router_.restore(std::exchange(restored.retained, {}), at_start, now);
  groups_.restore(restored.queues);
  sessions_.restore(restored, at_start, now);
}

// --- the world → the broker ---

void Broker::handle_bytes(ConnectionId connection, ByteView bytes, bool dry, Instant now) {
  Connection* const found = connections_.find(connection);
  if (found == nullptr) return;
  stats_.bytes_received += bytes.size();
  found->handle_bytes(bytes, dry, now);
}

void Broker::handle_sent(ConnectionId connection, std::size_t bytes, Instant now) {
  stats_.bytes_sent += bytes;
  if (Connection* const found = connections_.find(connection)) found->handle_sent(now);
}

void Broker::handle_login(ConnectionId connection, Verdict verdict, Instant now) {
  if (is_visitor(connection)) {
    visitors_.handle_login(connection, verdict, now);
  } else if (Connection* const found = connections_.find(connection)) {
    found->handle_login(verdict, now);
  }
}

void Broker::handle_persisted(BatchNumber watermark, Instant now) {
  journal_.handle_persisted(watermark, now);
  connections_.handle_persisted(now);
}

void Broker::handle_not_persisted(Batch batch, Instant now) {
  journal_.handle_not_persisted(std::move(batch), now);
}

void Broker::handle_page(const Page& page, Instant now) {
  journal_.handle_page(page, now);
}

void Broker::handle_timeout(Instant now) {
  connections_.handle_timeout(now);
  sessions_.handle_timeout(now);
}

void Broker::handle_turn_end(Instant now) {
  router_.retry_held(now);
  connections_.handle_turn_end(now);
  groups_.end_memberless();
  sessions_.handle_turn_end(now);
  if (stopping_) {
    journal_.flush_all(now);  // rows that may wait come until the last connection is gone
  } else {
    journal_.flush_if_due(now);
  }
  check_waiting();
  if (std::exchange(not_grown_, session_books_.not_grown) != session_books_.not_grown) {
    limit_log_.write("limits.queued", "all", "queues do not grow", now);
  }
}

// Reading from those who wait for acknowledgements pauses while too much waits for the store.
void Broker::check_waiting() {
  const std::size_t limit = settings_.limits.commit_waiting_bytes;
  const bool lags = short_of_memory() || (limit > 0 && journal_.waiting_bytes() > limit);
  if (std::exchange(conditions_.store_lags, lags) == lags) return;
  if (lags) ++stats_.reading_paused;
  connections_.note_reading();
}

void Broker::handle_memory(std::uint64_t bytes) {
  allocated_bytes_ = bytes;
  const bool is_short = settings_.limits.memory_bytes > 0 && bytes > settings_.limits.memory_bytes;
  if (std::exchange(conditions_.short_of_memory, is_short) && !is_short) sessions_.handle_room();
}

void Broker::handle_store_failing(bool failing) {
  if (failing == journal_.condition().failing()) return;
  journal_.condition().set_failing(failing);
  connections_.note_windows();
  if (!failing) sessions_.handle_room();
}

void Broker::handle_clock_trusted(Instant now) {
  journal_.correct_ages(now);
  router_.handle_clock_trusted(journal_.stamp(now));
  sessions_.handle_clock_trusted(now);
}

void Broker::apply(const Settings& settings, Instant now) {
  const std::shared_ptr<const access::Rules> rules_before = settings_.access_rules;
  settings_ = settings;
  journal_.set_options(settings_.journal);
  router_.handle_limits_changed();
  groups_.handle_limits_changed();
  sessions_.handle_limits_changed(now);
  connections_.handle_limits_changed();
  handle_memory(allocated_bytes_);
  const std::shared_ptr<const access::Rules>& rules = settings_.access_rules;
  const bool same_rules = rules_before == rules || (rules_before && rules && *rules_before == *rules);
  if (!same_rules) apply_access_rules(now);
}

void Broker::apply_access_rules(Instant now) {
  access_.set_rules(settings_.access_rules);
  sessions_.handle_rules_changed(now);
  groups_.handle_rules_changed(now);
}

bool Broker::has_work() const {
  return router_.has_room_for_held() || connections_.has_work() || sessions_.has_work();
}

Instant Broker::next_deadline() const {
  if (has_work()) return Instant::min();
  return std::min({connections_.next_deadline(), journal_.next_deadline(), sessions_.next_deadline()});
}

void Broker::shut_down(Instant now) {
  stopping_ = true;
  sessions_.shut_down(now);
  connections_.close_all(mqtt::ReasonCode::ServerShuttingDown, "the gateway stops", now);
  journal_.flush_all(now);
}

// --- the broker → the world ---

ByteBuffer& Broker::output(ConnectionId connection) {
  Connection* const found = connections_.find(connection);
  FURROW_CHECK(found != nullptr);
  return found->output();
}

bool Broker::closing(ConnectionId connection) const {
  const Connection* const found = connections_.find(connection);
  return found == nullptr || found->closing();
}

void Broker::close(ConnectionId connection, mqtt::ReasonCode reason, std::string_view why, Instant now) {
  if (Connection* const found = connections_.find(connection)) found->close(reason, why, now);
}

bool Broker::kick(std::string_view client_id, Instant now) {
  const Session* const session = sessions_.find(client_id);
  if (session == nullptr || session->connection() == nullptr) return false;
  session->connection()->close(mqtt::ReasonCode::AdministrativeAction, "an operator has ended the connection", now);
  return true;
}

bool Broker::reading_paused(ConnectionId connection) const {
  const Connection* const found = connections_.find(connection);
  return found != nullptr && found->reading_paused();
}

bool Broker::awaits_acknowledgement(ConnectionId connection) const {
  const Connection* const found = connections_.find(connection);
  return found != nullptr && found->acknowledgements_waiting() > 0;
}

}  // namespace furrow::broker
