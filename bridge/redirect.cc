#include "bridge/redirect.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace furrow::bridge {
namespace {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035 §2.3.4, without the root

bool is_host(std::string_view host, bool in_brackets) {
  const std::string_view signs = in_brackets ? ":." : ".-_";
  const auto is_allowed = [signs](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_letter || signs.find(c) != std::string_view::npos;
  };
  return !host.empty() && host.size() <= kHostBytesMax && std::ranges::all_of(host, is_allowed);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::optional<Address> redirect_target(std::string_view reference, const Address& from) {
  const std::string_view first = reference.substr(0, reference.find(' '));
  const bool in_brackets = first.starts_with('[');
  const std::size_t close = first.find(']');
  if (in_brackets && close == std::string_view::npos) return std::nullopt;
  const std::size_t host_end = in_brackets ? close : std::min(first.find(':'), first.size());
  const std::string_view host = in_brackets ? first.substr(1, close - 1) : first.substr(0, host_end);
  const std::string_view rest = first.substr(in_brackets ? close + 1 : host_end);
  if (!is_host(host, in_brackets)) return std::nullopt;
  Address to = from;
  to.host = host;
  if (rest.empty()) return to;
  if (!rest.starts_with(':')) return std::nullopt;
  const auto port = parse_port(rest.substr(1));
  if (!port) return std::nullopt;
  to.port = *port;
  return to;
}

}  // namespace furrow::bridge
