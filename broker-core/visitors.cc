#include "broker-core/visitors.h"

#include <algorithm>
#include <utility>

#include "broker-core/access/rights.h"
#include "broker-core/admission.h"

namespace furrow::broker {
namespace {

constexpr std::string_view kStatusFilter = "$SYS/furrow/#";
constexpr std::uint64_t kVisitorBit = std::uint64_t{1} << 63U;

mqtt::Connect connect_with(const Visitors::Credentials& credentials) {
  mqtt::Connect connect;
  if (credentials.user) connect.username = *credentials.user;
  if (credentials.password) connect.password = as_bytes(*credentials.password);
  return connect;
}

}  // namespace

ConnectionId Visitors::handle_visit(Arrival arrival, const Credentials& credentials, Instant now) {
  const ConnectionId id{kVisitorBit | ++last_};
  Visit& visit = visits_[id];
  visit = {.arrival = std::move(arrival), .user = credentials.user.value_or(""), .answer = {}};
  Authenticator* const authenticator = shared_.authenticator;
  const mqtt::Connect connect = connect_with(credentials);
  const Admission admission =
      judge(find_listener(shared_.settings.listeners, visit.arrival.listener), visit.arrival.vouched_user, connect,
            authenticator != nullptr && authenticator->has_users());
  switch (admission.step) {
    case Admission::Step::Admit:
      visit.answer = judge_right(visit.arrival, admission.user);
      break;
    case Admission::Step::Refuse:
      if (credentials.user || credentials.password) {
        fail(visit, admission.word, now);
      } else {
        visit.answer = Answer::Unknown;
      }
      break;
    case Admission::Step::Ask:
      ++shared_.stats.logins_checked;
      if (const auto verdict = authenticator->ask({id, *connect.username, *connect.password}, now)) {
        handle_login(id, *verdict, now);
      }
      break;
  }
  return id;
}

void Visitors::handle_login(ConnectionId visitor, Verdict verdict, Instant now) {
  const auto found = visits_.find(visitor);
  if (found == visits_.end() || found->second.answer) return;
  Visit& visit = found->second;
  switch (verdict) {
    case Verdict::Good:
      visit.answer = judge_right(visit.arrival, visit.user);
      break;
    case Verdict::Overloaded:
      ++shared_.stats.logins_overloaded;
      visit.answer = Answer::Overloaded;
      break;
    case Verdict::WrongPassword:
      fail(visit, "wrong_password", now);
      break;
    case Verdict::UnknownUser:
      fail(visit, "unknown_user", now);
      break;
  }
}

void Visitors::handle_closed(ConnectionId visitor) {
  const auto found = visits_.find(visitor);
  if (found == visits_.end()) return;
  if (!found->second.answer) shared_.authenticator->cancel(visitor);
  visits_.erase(found);
}

void Visitors::fail(Visit& visit, std::string_view word, Instant now) {
  ++shared_.stats.logins_failed;
  const Arrival& arrival = visit.arrival;
  visit.due = now + shared_.failed_logins.note({.listener = arrival.listener,
                                                .address = arrival.address,
                                                .peer = arrival.peer(),
                                                .user = visit.user,
                                                .reason = word},
                                               now);
  visit.answer = Answer::Unknown;
}

Visitors::Answer Visitors::judge_right(const Arrival& arrival, const std::optional<std::string_view>& user) const {
  const auto is_granted = [&] {
    if (!shared_.access.has_rules()) return access::may_subscribe_without_rules(kStatusFilter);
    const access::Subject subject{.user = user, .client = {}, .listener = arrival.listener, .address = arrival.address};
    return access::Rights(shared_.access.rules(), subject, {}).may_subscribe(kStatusFilter);
  };
  if (is_granted()) return Answer::Welcome;
  return user ? Answer::NotAllowed : Answer::Unknown;
}

bool Visitors::poll(ConnectionId& visitor, Answer& answer, Instant now) {
  const auto due =
      std::ranges::find_if(visits_, [now](const auto& one) { return one.second.answer && one.second.due <= now; });
  if (due == visits_.end()) return false;
  visitor = due->first;
  answer = *due->second.answer;
  visits_.erase(due);
  return true;
}

Instant Visitors::next_deadline() const {
  Instant next = kNever;
  for (const auto& [id, visit] : visits_) {
    if (visit.answer) next = std::min(next, visit.due);
  }
  return next;
}

}  // namespace furrow::broker
