#include "config/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <initializer_list>
#include <vector>

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

// `before` is what stands before HOST in an address of this kind.
Result<HostPort> split_host_port(std::string_view text, std::string_view before) {
  const auto example = [before] { return as_written(std::string(before) + "[::1]:1883"); };
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
    if (is_v6(text)) return invalid("an IPv6 address stands in brackets and in quotes, as in " + example());
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

// Where a connection to `host` ends that does not leave this machine, as far as the text tells; else `host` itself.
std::vector<std::string> hosts_here(const std::string& host) {
  if (host == "localhost") return {"127.0.0.1", "::1"};
  if (host == "ip6-localhost") return {"::1"};
  V4Bytes v4;
  if (parse_v4(host, v4)) return {v4 == V4Bytes{} ? "127.0.0.1" : host};  // Linux: nowhere is here
  V6Bytes v6;
  if (!parse_v6(host, v6)) return {host};
  if (v6 == V6Bytes{}) return {"::1"};
  constexpr V6Bytes kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};  // `::ffff:127.0.0.1`
  if (!std::equal(v6.begin(), v6.begin() + 12, kMapped.begin())) return {host};
  std::string text = std::to_string(v6[12]);
  for (std::size_t i = 13; i < v6.size(); ++i) text += "." + std::to_string(v6[i]);
  return hosts_here(text);
}

std::string in_brackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::size_t kUnixPathBytesMax = 107;  // sockaddr_un, without the NUL
constexpr std::string_view kBetweenAddresses = " \t,;";

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

struct SchemeFacts {
  Scheme scheme;
  std::string_view text;
  std::uint16_t port;  // unless another is given
  std::string_view path;
};

constexpr std::array<SchemeFacts, 4> kSchemes{{{Scheme::Mqtt, "mqtt", kMqttPort, ""},
                                               {Scheme::Mqtts, "mqtts", kMqttsPort, ""},
                                               {Scheme::Ws, "ws", 80, "/mqtt"},
                                               {Scheme::Wss, "wss", 443, "/mqtt"}}};

const SchemeFacts& facts(Scheme scheme) {
  return *std::ranges::find(kSchemes, scheme, &SchemeFacts::scheme);
}

// As other programs call them.
bool is_other_name_of_mqtts(std::string_view scheme) {
  return is_one_of(scheme, {"ssl", "tls", "mqtt+ssl", "mqtt+tls"});
}
std::string_view meant_by(std::string_view scheme) {
  if (is_other_name_of_mqtts(scheme)) return "mqtts";
  if (is_one_of(scheme, {"http", "mqtt+ws"})) return "ws";
  return is_one_of(scheme, {"https", "mqtt+wss"}) ? "wss" : "mqtt";
}

Result<Scheme> parse_scheme(std::string_view scheme, std::string_view rest) {
  const auto known = std::ranges::find(kSchemes, scheme, &SchemeFacts::text);
  if (known != kSchemes.end()) return known->scheme;
  return invalid(in_quotes(scheme) + " is not a scheme: write " +
                 as_written(std::string(meant_by(scheme)) + std::string(kSchemeEnd) + std::string(rest)));
}

// The path of the request for WebSocket, which follows host and port.
Result<std::string> parse_path(std::string_view path, Scheme scheme) {
  if (path.empty()) return std::string(facts(scheme).path);
  if (path.find('#') != std::string_view::npos) {
    return invalid("an address has no fragment: take away '#' and what follows");
  }
  const auto is_allowed = [](char c) { return c > ' ' && c < 0x7F; };
  if (!std::all_of(path.begin(), path.end(), is_allowed)) {
    return invalid("the path " + in_quotes(path) + " has bytes that belong as %XX into an address");
  }
  return path.front() == '/' ? std::string(path) : "/" + std::string(path);
}

