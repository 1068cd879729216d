// Who the client of a CONNECT is: what it has to prove, the wait for the verdict on its password, and what its user may
// have, up to the session.
#include "broker-core/admission.h"
#include "broker-core/connection.h"
#include "broker-core/mqtt/encoder.h"
#include "broker-core/sessions.h"

namespace furrow::broker {

namespace {

using mqtt::ReasonCode;

bool suits(ClientIdPolicy policy, const std::optional<std::string>& user, std::string_view client_id) {
  if (!user) return true;
  switch (policy) {
    case ClientIdPolicy::Free:
      return true;
    case ClientIdPolicy::User:
      return client_id == *user;
    case ClientIdPolicy::StartsWithUser:
      return client_id.starts_with(*user);
  }
  return true;
}

std::string assigned_client_id(ClientIdPolicy policy, const std::optional<std::string>& user, Sessions& sessions) {
  if (!user || policy == ClientIdPolicy::Free) return sessions.assign_client_id();
  return policy == ClientIdPolicy::User ? *user : sessions.assign_client_id(*user + "-");
}

}  // namespace

void Connection::log_in(const mqtt::Connect& packet, Instant now) {
  Authenticator* const authenticator = shared_.authenticator;
  const bool has_users = authenticator != nullptr && authenticator->has_users();
  const ListenerPolicy* const listener = find_listener(shared_.settings.listeners, arrival_->listener);
  const Admission admission = judge(listener, arrival_->vouched_user, packet, has_users);
  switch (admission.step) {
    case Admission::Step::Admit:
      admit(packet, admission.user, now);
      return;
    case Admission::Step::Refuse:
      fail_login(packet, admission.word, admission.reason, admission.why, now);
      return;
    case Admission::Step::Ask:
      break;
  }
  ++shared_.stats.logins_checked;
  const auto verdict = authenticator->ask({id_, *packet.username, *packet.password}, now);
  if (verdict) {
    handle_verdict(packet, *verdict, now);
    return;
  }
  mqtt::Connect rest = packet;
  rest.password.reset();
  extras().login = std::make_unique<Login>();
  encode(rest, login()->connect);
  note_reading();
}

void Connection::handle_login(Verdict verdict, Instant now) {
  if (login() == nullptr || login()->answer != kNever) return;
  const std::unique_ptr<Login> waited = std::move(extras_->login);
  mqtt::Decoder decoder(mqtt::Role::Server, UINT32_MAX);
  mqtt::Packet packet;
  mqtt::ProtocolError error;
  ByteView bytes = waited->connect.view();
  FURROW_CHECK(decoder.next(bytes, packet, error) == mqtt::Decoder::Step::Decoded);
  note_reading();
  handle_verdict(std::get<mqtt::Connect>(packet), verdict, now);
  if (state_ != State::Connected || held() || !overdrawn()) return;
  const ByteBuffer unread = take_unread();
  decode(unread.view(), now);
}

void Connection::handle_verdict(const mqtt::Connect& packet, Verdict verdict, Instant now) {
  switch (verdict) {
    case Verdict::Good:
      admit(packet, packet.username, now);
      return;
    case Verdict::Overloaded:
      ++shared_.stats.logins_overloaded;
      answer_refused(ReasonCode::QuotaExceeded, "too many logins wait; come back later", now);
      return;
    case Verdict::WrongPassword:
    case Verdict::UnknownUser:
      break;
  }
  const Duration delay = note_failure(packet, verdict == Verdict::UnknownUser ? "unknown_user" : "wrong_password", now);
  extras().login = std::make_unique<Login>();
  *login() = {.connect = {},
              .reason = ReasonCode::BadUserNameOrPassword,
              .why = "the user name or the password is wrong",
              .answer = now + delay};
  arm(deadline());
}

// The refusal that was held back is due, or the time for CONNECT is over.
void Connection::end_login_in_time(Instant now) {
  if (login()->answer == kNever) {
    ++shared_.stats.logins_overloaded;
    answer_refused(ReasonCode::QuotaExceeded, "the login was not checked in time; come back later", now);
    return;
  }
  const std::unique_ptr<Login> judged = std::move(extras_->login);
  answer_refused(judged->reason, judged->why, now);
}

void Connection::fail_login(const mqtt::Connect& packet, std::string_view word, ReasonCode reason, std::string_view why,
                            Instant now) {
  (void)note_failure(packet, word, now);
  answer_refused(reason, why, now);
}

Duration Connection::note_failure(const mqtt::Connect& packet, std::string_view word, Instant now) {
  ++shared_.stats.logins_failed;
  return shared_.failed_logins.note({.listener = arrival_->listener,
                                     .address = address(),
                                     .peer = peer(),
                                     .user = packet.username.value_or(std::string_view()),
                                     .reason = word},
                                    now);
}

// The user is proved; what is left is whether it may have this session. `user` may borrow from the arrival.
void Connection::admit(const mqtt::Connect& packet, std::optional<std::string_view> user, Instant now) {
  Identity identity;
  if (user) identity.user = *user;
  identity.listener = arrival_->listener;
  arrival_.reset();
  Sessions& sessions = shared_.sessions;
  const ClientIdPolicy policy = shared_.settings.client_id;
  const std::string client_id =
      packet.client_id.empty() ? assigned_client_id(policy, identity.user, sessions) : std::string(packet.client_id);
  if (!suits(policy, identity.user, client_id)) {
    refuse_connect(ReasonCode::ClientIdentifierNotValid,
                   policy == ClientIdPolicy::User ? "the client identifier is not the user name (access.client_id)"
                                                  : "the client identifier does not start with the user name "
                                                    "(access.client_id)",
                   client_id, now);
    return;
  }
  if (!sessions.may_open(client_id, identity.user)) {
    ++shared_.stats.sessions_of_others;
    refuse_connect(ReasonCode::NotAuthorized, "the session of this client identifier belongs to another user",
                   client_id, now);
    return;
  }
  if (const char* const limit = sessions.limit_for(client_id, identity.user)) {
    shared_.limit_log.write(limit, identity.user ? *identity.user : client_id, "CONNECT refused", now);
    answer_refused(ReasonCode::QuotaExceeded, std::string(limit) + " is reached", now);
    return;
  }
  accept_connect(packet, client_id, identity, now);
}

}  // namespace furrow::broker
