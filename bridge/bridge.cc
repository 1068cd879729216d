#include "bridge/bridge.h"

#include <algorithm>
#include <utility>

#include "broker-core/base/printable.h"

namespace furrow::bridge {

using mqtt::ReasonCode;

namespace {

// Resolving, TCP and TLS together: a WAN that swallows packets would hold an attempt for minutes. Where there are other
// addresses to try, a silent one is given less.
constexpr Duration kConnectTimeout = std::chrono::seconds(30);
constexpr Duration kConnectTimeoutAmongOthers = std::chrono::seconds(15);
// Bytes that one segment of TCP has room for on any usual path, with TLS around them.
constexpr std::size_t kSegmentBytes = 1'200;
// The longest wait between tries of an earlier address that does not let us in.
constexpr Duration kFailbackMax = std::chrono::hours(1);
// How long what is in flight may take when the window closes; the rest is resumed when it opens.
constexpr Duration kFinishTimeout = std::chrono::seconds(10);
// Far brokers that send us on and on are not followed further.
constexpr unsigned kRedirectsMax = 3;
// Of a topic that a reason names.
constexpr std::size_t kTopicBytesShown = 100;
// How long DISCONNECT may take to leave.
constexpr Duration kLeaveTimeout = std::chrono::seconds(2);
// Two take-overs of our client identifier within this time: two clients share it, and would push each other out for
// ever if we reconnected at once.
constexpr Duration kTakeoverPeriod = std::chrono::minutes(1);
// How often the rates are brought up to date.
constexpr Duration kRateInterval = std::chrono::seconds(1);
// How often the buffer is looked through for what has expired.
constexpr Duration kExpiryInterval = std::chrono::seconds(10);
// A pause ends earlier than it seemed to when the clock becomes trusted and tells how long the machine was off.
constexpr Duration kPauseLookInterval = std::chrono::minutes(1);
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

bool lets_nothing_through(State state) {
  return state == State::Connecting || state == State::Backoff || state == State::Stalled;
}

// Reasons of a DISCONNECT with which a far broker may mean a message that it does not bear.
bool may_be_for_a_message(ReasonCode code) {
  switch (code) {
    case ReasonCode::MalformedPacket:
    case ReasonCode::ProtocolError:
    case ReasonCode::NotAuthorized:
    case ReasonCode::TopicNameInvalid:
    case ReasonCode::PayloadFormatInvalid:
    case ReasonCode::PacketTooLarge:
    case ReasonCode::RetainNotSupported:
    case ReasonCode::QosNotSupported:
      return true;
    default:
      return false;
  }
}

constexpr std::string_view kNothingAcknowledged = "nothing was acknowledged on the last two connections";

}  // namespace

Bridge::Bridge(Options options, Buffer& buffer, broker::Broker& broker, Log& log, Instant now)
    : options_(std::move(options)),
      buffer_(buffer),
      broker_(broker),
      addresses_(options_.addresses.size()),
      backoff_(options_.backoff_initial, options_.backoff_max, options_.seed),
      dialect_(make_dialect(std::ranges::any_of(options_.rules, &Rule::comes_down), now)),
      remote_({.client_id = options_.client_id,
               .gateway_id = options_.loop_guard.mode == LoopGuard::Mode::Off ? std::string() : options_.gateway_id,
               .username = options_.username,
               .keep_alive = options_.keep_alive,
               .session_expiry_s = options_.session_expiry_s,
               .packet_bytes_max = broker.limits().packet_bytes,
               .receive_maximum = receive_maximum(broker.limits()),
               .known = options_.known},
              *this),
      presence_(options_.presence, remote_),
      up_(buffer, remote_,
          {.gathers_for = options_.coalesce,
           .drain = options_.drain,
           .stamp = options_.stamp,
           .gateway_id = options_.gateway_id,
           .notes_removed = options_.retain_sync,
           .adds_path = options_.loop_guard.mode == LoopGuard::Mode::Always || options_.mesh}),
      down_(buffer, remote_, broker),
      retained_({.enabled = options_.retain_sync, .doubt = options_.ack_timeout}, buffer, up_, down_, broker),
      times_(options_.times),
      reports_(options_.name, log),
      failback_wait_(options_.failback),
      since_(now) {
  move_rates(now);
  buffer_.set_limits(options_.buffer);
  buffer_.set_rules(options_.rules, options_.live_first, now);
  buffer_.set_loop_guard(options_.loop_guard, options_.gateway_id);
  buffer_.set_meshed(options_.mesh);
  buffer_.set_taking(options_.enabled && !options_.addresses.empty());
  look_at_pause(now);
  if (std::string reason = rest_reason(); !reason.empty()) {
    set_state(State::Disabled, std::move(reason), now);
  } else if (phase_ == Phase::Idle && times_.has_window()) {
    phase_ = Phase::Waiting;
    set_state(State::Waiting, "the time of day is not known yet", now);
  } else if (phase_ == Phase::Idle) {
    dial({}, now);
  }
}

// --- the network connection ---

std::optional<Command> Bridge::poll_command() {
  if (disconnect_wanted_) {
    disconnect_wanted_ = false;
    return Disconnect{};
  }
  if (probe_wanted_) return Probe{*std::exchange(probe_wanted_, std::nullopt)};
  if (!connect_wanted_) return std::nullopt;
  network_ = true;
  Connect command{*std::move(connect_wanted_)};
  connect_wanted_.reset();
  return command;
}

// Output that fills a segment leaves at once; so does all that is not of a connection which stands.
bool Bridge::review_output(Instant now) {
  const std::size_t size = remote_.output().size();
  if (phase_ != Phase::Online || options_.coalesce == Duration::zero() || size == 0 || size >= kSegmentBytes) {
    gathering_until_.reset();
    return true;
  }
  if (!gathering_until_) gathering_until_ = now + options_.coalesce;
  return *gathering_until_ <= now;
}

bool Bridge::has_work() const {
  const bool is_written = network_ && !sending_ && !remote_.output().empty() && !gathering_until_;
  return disconnect_wanted_ || connect_wanted_ || probe_wanted_ || is_written;
}

bool Bridge::reading_paused() const {
  return remote_.output().size() >= kPausedOutputBytes ||
         // In MQTT 5 there are never more: what comes then are acknowledgements, for which others may wait.
         down_.acknowledgements_waiting() > receive_maximum(broker_.limits()) ||
         (broker_.limits().commit_waiting_bytes > 0 &&
          broker_.journal().waiting_bytes() >= broker_.limits().commit_waiting_bytes);
}

Duration Bridge::connect_timeout() const {
  return options_.addresses.size() > 1 ? kConnectTimeoutAmongOthers : kConnectTimeout;
}

bool Bridge::wants_connection(Instant now) const {
  return times_.wants_connection(queue(), now);
}

void Bridge::wait(Instant now) {
  phase_ = Phase::Waiting;
  deadline_ = kNever;
  times_.note_left();
  set_state(State::Waiting, times_.reason(), now);
  reports_.waiting(reason_, waiting());
}

void Bridge::dial(std::string reason, Instant now) {
  if (!wants_connection(now)) {
    wait(now);
    return;
  }
  times_.note_connecting();
  phase_ = Phase::Connecting;
  deadline_ = now + connect_timeout();
  dialect_.handle_dial(now);
  connect_wanted_ = address();
  reports_.connecting(address().url(), dialect_.name());
  set_state(State::Connecting, std::move(reason), now);
}

void Bridge::hang_up() {
  remote_.close();
  redirected_to_.reset();
  connect_wanted_.reset();
  gathering_until_.reset();
  probe_wanted_.reset();
  probing_.reset();
  failback_due_ = kNever;
  if (network_) disconnect_wanted_ = true;
  network_ = false;
}

void Bridge::handle_connected(std::optional<std::string> password, Instant now) {
  if (!network_ || phase_ != Phase::Connecting) return;
  phase_ = Phase::Handshaking;
  sending_ = false;
  deadline_ = kNever;  // the remote session has its own
  buffer_.far_session().note_connect();
  remote_.open({dialect_.version(), dialect_.bridge_bit(), std::move(password), presence_.will()}, now);
}

void Bridge::handle_connect_failed(std::string_view reason, Instant now) {
  // A connection that we have given up is gone, and need not be ended.
  if (std::exchange(disconnect_wanted_, false) || !network_) return;
  network_ = false;
  next(std::string(reason), Wait::Growing, now);
}

void Bridge::handle_bytes(ByteView bytes, bool dry, Instant now) {
  if (!network_ || phase_ == Phase::Leaving) return;
  remote_.handle_bytes(bytes, now);
  if (phase_ != Phase::Online) return;
  retained_.handle_heard(now);
  if (dry) down_.handle_dry();
  retained_.advance(now);
  review(now);
}

void Bridge::handle_taken() {
  gathering_until_.reset();
  sending_ = true;
  up_.handle_taken();
}

void Bridge::handle_sent(Instant now) {
  if (!network_) return;
  gathering_until_.reset();
  sending_ = false;
  remote_.handle_sent(now);
  up_.handle_sent(now);
  if (phase_ == Phase::Leaving && output().empty()) {
    leave_now(now);
  } else {
    retained_.advance(now);
    review(now);
  }
}

void Bridge::handle_closed(const Error& why, Instant now) {
  if (std::exchange(disconnect_wanted_, false) || !network_) return;
  network_ = false;
  if (phase_ == Phase::Leaving) {
    leave_now(now);
  } else if (phase_ == Phase::Online && why.code() == Errc::Closed) {
    handle_ended(why.message(), LinkHistory::End::Closed, WayUp::Ending::InOrder, now);
  } else if (phase_ == Phase::Online && why.code() == Errc::Reset) {
    handle_ended(why.message(), LinkHistory::End::Closed, WayUp::Ending::Reset, now);
  } else if (phase_ == Phase::Online) {
    lose(why.message(), LinkHistory::End::Closed, now);
  } else if (phase_ == Phase::Handshaking) {
    handle_no_answer(dialect_.handle_closed_silently(),
                     "the far side ended the connection without CONNACK (" + why.message() + ")", now);
  } else {
    next(why.message(), Wait::Growing, now);
  }
}

// --- attempts ---

void Bridge::next(std::string reason, Wait wait, Instant now) {
  reports_.attempt_failed(address().url(), reason);
  hang_up();
  redirects_ = 0;
  if (addresses_.advance()) {
    dial(std::move(reason), now);
  } else {
    back_off(std::move(reason), wait, now);
  }
}

void Bridge::back_off(std::string reason, Wait how, Instant now) {
  if (!wants_connection(now)) {
    wait(now);
    return;
  }
  phase_ = Phase::Backoff;
  deadline_ = now + (how == Wait::Brief ? backoff_.brief() : backoff_.next());
  reports_.offline(reason, deadline_ - now, waiting(), now);
  set_state(State::Backoff, std::move(reason), now);
}

void Bridge::handle_refused(const mqtt::Connack& connack, Instant now) {
  buffer_.far_session().note_refused();
  if (follow(connack, now)) return;
  const std::string_view asked = dialect_.name();
  if (connack.reason != ReasonCode::UnsupportedProtocolVersion) {
    dialect_.handle_understood(now);
  } else if (dialect_.handle_refused()) {
    hang_up();
    dial("the far broker refused " + std::string(asked) + "; trying " + std::string(dialect_.name()), now);
    return;
  }
  std::string reason = describe(connack, options_.username.has_value(), remote_.client_id());
  if (!notice_.empty()) reason += "; " + notice_;
  next(std::move(reason), Wait::Growing, now);
}

bool Bridge::follow(const mqtt::Connack& connack, Instant now) {
  const bool is_moved = connack.reason == ReasonCode::ServerMoved;
  if (!is_moved && connack.reason != ReasonCode::UseAnotherServer) return false;
  const auto reference = connack.properties.text(mqtt::PropertyId::ServerReference);
  const auto to = reference ? redirect_target(*reference, address()) : std::nullopt;
  if (!to || redirects_ == kRedirectsMax) return false;
  std::string reason = address().url() + " sends us to " + to->url();
  if (is_moved) reason += " for good: write that into connect";
  dialect_.handle_understood(now);
  reports_.attempt_failed(address().url(), reason);
  hang_up();
  ++redirects_;
  redirected_to_ = to;
  dial(std::move(reason), now);
  return true;
}

void Bridge::handle_stranger(Stranger stranger, Instant now) {
  next(describe(stranger, address()), Wait::Growing, now);
}

void Bridge::handle_silence(Instant now) {
  handle_no_answer(dialect_.handle_silence(), address().text() + " says nothing to CONNECT: no CONNACK within 10 s",
                   now);
}

void Bridge::handle_no_answer(Dialect::Verdict verdict, std::string why, Instant now) {
  const bool nothing_helped = verdict == Dialect::Verdict::Unrelated || is_usual_for_tls(address().port);
  if (nothing_helped && !dialect_.is_understood()) why += advise_tls(address());
  switch (verdict) {
    case Dialect::Verdict::NextAtOnce:
      hang_up();
      reports_.attempt_failed(address().url(), why);
      dial(std::move(why) + "; trying " + std::string(dialect_.name()), now);
      break;
    case Dialect::Verdict::AskAgain:
      next(std::move(why) + "; trying " + std::string(dialect_.name()) + " again", Wait::Brief, now);
      break;
    case Dialect::Verdict::Unrelated:
      next(std::move(why), Wait::Growing, now);
      break;
  }
}

Dialect Bridge::make_dialect(bool comes_down, Instant now) const {
  Dialect dialect(options_.version, comes_down);
  const auto& old_broker = buffer_.far_session().old_broker();
  const auto is_its_address = [&](const Address& each) { return each.url() == old_broker->remote; };
  if (old_broker && std::ranges::any_of(options_.addresses, is_its_address)) {
    dialect.restore(old_broker->lacks_bridge_bit, now);
  }
  return dialect;
}

void Bridge::remember_dialect(Instant now) {
  dialect_.handle_understood(now);
  FarSession& session = buffer_.far_session();
  if (dialect_.is_fallback()) {
    session.set_old_broker(FarSession::OldBroker{address().url(), dialect_.lacks_bridge_bit()});
  } else {
    session.set_old_broker(std::nullopt);
  }
}

// --- online ---

std::uint16_t Bridge::window() const {
  const std::uint16_t bearable = remote_.version() == mqtt::Version::V5 ? kWindowMaxV5 : kWindowMaxV3;
  const std::uint16_t ours = options_.inflight_max > 0 ? options_.inflight_max : bearable;
  return std::min(far_window(), ours);  // [MQTT-3.3.4-9]
}

// The receive maximum of the far broker, less the one message that is not the buffer's.
std::uint16_t Bridge::far_window() const {
  const std::uint16_t all = remote_.limits().receive_maximum;
  const bool shared = presence_.is_wanted() && all > Presence::kInflight;
  return shared ? static_cast<std::uint16_t>(all - Presence::kInflight) : all;
}

std::uint16_t Bridge::exactly_once_window() const {
  const bool is_limited = remote_.version() != mqtt::Version::V5 && options_.inflight_max == 0;
  return is_limited ? std::min(window(), kExactlyOnceMaxV3) : window();
}

void Bridge::handle_accepted(bool session_present, Instant now) {
  remember_dialect(now);
  buffer_.echoes().set_echoing(dialect_.lacks_bridge_bit());
  phase_ = Phase::Online;
  redirects_ = 0;
  addresses_.note_worked();
  note_failback(now);
  history_.begin(now);
  ++connects_;
  subscription_fault_.clear();
  odd_answer_.clear();
  resumed_ = session_present;
  announced_ = false;
  presence_.reset();
  draining_ = buffer_.backlog() > 0;
  if (draining_) drain_.begin(counts(), now);
  finished_by_ = kNever;
  times_.note_activity(now);
  down_.connect(retained_.welcome(session_present, buffer_.far_session().note_answered(), now));
  buffer_.far_session().store_old_broker_lazily(now);
  up_.connect({window(), exactly_once_window()}, session_present, !times_.window_is_open(), now);
  retained_.connect(now);
  review(now);
}

void Bridge::handle_publish(const mqtt::Publish& publish, Instant now) {
  // Retained messages come at every SUBSCRIBE, on the worst of connections.
  if (!publish.retain) history_.note_progress();
  down_.handle_publish(publish, now);
}

void Bridge::handle_acknowledgement(mqtt::PacketType type, PacketId packet_id, ReasonCode reason, Instant now) {
  if (type == mqtt::PacketType::Pubrel) {
    down_.handle_pubrel(packet_id);
    return;
  }
  if (type == mqtt::PacketType::Puback && presence_.handle_puback(packet_id)) return;
  const auto oddity = up_.handle_acknowledgement(type, packet_id, reason, now);
  if (up_.last_acknowledgement() == now) history_.note_progress();
  if (!oddity) return;
  odd_answer_ = oddity->answer;
  reports_.oddity("bridge.odd_answer", oddity->answer, oddity->then);
}

void Bridge::handle_suback(const mqtt::Suback& suback, Instant now) {
  // We subscribe to one filter at a time.
  if (suback.reasons.size() > 1) {
    reports_.oddity("bridge.odd_answer", "SUBACK with more reasons than filters were asked for",
                    "the first one counts");
  }
  std::string fault = down_.handle_suback(suback, now);
  if (fault.empty()) return;
  reports_.refused("bridge.subscription_refused", fault);
  subscription_fault_ = std::move(fault);
}

void Bridge::handle_unsuback(const mqtt::Unsuback& unsuback, Instant now) {
  const std::string fault = down_.handle_unsuback(unsuback, now);
  if (fault.empty()) return;
  reports_.refused("bridge.unsubscription_refused", fault, "tried again with the next connection");
}

void Bridge::handle_lost(std::string_view why, ReasonCode code, Instant now) {
  if (phase_ == Phase::Handshaking) {
    next(std::string(why), Wait::Growing, now);
  } else if (code == ReasonCode::SessionTakenOver) {
    handle_takeover(now);
  } else if (may_be_for_a_message(code)) {
    handle_ended(std::string(why), LinkHistory::End::Other, WayUp::Ending::InOrder, now);
  } else {
    lose(std::string(why), LinkHistory::End::Other, now);
  }
}

void Bridge::handle_takeover(Instant now) {
  const bool again = last_takeover_ && now - *last_takeover_ <= kTakeoverPeriod;
  last_takeover_ = now;
  if (again) contested_ = now;
  lose(again ? "another client uses client id " + remote_.client_id()
             : "the far broker gave our session to another connection",
       LinkHistory::End::TakenOver, now);
}

void Bridge::handle_stall(Instant now) {
  std::string reason = "no acknowledgement for " + in_seconds(options_.ack_timeout);
  if (!odd_answer_.empty()) reason += "; its last odd answer was " + odd_answer_;
  up_.forget_suspects();
  lose(std::move(reason), LinkHistory::End::Stalled, now);
}

LinkHistory::Verdict Bridge::end_connection(LinkHistory::End how, Instant now) {
  const LinkHistory::Verdict verdict = history_.end(how, buffer_.inflight() > 0, now);
  retained_.disconnect();
  hang_up();
  up_.disconnect(now);
  down_.disconnect();
  drain_.cancel();
  draining_ = false;
  return verdict;
}

void Bridge::handle_ended(std::string reason, LinkHistory::End how, WayUp::Ending ending, Instant now) {
  const auto culprit = up_.handle_ended_by_far_broker(ending, now);
  if (culprit) {
    how = LinkHistory::End::Other;  // it is known why: nobody asks for another client
    reports_.set_aside(*culprit);
    backoff_.reset();
    reason += "; it does not take a message on '" + printable(culprit->topic, kTopicBytesShown) + "'" +
              ", which was set aside";
  } else if (up_.wants_quiet()) {
    reason += ", again and again soon after a message was sent: ";
    reason += buffer_.quarantine().has_place() ? "one at a time now, to see whether it is for one of them"
                                               : "the quarantine is full, see furrow buffer show --quarantine";
  }
  lose(std::move(reason), how, now);
}

void Bridge::lose(std::string reason, LinkHistory::End how, Instant now) {
  const LinkHistory::Verdict verdict = end_connection(how, now);
  if (verdict.good) backoff_.reset();
  const bool pushed_out = verdict.may_be_pushed_out && up_.suspicious_ends() == 0;
  if (pushed_out) {
    pushed_out_ = now;
    reason +=
        ", again and again soon after it was online: does another client use client id " + remote_.client_id() + "?";
  }
  if (history_.owing()) stall_reason_ = how == LinkHistory::End::Stalled ? reason : std::string(kNothingAcknowledged);
  const bool is_gone = how == LinkHistory::End::Closed || how == LinkHistory::End::Other;
  // Back off, and then try the same address again if the connection was good, else the next one; that at once if it is
  // only this address that fails.
  const bool elsewhere = !(verdict.good && is_gone) && addresses_.advance();
  if (elsewhere && is_gone && !pushed_out) {
    reports_.offline(reason, Duration::zero(), waiting(), now);
    dial(std::move(reason), now);
  } else {
    back_off(std::move(reason), Wait::Growing, now);
  }
}

std::string Bridge::shortcoming() const {
  if (!subscription_fault_.empty()) return subscription_fault_;
  if (up_.lacks_exactly_once()) {
    return "the far broker answers QoS 2 with PUBACK, so messages go at QoS 1: set qos: 1";
  }
  return notice_;
}

void Bridge::review(Instant now) {
  if (rates_due_ <= now && rates_move()) move_rates(now);
  if (const auto circling = buffer_.poll_circling()) reports_.circling(*circling, now);
  if (const auto stopped = buffer_.echoes().poll_stopped()) reports_.stopped(*stopped);
  if (phase_ != Phase::Online) return;
  review_times(now);
  if (phase_ != Phase::Online) return;
  if (up_.wants_quiet()) {
    up_.set_quiet(presence_.is_settled() && buffer_.far_session().subscriptions().is_settled(), now);
  }
  if (buffer_.waiting() == 0) history_.forgive();
  review_drain(now);
  if (history_.owing()) {
    set_state(State::Stalled, stall_reason_, now);
  } else if (up_.refused()) {
    set_state(State::Stalled, "the far broker takes no more messages for now: " + describe(ReasonCode::QuotaExceeded),
              now);
  } else if (std::string loop = buffer_.echoes().reason(now); !loop.empty()) {
    set_state(State::Stalled, std::move(loop), now);
  } else {
    review_well(now);
    return;
  }
  reports_.stalled(reason_, waiting(), now);
}

void Bridge::review_times(Instant now) {
  const std::uint64_t moved = buffer_.delivered() + buffer_.received();
  const bool is_busy = buffer_.inflight() > 0 || buffer_.backlog() > 0;
  if (std::exchange(moved_, moved) != moved || is_busy) times_.note_activity(now);
  const bool is_idle = !is_busy && times_.idle_due() <= now;
  if (!times_.window_is_open() && (finished_by_ == kNever || buffer_.has_urgent())) {
    finished_by_ = now + kFinishTimeout;
    up_.hold();
  }
  const bool is_finished = finished_by_ != kNever && (buffer_.inflight() == 0 || finished_by_ <= now);
  if (is_idle || is_finished) leave(After::Waiting, now);
}

void Bridge::review_well(Instant now) {
  if (!std::exchange(announced_, true)) {
    reports_.online(address().url(), remote_.version() == mqtt::Version::V5 ? "5" : "3.1.1", resumed_,
                    buffer_.waiting());
  }
  reports_.well();
  set_state(draining_ ? State::Draining : State::Online, shortcoming(), now);
}

void Bridge::review_drain(Instant now) {
  const std::uint64_t backlog = buffer_.backlog();
  // A backlog below the window comes and goes with every burst.
  const bool begins = !draining_ && backlog > window();
  if (begins && !drain_.active()) drain_.begin(counts(), now);
  draining_ = begins || (draining_ && backlog > 0);
  if (const auto result = drain_.poll_end(counts(), now)) reports_.drained(*result);
}

void Bridge::move_rates(Instant now) {
  up_rate_.update(buffer_.delivered(), now);
  down_rate_.update(buffer_.received(), now);
  drain_.update(counts(), now);
  rates_due_ = now + kRateInterval;
}

// --- back to an earlier address ---

void Bridge::probe(std::size_t place, Instant now) {
  probing_.reset();
  failback_due_ = kNever;
  if (place < addresses_.current()) {
    probing_ = place;
    probe_wanted_ = options_.addresses[place];
  } else {
    failback_due_ = now + failback_wait_;
  }
}

void Bridge::handle_probed(bool reached, Instant now) {
  if (!probing_ || phase_ != Phase::Online) return;
  if (reached) {
    go_back(*probing_, now);
  } else {
    probe(*probing_ + 1, now);
  }
}

// Online at some address. One that takes connections and did not let us in is asked less and less often.
void Bridge::note_failback(Instant now) {
  if (chosen_ == addresses_.current()) return;
  chosen_.reset();
  const bool in_vain = gone_back_to_ && addresses_.current() > *gone_back_to_;
  gone_back_to_.reset();
  failback_wait_ =
      in_vain ? std::min(2 * failback_wait_, std::max(kFailbackMax, options_.failback)) : options_.failback;
  if (addresses_.has_earlier() && failback_wait_ > Duration::zero()) failback_due_ = now + failback_wait_;
}

// Messages in flight are sent again there.
void Bridge::go_back(std::size_t place, Instant now) {
  (void)end_connection(LinkHistory::End::Other, now);
  addresses_.go_to(place);
  gone_back_to_ = place;
  dial("an earlier address is well again", now);
}

// --- time ---

Instant Bridge::stall_due() const {
  if (phase_ != Phase::Online) return kNever;
  return std::max(up_.progress_due(options_.ack_timeout), patience_until_);
}

Instant Bridge::next_deadline() const {
  Instant due = std::min({deadline_, remote_.deadline(), stall_due(), up_.retry_due(), up_.pace_due(), failback_due_,
                          retained_.next_deadline(), buffer_.thinning_due(), buffer_.wants_due(), pause_look_due_});
  if (phase_ == Phase::Waiting) due = std::min(due, times_.wanted_due(queue()));
  if (phase_ == Phase::Online) due = std::min({due, times_.idle_due(), finished_by_});
  if (gathering_until_ && !sending_) due = std::min(due, *gathering_until_);
  if (buffer_.waiting() > 0) due = std::min(due, expiry_due_);
  if (rates_move()) due = std::min(due, rates_due_);
  return due;
}

void Bridge::handle_timeout(Instant now) {
  if (expiry_due_ <= now) {
    up_.expire(now);
    expiry_due_ = now + kExpiryInterval;
  }
  if (pause_look_due_ <= now) look_at_pause(now);
  if (buffer_.wants_due() <= now && buffer_.review_wants(now)) down_.handle_rules_changed();
  const bool releases = buffer_.thinning_due() <= now;
  if (releases) buffer_.release_held(now);
  if (phase_ == Phase::Waiting) {
    review(now);
    if (wants_connection(now)) dial({}, now);
    return;
  }
  if (deadline_ <= now) {
    deadline_ = kNever;
    if (phase_ == Phase::Connecting) {
      next("no connection within " + in_seconds(connect_timeout()), Wait::Growing, now);
    } else if (phase_ == Phase::Backoff) {
      dial(reason_, now);
    } else if (phase_ == Phase::Leaving) {
      leave_now(now);
    }
    return;
  }
  if (stall_due() <= now && reading_paused()) {
    patience_until_ = now + options_.ack_timeout;
  } else if (stall_due() <= now) {
    handle_stall(now);
    return;
  }
  if (failback_due_ <= now) probe(0, now);
  remote_.handle_timeout(reading_paused(), now);
  if (releases || up_.retry_due() <= now || up_.pace_due() <= now) up_.pump(now);
  retained_.advance(now);
  review(now);
}

void Bridge::handle_minute(std::optional<std::uint16_t> minute, Instant now) {
  times_.set_minute(minute, now);
  switch (phase_) {
    case Phase::Waiting:
      if (wants_connection(now)) {
        dial({}, now);
      } else if (times_.reason() != reason_) {
        wait(now);
      }
      break;
    case Phase::Connecting:
    case Phase::Handshaking:
    case Phase::Backoff:
      if (times_.window_is_open() || buffer_.has_urgent()) break;
      hang_up();
      wait(now);
      break;
    case Phase::Online:
      review(now);
      break;
    case Phase::Idle:
    case Phase::Leaving:
      break;
  }
}

// --- what may change while it runs ---

void Bridge::set_rules(std::vector<Rule> rules, Instant now) {
  const bool came_down = buffer_.map().comes_down();
  buffer_.set_rules(std::move(rules), options_.live_first, now);
  const bool comes_down = buffer_.map().comes_down();
  if (comes_down != came_down) dialect_ = make_dialect(comes_down, now);
  // The bridge bit, which keeps echoes away in 3.1.1, is asked for by CONNECT.
  const bool lacks_bit = comes_down && !came_down && remote_.version() != mqtt::Version::V5;
  if (lacks_bit && phase_ == Phase::Online) {
    lose("the new rules need another CONNECT", LinkHistory::End::Other, now);
  } else if (lacks_bit && phase_ == Phase::Handshaking) {
    hang_up();
    dial(reason_, now);
  } else {
    down_.handle_rules_changed();
    retained_.handle_rules_changed(now);
  }
}

// --- the operator ---

std::string Bridge::rest_reason() const {
  if (stopping_) return "shutting down";
  if (!options_.enabled) return "enabled: false in the configuration";
  if (options_.addresses.empty()) return "no address to connect to";
  return buffer_.pause() ? buffer_.pause()->reason() : std::string();
}

void Bridge::handle_pause_changed(Instant now) {
  if (stopping_) return;
  look_at_pause(now);
  const After after = rest_reason().empty() ? After::Asked : After::Rest;
  if (phase_ == Phase::Leaving) {
    after_leaving_ = after;
  } else if (after == After::Rest) {
    leave(after, now);
  } else if (phase_ == Phase::Idle) {
    dial({}, now);
  }
}

// Ends a pause whose time is over.
void Bridge::look_at_pause(Instant now) {
  pause_look_due_ = kNever;
  if (!buffer_.pause()) return;
  const ClockStamp stamp = broker_.journal().stamp(now);
  const Pause& pause = *buffer_.pause();
  if (pause.is_over(stamp)) {
    buffer_.set_pause(std::nullopt);
    handle_pause_changed(now);
  } else if (pause.length.count() > 0) {
    pause_look_due_ = now + std::min(pause.left(stamp), kPauseLookInterval);
  }
}

void Bridge::reconnect(std::optional<std::size_t> place, Instant now) {
  chosen_ = place;
  gone_back_to_.reset();
  addresses_.go_to(place.value_or(0));
  backoff_.reset();
  leave(After::Asked, now);
}

// --- the end ---

void Bridge::shut_down(Instant now) {
  stopping_ = true;
  pause_look_due_ = kNever;
  if (phase_ != Phase::Idle) leave(After::Rest, now);
}

void Bridge::leave(After after, Instant now) {
  after_leaving_ = after;
  if (phase_ != Phase::Online) {
    leave_now(now);
    return;
  }
  // The far broker keeps the session, and what is in flight is resumed with it.
  if (history_.end(LinkHistory::End::Other, buffer_.inflight() > 0, now).good) backoff_.reset();
  if (presence_.is_wanted()) presence_.say_left(buffer_.window().next_packet_id(), now);
  retained_.disconnect();
  up_.stop();
  down_.disconnect();
  drain_.cancel();
  draining_ = false;
  finished_by_ = kNever;
  remote_.write_disconnect();
  phase_ = Phase::Leaving;
  deadline_ = now + kLeaveTimeout;
  if (after == After::Rest) set_state(State::Disabled, rest_reason(), now);
}

void Bridge::renew_connection(Instant now) {
  if (phase_ == Phase::Online) leave(After::Anew, now);
}

void Bridge::set_notice(std::string notice, Instant now) {
  if (notice == notice_) return;
  notice_ = std::move(notice);
  if (!notice_.empty()) reports_.refused("bridge.notice", notice_);
  review(now);
}

void Bridge::leave_now(Instant now) {
  hang_up();
  up_.disconnect(now);
  down_.disconnect();
  drain_.cancel();
  draining_ = false;
  phase_ = Phase::Idle;
  deadline_ = kNever;
  if (after_leaving_ == After::Rest) {
    set_state(State::Disabled, rest_reason(), now);
    return;
  }
  if (after_leaving_ == After::Waiting) times_.note_left();
  dial(after_leaving_ == After::Asked ? "as the operator asked" : "", now);
}

// --- status ---

void Bridge::publish_presence(std::string_view payload, Instant now) {
  presence_.say(payload, buffer_.window().next_packet_id(), now);
}

void Bridge::set_state(State state, std::string reason, Instant now) {
  if (state == state_ && reason == reason_) return;
  // Attempts alternate with waits: what the operator wants to know is since when nothing gets through.
  if (state != state_ && !(lets_nothing_through(state) && lets_nothing_through(state_))) since_ = now;
  state_ = state;
  reason_ = std::move(reason);
  ++status_changes_;
}

Snapshot Bridge::snapshot() const {
  Snapshot snapshot;
  snapshot.state = state_;
  snapshot.reason = reason_;
  snapshot.since = since_;
  if (!options_.addresses.empty()) snapshot.remote = address().url();
  snapshot.client_id = remote_.client_id();
  snapshot.connected = remote_.connected();
  buffer_.describe(snapshot);
  snapshot.last_ack = up_.last_acknowledgement();
  snapshot.contested = contested_;
  snapshot.pushed_out = pushed_out_;
  snapshot.acknowledgement_times = up_.acknowledgement_times();
  if (phase_ == Phase::Backoff) snapshot.next_attempt = deadline_;
  if (phase_ == Phase::Waiting) snapshot.next_attempt = times_.opens_at();
  snapshot.connects = connects_;
  snapshot.up_per_s = up_rate_.per_s();
  snapshot.down_per_s = down_rate_.per_s();
  if (state_ == State::Draining) snapshot.drain_eta = drain_.eta(snapshot.backlog_messages);
  return snapshot;
}

}  // namespace furrow::bridge
