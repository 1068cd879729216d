#include "bridge/bridge.h"

#include <algorithm>
#include <utility>

namespace furrow::bridge {

using mqtt::ReasonCode;

namespace {

// Resolving, TCP and TLS together: a WAN that swallows packets would hold an attempt for minutes.
constexpr Duration kConnectTimeout = std::chrono::seconds(30);
// A connection that has lived so long was worth having: the next one is tried without the patience of repeated failure.
constexpr Duration kStableAfter = std::chrono::seconds(10);
// How long a DISCONNECT may take to leave.
constexpr Duration kLeaveTimeout = std::chrono::seconds(2);
// Two take-overs of our client identifier within this: two clients share it, and reconnecting at once would go on for
// ever.
constexpr Duration kTakeoverPeriod = std::chrono::minutes(1);
// How often the rates are brought up to date.
constexpr Duration kRateInterval = std::chrono::seconds(1);
// How often the buffer is looked through for what has expired.
constexpr Duration kExpiryInterval = std::chrono::seconds(10);
// More in flight than this gains nothing on any link; 3.1.1 brokers cannot say what they bear.
constexpr std::uint16_t kWindowMaxV5 = 1000;
constexpr std::uint16_t kWindowMaxV3 = 100;
// Mosquitto has room for 20 messages of QoS 2 from one client (max_inflight_messages). In 3.1.1 it cannot say so, and
// answers what comes beyond them as if it had taken it, or closes the connection (2.0.11).
constexpr std::uint16_t kExactlyOnceMaxV3 = 20;
// A far broker that sends and does not read makes us gather acknowledgements: then reading from it pauses.
constexpr std::size_t kPausedOutputBytes = 2 * broker::kOutputBytesMax;
// Messages received and not yet safe, at most; announced as our receive maximum.
constexpr std::uint16_t kReceiveMaximumDefault = 100;

std::uint16_t receive_maximum(const broker::Limits& limits) {
  return limits.inflight > 0 ? limits.inflight : kReceiveMaximumDefault;
}

std::string describe(ReasonCode reason) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto code = static_cast<unsigned>(reason);
  return std::string(mqtt::name(reason)) + " (0x" + kDigits[code >> 4U] + kDigits[code & 0x0FU] + ")";
}

// Whole seconds, rounded up: `8s`.
std::string in_seconds(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count()) + "s";
}

}  // namespace

