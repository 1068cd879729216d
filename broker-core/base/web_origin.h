// The origin of a web page: of which site it is, as browsers say it.
//
//   origin    = scheme "://" authority
//   authority = HOST [":" PORT]            an IPv6 address in brackets
// Spec: RFC 6454 §6.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace furrow {

// HOST[:PORT] taken apart; views into the text. An IPv6 address keeps its brackets.
struct WebAuthority {
  std::string_view host;
  std::string_view port;  // empty: none is said

  static std::optional<WebAuthority> parse(std::string_view text);
  // In lower case, and without the port where that is the one of `scheme`.
  std::string text(std::string_view scheme) const;
};

struct WebOrigin {
  std::string scheme;     // in lower case
  std::string authority;  // as WebAuthority::text()

  // The origin that is the whole text: `null` is none, and neither is an address with a path.
  static std::optional<WebOrigin> parse(std::string_view text);
  std::string_view host() const;
  std::string text() const { return scheme + "://" + authority; }

  friend bool operator==(const WebOrigin&, const WebOrigin&) = default;
};

}  // namespace furrow