// Two addresses or more in one text, which is how some brokers have them.
Error several_addresses(std::string_view text) {
  std::string list;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find_first_of(kBetweenAddresses));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    if (one.empty()) continue;
    const bool has_scheme = one.find(kSchemeEnd) != std::string_view::npos;
    list += (list.empty() ? "" : ", ") + as_written(has_scheme ? std::string(one) : "mqtt://" + std::string(one));
  }
  return invalid(in_quotes(text) + " is more than one address: write a list, [" + list + "]");
}

// The zone of an IPv6 address in a URI follows a `%25` [RFC 6874]; a bare `%`, which many write, means the same.
std::string plain_zone(std::string_view host) {
  std::string plain(host);
  if (const std::size_t zone = plain.find("%25"); zone != std::string::npos && zone + 3 < plain.size()) {
    plain.erase(zone + 1, 2);
  }
  return plain;
}

// Refuses texts that are no HOST:PORT at all, and says what was probably meant.
Status check_form_of_bind(std::string_view text) {
  const std::string_view port = text.substr(text.starts_with(':') ? 1 : 0);
  if (!port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos) {
    return invalid("write 127.0.0.1:" + std::string(port) + " for this machine only, " +
                   as_written("*:" + std::string(port)) + " for every network");
  }
  if (text.find_first_of(kBetweenAddresses) != std::string_view::npos) {
    return invalid(in_quotes(text) + " is more than one address: give each a listener of its own");
  }
  const std::size_t mark = text.find(kSchemeEnd);
  if (mark == std::string_view::npos) return {};
  const std::string_view scheme = text.substr(0, mark);
  const std::string_view meant = meant_by(scheme);
  const auto is = [&](std::string_view one) { return scheme == one || meant == one; };
  return invalid("an address to listen on has no scheme: write " + as_written(text.substr(mark + kSchemeEnd.size())) +
                 (is("ws") || is("wss") ? ", and protocol: websocket beside it" : "") +
                 (is("mqtts") || is("wss") ? ", and tls beside it" : ""));
}

// `wlan0`, `br-lan`, `eth0.10`. Other names have letters behind a dot, and are those of hosts.
bool is_interface_name(std::string_view name) {
  const std::string_view first = name.substr(0, name.find('.'));
  const std::string_view vlan = name.substr(std::min(first.size() + 1, name.size()));
  const auto is_allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  };
  return !first.empty() && name.size() <= kInterfaceBytesMax && !name.ends_with('.') &&
         std::any_of(first.begin(), first.end(), [](unsigned char c) { return std::isalpha(c) != 0; }) &&
         std::all_of(first.begin(), first.end(), is_allowed) &&
         vlan.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<Bind> parse_unix_bind(std::string_view path) {
  if (!path.starts_with('/') || path.ends_with('/')) {
    return invalid(in_quotes(path) +
                   " is not the path of a socket: write it from the root on, as in "
                   "unix:/run/furrow/mqtt.sock");
  }
  if (path.size() > kUnixPathBytesMax) return invalid("the path of a unix socket has at most 107 bytes");
  return Bind{.host = std::string(path), .port = 0, .kind = Bind::Kind::Unix};
}

}  // namespace

std::string_view scheme_text(Scheme scheme) {
  return facts(scheme).text;
}

std::string Address::text() const {
  std::string written = host;
  if (const std::size_t zone = written.find('%'); zone != std::string::npos) written.insert(zone + 1, "25");
  return std::string(scheme_text(scheme)) + "://" + in_brackets(written) + ":" + std::to_string(port) + path;
}

std::string Bind::text() const {
  if (kind == Kind::Unix) return std::string(kUnixPrefix) + host;
  return in_brackets(host) + ":" + std::to_string(port);
}

bool Bind::is_loopback() const {
  if (kind != Kind::Address) return kind == Kind::Unix || host == "lo";
  V4Bytes v4;
  if (parse_v4(host, v4)) return v4.front() == 127;
  V6Bytes v6;
  V6Bytes loopback{};
  loopback.back() = 1;
  return parse_v6(host, v6) && v6 == loopback;
}