std::string Address::url() const {
  const bool v6 = host.find(':') != std::string::npos;
  return "mqtt://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Bridge::Bridge(Options options, Buffer& buffer, broker::Broker& broker, Log& log, Instant now)
    : options_(std::move(options)),
      buffer_(buffer),
      broker_(broker),
      log_(log),
      backoff_(options_.backoff_initial, options_.backoff_max, options_.seed),
      dialect_(options_.version, std::ranges::any_of(options_.rules, &Rule::comes_down)),
      remote_({.client_id = options_.client_id,
               .username = options_.username,
               .keep_alive = options_.keep_alive,
               .session_expiry_s = options_.session_expiry_s,
               .packet_bytes_max = broker.limits().packet_bytes,
               .receive_maximum = receive_maximum(broker.limits())},
              *this),
      up_(buffer, remote_),
      down_(buffer, remote_, broker),
      since_(now) {
  move_rates(now);
  buffer_.set_limits(options_.buffer);
  buffer_.set_rules(options_.rules);
  const bool works = options_.enabled && !options_.addresses.empty();
  buffer_.set_taking(works);
  if (!works) {
    set_state(State::Disabled, options_.enabled ? "no address to connect to" : "", now);
    return;
  }
  dial(now);
}

// --- the network connection ---

std::optional<Command> Bridge::poll_command() {
  if (disconnect_wanted_) {
    disconnect_wanted_ = false;
    return Disconnect{};
  }
  if (!connect_wanted_) return std::nullopt;
  network_ = true;
  Connect command{*std::move(connect_wanted_)};
  connect_wanted_.reset();
  return command;
}

bool Bridge::has_work() const {
  const bool is_written = network_ && !sending_ && !remote_.output().empty();
  return disconnect_wanted_ || connect_wanted_ || is_written;
}

bool Bridge::reading_paused() const {
  return remote_.output().size() >= kPausedOutputBytes ||
         // Of MQTT 5 this is never more: what comes then are acknowledgements, for which others may wait.
         down_.acknowledgements_waiting() > receive_maximum(broker_.limits()) ||
         (broker_.limits().commit_waiting_bytes > 0 &&
          broker_.journal().waiting_bytes() >= broker_.limits().commit_waiting_bytes);
}

void Bridge::dial(Instant now) {
  phase_ = Phase::Connecting;
  deadline_ = now + kConnectTimeout;
  connect_wanted_ = options_.addresses[address_];
  set_state(State::Connecting, reason_, now);
}

void Bridge::hang_up() {
  remote_.close();
  connect_wanted_.reset();
  if (network_) disconnect_wanted_ = true;
  network_ = false;
}

void Bridge::handle_connected(std::optional<std::string> password, Instant now) {
  if (!network_ || phase_ != Phase::Connecting) return;
  phase_ = Phase::Handshaking;
  sending_ = false;
  deadline_ = kNever;  // the remote session has its own
  buffer_.far_session().note_connect();
  remote_.open({dialect_.version(), dialect_.bridge_bit(), std::move(password)}, now);
}

void Bridge::handle_connect_failed(std::string_view reason, Instant now) {
  // Of the connection that we have given up: it is gone, and need not be ended.
  if (std::exchange(disconnect_wanted_, false) || !network_) return;
  network_ = false;
  next(std::string(reason), now);
}

void Bridge::handle_bytes(ByteView bytes, bool dry, Instant now) {
  if (!network_ || phase_ == Phase::Leaving) return;
  remote_.handle_bytes(bytes, now);
  if (phase_ != Phase::Online) return;
  if (dry) down_.handle_dry();
  review(now);
}

void Bridge::handle_taken() {
  sending_ = true;
  up_.handle_taken();
}

void Bridge::handle_sent(Instant now) {
  if (!network_) return;
  sending_ = false;
  remote_.handle_sent(now);
  up_.handle_sent(now);
  if (phase_ == Phase::Leaving && output().empty()) {
    leave_now(now);
  } else {
    review(now);
  }
}

void Bridge::handle_closed(std::string_view reason, Instant now) {
  if (std::exchange(disconnect_wanted_, false) || !network_) return;
  network_ = false;
  if (phase_ == Phase::Leaving) {
    leave_now(now);
  } else if (phase_ == Phase::Online) {
    lose(std::string(reason), Loss::Ordinary, now);
  } else if (phase_ == Phase::Handshaking && dialect_.handle_closed_silently()) {
    remote_.close();
    dial(now);
  } else {
    next(std::string(reason), now);
  }
}

// --- attempts ---

void Bridge::next(std::string reason, Instant now) {
  hang_up();
  if (address_ + 1 < options_.addresses.size()) {
    ++address_;
    reason_ = std::move(reason);
    dial(now);
    return;
  }
  address_ = 0;
  back_off(State::Backoff, std::move(reason), now);
}

void Bridge::back_off(State state, std::string reason, Instant now) {
  phase_ = Phase::Backoff;
  deadline_ = now + backoff_.next();
  log_offline(reason, now);
  set_state(state, std::move(reason), now);
}

void Bridge::handle_refused(ReasonCode reason, Instant now) {
  buffer_.far_session().note_refused();
  if (reason != ReasonCode::UnsupportedProtocolVersion) {
    dialect_.handle_understood();
  } else if (dialect_.handle_refused()) {
    hang_up();
    dial(now);
    return;
  }
  next("the far broker refused CONNECT: " + describe(reason), now);
}

// --- online ---

std::uint16_t Bridge::window() const {
  const std::uint16_t bearable = remote_.version() == mqtt::Version::V5 ? kWindowMaxV5 : kWindowMaxV3;
  const std::uint16_t ours = options_.inflight_max > 0 ? options_.inflight_max : bearable;
  return std::min(remote_.limits().receive_maximum, ours);  // [MQTT-3.3.4-9]
}

std::uint16_t Bridge::exactly_once_window() const {
  const bool is_limited = remote_.version() != mqtt::Version::V5 && options_.inflight_max == 0;
  return is_limited ? std::min(window(), kExactlyOnceMaxV3) : window();
}

void Bridge::handle_accepted(bool session_present, Instant now) {
  dialect_.handle_understood();
  phase_ = Phase::Online;
  online_since_ = now;
  ++connects_;
  reported_.clear();
  subscription_fault_.clear();
  log_.write(LogLevel::Info, "bridge.online",
             {{"name", options_.name},
              {"remote", options_.addresses[address_].url()},
              {"mqtt_version", remote_.version() == mqtt::Version::V5 ? "5" : "3.1.1"},
              {"session", session_present ? "resumed" : "new"},
              {"queued", buffer_.waiting()}});
  set_state(buffer_.backlog() > 0 ? State::Draining : State::Online, "", now);
  down_.connect({session_present, buffer_.far_session().note_answered()});
  up_.connect({window(), exactly_once_window()}, session_present, now);
  review(now);
}

void Bridge::handle_acknowledgement(mqtt::PacketType type, PacketId packet_id, ReasonCode reason, Instant now) {
  if (type == mqtt::PacketType::Pubrel) {
    down_.handle_pubrel(packet_id);
  } else {
    up_.handle_acknowledgement(type, packet_id, reason, now);
  }
}

void Bridge::handle_suback(const mqtt::Suback& suback, Instant) {
  std::string fault = down_.handle_suback(suback);
  if (fault.empty()) return;
  log_.write(LogLevel::Warning, "bridge.subscription_refused", {{"name", options_.name}, {"reason", fault}});
  subscription_fault_ = std::move(fault);
}

void Bridge::handle_unsuback(const mqtt::Unsuback& unsuback, Instant now) {
  const std::string fault = down_.handle_unsuback(unsuback, now);
  if (fault.empty()) return;
  log_.write(LogLevel::Warning, "bridge.unsubscription_refused",
             {{"name", options_.name}, {"reason", fault}, {"then", "tried again with the next connection"}});
}

void Bridge::handle_lost(std::string_view why, ReasonCode code, Instant now) {
  if (phase_ == Phase::Handshaking) {
    next(std::string(why), now);
  } else if (code == ReasonCode::SessionTakenOver) {
    handle_takeover(now);
  } else {
    lose(std::string(why), Loss::Ordinary, now);
  }
}

void Bridge::handle_takeover(Instant now) {
  const bool again = last_takeover_ && now - *last_takeover_ <= kTakeoverPeriod;
  last_takeover_ = now;
  lose(again ? "another client uses client id " + remote_.client_id()
             : "the far broker gave our session to another connection",
       Loss::TakenOver, now);
}

void Bridge::lose(std::string reason, Loss loss, Instant now) {
  hang_up();
  up_.disconnect(now);
  down_.disconnect();
  const bool stable = loss == Loss::Ordinary && now - online_since_ >= kStableAfter;
  if (stable) {
    backoff_.reset();
    address_ = 0;
    back_off(State::Backoff, std::move(reason), now);
  } else if (loss == Loss::Ordinary) {
    log_offline(reason, now);
    next(std::move(reason), now);
  } else {
    // Not at once, but elsewhere if there is an elsewhere.
    address_ = (address_ + 1) % options_.addresses.size();
    back_off(loss == Loss::Stalled ? State::Stalled : State::Backoff, std::move(reason), now);
  }
}

void Bridge::review(Instant now) {
  if (rates_due_ <= now && rates_move()) move_rates(now);
  if (phase_ != Phase::Online) return;
  const std::uint64_t backlog = buffer_.backlog();
  // A backlog below the window comes and goes with every burst.
  const bool draining = state_ == State::Draining ? backlog > 0 : backlog > window();
  if (up_.refused()) {
    set_state(State::Stalled, "the far broker takes no more messages for now: " + describe(ReasonCode::QuotaExceeded),
              now);
    return;
  }
  set_state(draining ? State::Draining : State::Online, subscription_fault_, now);
}

void Bridge::move_rates(Instant now) {
  up_rate_.update(buffer_.delivered(), now);
  down_rate_.update(buffer_.received(), now);
  rates_due_ = now + kRateInterval;
}

// --- time ---

Instant Bridge::stall_due() const {
  if (phase_ != Phase::Online) return kNever;
  return std::max(up_.progress_due(options_.ack_timeout), patience_until_);
}

Instant Bridge::next_deadline() const {
  Instant due = std::min({deadline_, remote_.deadline(), stall_due(), up_.retry_due()});
  if (buffer_.waiting() > 0) due = std::min(due, expiry_due_);
  if (rates_move()) due = std::min(due, rates_due_);
  return due;
}

void Bridge::handle_timeout(Instant now) {
  if (expiry_due_ <= now) {
    up_.expire(now);
    expiry_due_ = now + kExpiryInterval;
  }
  if (deadline_ <= now) {
    deadline_ = kNever;
    if (phase_ == Phase::Connecting) {
      next("no connection within " + in_seconds(kConnectTimeout), now);
    } else if (phase_ == Phase::Backoff) {
      dial(now);
    } else if (phase_ == Phase::Leaving) {
      leave_now(now);
    }
    return;
  }
  if (stall_due() <= now && reading_paused()) {
    patience_until_ = now + options_.ack_timeout;
  } else if (stall_due() <= now) {
    lose("no acknowledgement for " + in_seconds(options_.ack_timeout), Loss::Stalled, now);
    return;
  }
  remote_.handle_timeout(reading_paused(), now);
  if (up_.retry_due() <= now) up_.pump(now);
  review(now);
}

// --- what may change while it runs ---

void Bridge::set_rules(std::vector<Rule> rules, Instant now) {
  const bool came_down = buffer_.map().comes_down();
  buffer_.set_rules(std::move(rules));
  const bool comes_down = buffer_.map().comes_down();
  if (comes_down != came_down) dialect_ = Dialect(options_.version, comes_down);
  // The bridge bit, which keeps echoes away in 3.1.1, is asked for by CONNECT.
  const bool lacks_bit = comes_down && !came_down && remote_.version() != mqtt::Version::V5;
  if (lacks_bit && phase_ == Phase::Online) {
    lose("the new rules need another CONNECT", Loss::Ordinary, now);
  } else if (lacks_bit && phase_ == Phase::Handshaking) {
    hang_up();
    dial(now);
  } else {
    down_.handle_rules_changed();
  }
}

// --- the end ---

void Bridge::shut_down(Instant now) {
  if (phase_ == Phase::Idle) return;
  if (phase_ != Phase::Online) {
    leave_now(now);
    return;
  }
  up_.stop();
  down_.disconnect();
  remote_.write_disconnect();
  phase_ = Phase::Leaving;
  deadline_ = now + kLeaveTimeout;
  set_state(State::Disabled, "shutting down", now);
}

void Bridge::leave_now(Instant now) {
  hang_up();
  up_.disconnect(now);
  down_.disconnect();
  phase_ = Phase::Idle;
  deadline_ = kNever;
  set_state(State::Disabled, "shutting down", now);
}

// --- status ---

void Bridge::set_state(State state, std::string reason, Instant now) {
  if (state == state_ && reason == reason_) return;
  if (state != state_) since_ = now;
  state_ = state;
  reason_ = std::move(reason);
  ++status_changes_;
}

// Once per change: while the same thing keeps us offline, the log has said so.
void Bridge::log_offline(const std::string& reason, Instant now) {
  if (std::exchange(reported_, reason) == reason) return;
  const Duration wait = phase_ == Phase::Backoff ? deadline_ - now : Duration::zero();
  log_.write(
      LogLevel::Warning, "bridge.offline",
      {{"name", options_.name}, {"reason", reason}, {"retry_in", in_seconds(wait)}, {"queued", buffer_.waiting()}});
}

Snapshot Bridge::snapshot() const {
  Snapshot snapshot;
  snapshot.state = state_;
  snapshot.reason = reason_;
  snapshot.since = since_;
  if (!options_.addresses.empty()) snapshot.remote = options_.addresses[address_].url();
  snapshot.client_id = remote_.client_id();
  snapshot.connected = remote_.connected();
  buffer_.describe(snapshot);
  snapshot.last_ack = up_.last_acknowledgement();
  if (phase_ == Phase::Backoff) snapshot.next_attempt = deadline_;
  snapshot.connects = connects_;
  snapshot.up_per_s = up_rate_.per_s();
  snapshot.down_per_s = down_rate_.per_s();
  // Below one message in a hundred seconds an estimate says nothing.
  if (state_ == State::Draining && snapshot.up_per_s >= 0.01) {
    const double seconds = static_cast<double>(snapshot.backlog_messages) / snapshot.up_per_s;
    snapshot.drain_eta = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }
  return snapshot;
}

}  // namespace furrow::bridge
