// The interface to whoever knows users and their passwords.
//
// A password costs a tenth of a second to check, on purpose, so the answer comes in a later turn; only what was checked
// before is known at once. The broker asks, holds the client meanwhile, and says so when it is gone. Thread: loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"

namespace furrow::broker {

enum class Verdict : std::uint8_t {
  Good,
  WrongPassword,
  UnknownUser,  // to the client the same as a wrong password, and as slow
  Overloaded,   // too many wait: the client may come back later
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;

  struct Login {
    ConnectionId connection;
    std::string_view user;  // may be empty: that is a name
    ByteView password;      // likewise
  };
  // Whether anybody has a password. Without users, credentials cannot be checked, and nobody is asked.
  virtual bool has_users() const = 0;
  // The verdict, if it is known; else it comes once as Broker::handle_login(login.connection, …), never from within.
  virtual std::optional<Verdict> ask(const Login& login, Instant now) = 0;
  // The client of this connection is gone: no verdict is wanted.
  virtual void cancel(ConnectionId connection) = 0;
};

}  // namespace furrow::broker