bool Bind::collides_with(const Bind& other) const {
  if (kind == Kind::Unix || other.kind == Kind::Unix) return kind == other.kind && host == other.host;
  if (port != other.port || port == 0) return false;
  // Which addresses an interface has is not known here.
  const auto takes_in_interface = [](const Bind& one, const Bind& wide) {
    return one.kind == Kind::Interface && (wide.host == "*" || wide.host == "0.0.0.0" || wide.host == "::");
  };
  if (takes_in_interface(*this, other) || takes_in_interface(other, *this)) return true;
  return same_host(host, other.host) || takes_in(host, other.host) || takes_in(other.host, host);
}

bool Bind::is_reached_by(const Address& address) const {
  if (kind != Kind::Address || address.port != port) return false;
  const std::vector<std::string> hosts = hosts_here(address.host);
  return std::any_of(hosts.begin(), hosts.end(), [this](const std::string& there) {
    return same_host(host, there) || (Bind{.host = there, .port = port}.is_loopback() && takes_in(host, there));
  });
}

Result<Address> parse_address(std::string_view text) {
  if (text.find_first_of(kBetweenAddresses) != std::string_view::npos) return several_addresses(text);
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) {
    const std::string host = is_v6(text) ? "[" + std::string(text) + "]" : std::string(text);
    return invalid(in_quotes(text) + " has no scheme: write " + as_written("mqtt://" + host));
  }
  std::string_view rest = text.substr(mark + kSchemeEnd.size());
  Address address;
  FURROW_TRY(address.scheme, parse_scheme(text.substr(0, mark), rest));
  address.port = facts(address.scheme).port;
  if (rest.find('@') != std::string_view::npos) {
    return invalid("a user does not belong into the address: use the keys username and password_from");
  }
  const std::string_view path = rest.substr(std::min(rest.find_first_of("/?#"), rest.size()));
  rest.remove_suffix(path.size());
  if (!path.empty() && facts(address.scheme).path.empty()) {
    const std::string scheme(text.substr(0, mark + kSchemeEnd.size()));
    return invalid("nothing comes after the port of an " + scheme + " address: write " +
                   as_written(scheme + std::string(rest)));
  }
  FURROW_TRY(address.path, parse_path(path, address.scheme));
  FURROW_TRY(const HostPort split, split_host_port(rest, "mqtt://"));
  if (!split.in_brackets && !is_host_name(split.host)) {
    return invalid(in_quotes(split.host) + " is not a host name or address");
  }
  address.host = split.in_brackets ? plain_zone(split.host) : std::string(split.host);
  const auto zone = std::find(address.host.begin(), address.host.end(), '%');
  std::transform(address.host.begin(), zone, address.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (split.has_port) {
    FURROW_TRY(address.port, parse_port(split.port, 1));
  }
  return address;
}

Result<Bind> parse_bind(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return parse_unix_bind(text.substr(kUnixPrefix.size()));
  FURROW_TRY_STATUS(check_form_of_bind(text));
  FURROW_TRY(const HostPort split, split_host_port(text, ""));
  Bind bind;
  bind.host = split.host == "localhost" ? "127.0.0.1" : std::string(split.host);
  if (!split.in_brackets && bind.host != "*" && !is_v4(bind.host)) {
    bind.kind = Bind::Kind::Interface;
  }
  if (bind.kind == Bind::Kind::Interface && !is_interface_name(bind.host)) {
    return invalid(in_quotes(split.host) +
                   " is neither an address nor a network interface of this machine: write one such as 127.0.0.1:1883, "
                   "wlan0:1883, " +
                   as_written("[::1]:1883") + " or " + as_written("*:1883"));
  }
  if (!split.has_port) {
    return invalid(in_quotes(text) + " has no port: write " + as_written(std::string(text) + ":1883"));
  }
  FURROW_TRY(bind.port, parse_port(split.port, 0));
  return bind;
}

}  // namespace furrow::config
