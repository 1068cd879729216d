// Whether a client may come in, by what its listener asks and what it brings: the user that is vouched for, and the
// credentials of its CONNECT, each of which may be absent, empty or there.
//
//   vouched  credentials             listener                    then
//   -        any                     needs somebody vouched for  refused 0x87
//   yes      no password             does not need a password    in, as who is vouched for; a name alone is not heard
//   -        none                    takes anonymous clients     in, as nobody
//   any      none                    otherwise                   refused 0x87
//   any      one of the two          any                         refused 0x86
//   yes      both, of another user   any                         refused 0x87
//   any      both                    any                         asked for: right, or refused 0x86
//
// Credentials that are sent are checked, also where nobody needs them: what is wrong never gets in. Where the
// gateway has no users at all there is nothing to check, and they count as not sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/listener_policy.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/mqtt/reason_code.h"

namespace furrow::broker {

struct Admission {
  enum class Step : std::uint8_t { Admit, Ask, Refuse };

  Step step = Step::Refuse;
  std::optional<std::string_view> user = std::nullopt;  // Admit: who it is. Borrowed
  // Refuse: for the client, and `word` for the log.
  mqtt::ReasonCode reason = mqtt::ReasonCode::NotAuthorized;
  std::string_view word = {};
  std::string_view why = {};
};

// `listener`: null where it is no longer there. `has_users`: see Authenticator.
Admission judge(const ListenerPolicy* listener, const std::optional<std::string>& vouched_user,
                const mqtt::Connect& packet, bool has_users);

}  // namespace furrow::broker
