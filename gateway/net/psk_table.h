// Pre-shared keys: who has which.
//
//   file = { line LF }    line = "" | "#" anything | IDENTITY ":" KEY
//
// IDENTITY is text of 1 to 128 bytes without a control character or a colon, KEY at least 16 bytes in hexadecimal
// digits (RFC 9257 §4: less can be guessed). The format is Mosquitto's. A line that is none of these is an error of the
// whole file: a part of it would lock out some and nobody could say whom. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"

namespace furrow::gateway {

inline constexpr std::size_t kPskIdentityBytesMax = 128;
inline constexpr std::size_t kPskBytesMin = 16;
inline constexpr std::size_t kPskBytesMax = 64;

// The key of a line or a file of its own. The error does not show it.
Result<std::string> parse_psk(std::string_view hexadecimal);

class PskTable {
 public:
  // The error names the line.
  static Result<PskTable> parse(std::string_view text);

  // nullptr: nobody has that identity.
  const std::string* find(std::string_view identity) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::map<std::string, std::string, std::less<>> keys_;
};

}  // namespace furrow::gateway
