#include "config/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::size_t kHostNameBytesMax = 253;  // RFC 1035 §2.3.4, without the root

// A zone belongs to an address of one link: `fe80::1%eth0`.
std::string without_zone(std::string_view host) {
  return std::string(host.substr(0, host.find('%')));
}

using V4Bytes = std::array<std::uint8_t, 4>;
using V6Bytes = std::array<std::uint8_t, 16>;

bool parse_v4(std::string_view host, V4Bytes& bytes) {
  return inet_pton(AF_INET, std::string(host).c_str(), bytes.data()) == 1;
}
bool parse_v6(std::string_view host, V6Bytes& bytes) {
  return inet_pton(AF_INET6, without_zone(host).c_str(), bytes.data()) == 1;
}
bool is_v4(std::string_view host) {
  V4Bytes bytes;
  return parse_v4(host, bytes);
}
bool is_v6(std::string_view host) {
  V6Bytes bytes;
  return parse_v6(host, bytes);
}

bool is_host_name(std::string_view host) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
  };
  return !host.empty() && host.size() <= kHostNameBytesMax && std::all_of(host.begin(), host.end(), allowed);
}

// `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT` taken apart; views into the text.
struct HostPort {
  std::string_view host;
  std::string_view port;
  bool has_port = false;
  bool in_brackets = false;
};

Result<HostPort> split_host_port(std::string_view text) {
  HostPort split;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return invalid(in_quotes(text) + " has no ']' after its IPv6 address");
    split.host = text.substr(1, close - 1);
    split.in_brackets = true;
    rest = text.substr(close + 1);
    if (!is_v6(split.host)) return invalid(in_quotes(split.host) + " is not an IPv6 address");
  } else {
    if (is_v6(text)) return invalid("an IPv6 address stands in brackets, as in [::1]:1883");
    const std::size_t colon = std::min(text.find(':'), text.size());
    split.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (rest.empty()) return split;
  if (!rest.starts_with(':')) return invalid("':' and a port belong after ']' in " + in_quotes(text));
  split.has_port = true;
  split.port = rest.substr(1);
  return split;
}

Result<std::uint16_t> parse_port(std::string_view text, std::uint16_t least) {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || port < least) {
    return invalid(in_quotes(text) + " is not a port: " + std::to_string(least) + " to 65535");
  }
  return port;
}

bool takes_in(const std::string& wide, const std::string& host) {
  if (wide == "*") return true;
  if (wide == "0.0.0.0") return is_v4(host);
  V6Bytes bytes;
  return parse_v6(wide, bytes) && bytes == V6Bytes{} && is_v6(host);
}

bool same_host(const std::string& one, const std::string& other) {
  V6Bytes a;
  V6Bytes b;
  if (parse_v6(one, a) && parse_v6(other, b))
    return a == b && one.substr(without_zone(one).size()) == other.substr(without_zone(other).size());
  return one == other;
}

std::string in_brackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

std::string Address::text() const {
  return "mqtt://" + in_brackets(host) + ":" + std::to_string(port);
}

std::string Bind::text() const {
  return in_brackets(host) + ":" + std::to_string(port);
}

bool Bind::is_loopback() const {
  V4Bytes v4;
  if (parse_v4(host, v4)) return v4.front() == 127;
  V6Bytes v6;
  V6Bytes loopback{};
  loopback.back() = 1;
  return parse_v6(host, v6) && v6 == loopback;
}

bool Bind::collides_with(const Bind& other) const {
  if (port != other.port || port == 0) return false;
  return same_host(host, other.host) || takes_in(host, other.host) || takes_in(other.host, host);
}

Result<Address> parse_address(std::string_view text) {
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos)
    return invalid(in_quotes(text) + " has no scheme: write mqtt://" + std::string(text));
  const std::string_view scheme = text.substr(0, mark);
  const std::string_view rest = text.substr(mark + 3);
  if (scheme == "mqtts" || scheme == "ws" || scheme == "wss") {
    return invalid(std::string(scheme) + ":// is not built yet in this version: only mqtt:// is");
  }
  if (scheme != "mqtt") return invalid(in_quotes(scheme) + " is not a scheme: write mqtt://" + std::string(rest));
  if (rest.find('@') != std::string_view::npos) {
    return invalid("a user does not belong into the address: use the keys username and password_from");
  }
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return invalid("nothing comes after the port of an mqtt:// address: write mqtt://" +
                   std::string(rest.substr(0, rest.find_first_of("/?#"))));
  }

  FURROW_TRY(const HostPort split, split_host_port(rest));
  if (!split.in_brackets && !is_host_name(split.host)) {
    return invalid(in_quotes(split.host) + " is not a host name or address");
  }
  Address address;
  address.host = split.host;
  std::transform(address.host.begin(), address.host.end(), address.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (split.has_port) {
    FURROW_TRY(address.port, parse_port(split.port, 1));
  }
  return address;
}

Result<Bind> parse_bind(std::string_view text) {
  const bool digits_only = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits_only) {
    return invalid("write 127.0.0.1:" + std::string(text) + " for this machine only, *:" + std::string(text) +
                   " for every network");
  }
  FURROW_TRY(const HostPort split, split_host_port(text));
  Bind bind;
  bind.host = split.host == "localhost" ? "127.0.0.1" : std::string(split.host);
  if (!split.in_brackets && bind.host != "*" && !is_v4(bind.host)) {
    return invalid(in_quotes(split.host) +
                   " is not an address of this machine: write one such as 127.0.0.1 or [::1], or *");
  }
  if (!split.has_port) return invalid(in_quotes(text) + " has no port: write " + std::string(text) + ":1883");
  FURROW_TRY(bind.port, parse_port(split.port, 0));
  return bind;
}

}  // namespace furrow::config
