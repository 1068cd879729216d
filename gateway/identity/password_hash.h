// Passwords as they are stored: slow, salted hashes.
//
//   hash := "$scrypt$ln=" LOG2_N ",r=" R ",p=" P "$" SALT "$" KEY     what `furrow passwd` writes; base64 without `=`
//         | "$7$" ITERATIONS "$" SALT "$" KEY                         PBKDF2-HMAC-SHA512, what mosquitto_passwd writes
//
// The numbers are bounded, as a file that was put there by somebody else must not stop the gateway: scrypt takes at
// most 16 MiB. `$6$`, one round of SHA-512 of older Mosquittos, is no slow hash and is refused. Pure arithmetic, for
// any thread; it takes a tenth of a second.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/result.h"

namespace furrow::gateway {

class PasswordHash {
 public:
  // The error says what is wrong with `text` and what to do, without any of it.
  static Result<PasswordHash> parse(std::string_view text);
  // Of a new password, with a new salt. An error: there is no memory or no randomness.
  static Result<PasswordHash> make(ByteView password);

  // Compares all of the key, whatever differs.
  bool matches(ByteView password) const;
  // One that takes as long to check as this one, and fits no password.
  PasswordHash like_this() const;

  std::string text() const;

 private:
  enum class Kind : std::uint8_t { Scrypt, Pbkdf2 };
  using Bytes = std::vector<std::uint8_t>;

  static Result<PasswordHash> parse_scrypt(std::string_view fields);
  static Result<PasswordHash> parse_pbkdf2(std::string_view fields);
  // Both in base64. False when they are not.
  bool take_salt_and_key(std::string_view salt, std::string_view key);
  bool derive(ByteView password, MutableBytes key) const;

  Kind kind_ = Kind::Scrypt;
  std::uint32_t cost_ = 0;  // scrypt: log2 of N; PBKDF2: iterations
  std::uint32_t r_ = 0;
  std::uint32_t p_ = 0;
  Bytes salt_;
  Bytes key_;
  bool fits_nothing_ = false;
};

}  // namespace furrow::gateway
