#include "broker-core/admission.h"

namespace furrow::broker {
namespace {

using mqtt::ReasonCode;

Admission admit(std::optional<std::string_view> user) {
  return {.step = Admission::Step::Admit, .user = user};
}

Admission refuse(ReasonCode reason, std::string_view word, std::string_view why) {
  return {.step = Admission::Step::Refuse, .reason = reason, .word = word, .why = why};
}

}  // namespace

Admission judge(const ListenerPolicy* listener, const std::optional<std::string>& vouched_user,
                const mqtt::Connect& packet, bool has_users) {
  if (listener == nullptr) {
    return refuse(ReasonCode::NotAuthorized, "listener_gone", "the listener is no longer in the configuration");
  }
  if (listener->needs_vouched && !vouched_user) {
    return refuse(ReasonCode::NotAuthorized, "not_vouched", "this listener needs a certificate or a key that vouches");
  }
  const bool sends_password = has_users && packet.password.has_value();
  const bool sends_any = has_users && (packet.password || packet.username);
  if (vouched_user && !listener->needs_password && !sends_password) return admit(*vouched_user);
  if (!sends_any) {
    if (listener->anonymous && !listener->needs_password) return admit(std::nullopt);
    return refuse(ReasonCode::NotAuthorized, "no_credentials", "a user name and a password are needed");
  }
  if (!packet.username) {
    return refuse(ReasonCode::BadUserNameOrPassword, "no_user", "a password without a user name");
  }
  if (!packet.password) {
    return refuse(ReasonCode::BadUserNameOrPassword, "no_password", "a user name without a password");
  }
  if (vouched_user && *vouched_user != *packet.username) {
    return refuse(ReasonCode::NotAuthorized, "other_user", "the user name is not the one that is vouched for");
  }
  return {.step = Admission::Step::Ask};
}

}  // namespace furrow::broker
