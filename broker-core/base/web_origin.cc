#include "broker-core/base/web_origin.h"

#include <algorithm>

namespace furrow {
namespace {

constexpr std::size_t kPortDigitsMax = 5;

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Letters, digits and `others`.
bool has_only(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [others](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || others.find(c) != std::string_view::npos;
  });
}

std::string_view port_of(std::string_view scheme) {
  return scheme == "https" ? "443" : scheme == "http" ? "80" : "";
}

}  // namespace

std::optional<WebAuthority> WebAuthority::parse(std::string_view text) {
  const bool in_brackets = text.starts_with('[');
  const std::size_t close = in_brackets ? text.find(']') : 0;
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t colon = std::min(text.find(':', close), text.size());
  const WebAuthority apart{.host = text.substr(0, colon), .port = text.substr(std::min(colon + 1, text.size()))};
  if (apart.host.empty() || (in_brackets && close + 1 != colon)) return std::nullopt;
  const bool is_host = in_brackets ? has_only(apart.host.substr(1, close - 1), ":.") : has_only(apart.host, "-._");
  const bool has_port = colon < text.size();
  if (!is_host || (has_port && apart.port.empty()) || apart.port.size() > kPortDigitsMax) return std::nullopt;
  return std::ranges::all_of(apart.port, is_digit) ? std::optional(apart) : std::nullopt;
}

std::string WebAuthority::text(std::string_view scheme) const {
  std::string written = in_lower_case(host);
  if (!port.empty() && port != port_of(scheme)) written += ":" + std::string(port);
  return written;
}

std::optional<WebOrigin> WebOrigin::parse(std::string_view text) {
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos || mark == 0) return std::nullopt;
  WebOrigin origin;
  origin.scheme = in_lower_case(text.substr(0, mark));
  const std::optional<WebAuthority> apart = WebAuthority::parse(text.substr(mark + 3));
  if (!has_only(origin.scheme, "+-.") || !apart) return std::nullopt;
  origin.authority = apart->text(origin.scheme);
  return origin;
}

std::string_view WebOrigin::host() const {
  return WebAuthority::parse(authority)->host;
}

}  // namespace furrow
