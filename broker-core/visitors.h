// Visitors: those who read the status without MQTT, over HTTP. They get in as a client does, and may read what a client
// of their name may subscribe to.
//
//   what the listener makes of them (admission.h)   `$SYS/furrow/#`   answer
//   in, as a user or as nobody                      granted           Welcome
//   in, as nobody                                   refused           Unknown
//   in, as a user                                   refused           NotAllowed
//   refused, and they brought no credentials        -                 Unknown; no failed login: a browser asks first
//   refused otherwise                               -                 Unknown; counted, logged and held back
//   to be asked for                                 -                 as the Authenticator says, when it does
//
// Their ids are no connections' (is_visitor()), so that the Authenticator's verdicts find them. Rules about client
// identifiers do not meet them: they have none. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/arrival.h"
#include "broker-core/authenticator.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/connection.h"

namespace furrow::broker {

// Whether this is the id of a visitor. Slots of connections are given again some billion times before theirs are.
constexpr bool is_visitor(ConnectionId id) {
  return (id.value >> 63U) != 0;
}

class Visitors {
 public:
  enum class Answer : std::uint8_t {
    Welcome,
    Unknown,     // a user name and a password are needed, or other ones
    NotAllowed,  // known, and without the right to read the status
    Overloaded,  // too many logins wait: later, perhaps
  };
  struct Credentials {
    std::optional<std::string> user = std::nullopt;
    std::optional<std::string> password = std::nullopt;
  };

  // `shared` must outlive this.
  explicit Visitors(Connection::Shared& shared) : shared_(shared) {}
  Visitors(const Visitors&) = delete;
  Visitors& operator=(const Visitors&) = delete;

  // Somebody wants to read the status. The answer comes with poll(), perhaps later.
  ConnectionId handle_visit(Arrival arrival, const Credentials& credentials, Instant now);
  // The Authenticator's verdict; without effect for a visitor who is gone.
  void handle_login(ConnectionId visitor, Verdict verdict, Instant now);
  // The visitor is gone, and wants no answer. Without effect for one that has had it.
  void handle_closed(ConnectionId visitor);

  // A visitor whose answer is due; false when there is none. With it the visitor is forgotten.
  bool poll(ConnectionId& visitor, Answer& answer, Instant now);
  Instant next_deadline() const;
  std::size_t waiting() const { return visits_.size(); }

 private:
  struct Visit {
    Arrival arrival;
    std::string user;
    std::optional<Answer> answer;  // nothing: the Authenticator is asked
    Instant due{};                 // the answer is held back until then
  };

  Answer judge_right(const Arrival& arrival, const std::optional<std::string_view>& user) const;
  void fail(Visit& visit, std::string_view word, Instant now);

  Connection::Shared& shared_;
  std::map<ConnectionId, Visit> visits_;
  std::uint64_t last_ = 0;
};

}  // namespace furrow::broker
