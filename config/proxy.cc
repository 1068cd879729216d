#include "config/proxy.h"

#include <algorithm>
#include <utility>

#include "config/address.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::string_view kEnvironment = "env";
constexpr std::size_t kUserBytesMax = 255;  // [RFC 1929]
constexpr std::uint16_t kUsualPort = 1080;  // of curl, whatever the scheme

// `USER[:PASSWORD]@HOST[:PORT]` taken apart; views into the text.
struct Parts {
  std::string_view scheme;
  std::string_view user;
  std::string_view password;
  std::string_view host_port;
  bool has_password = false;
};

Parts split(std::string_view text) {
  Parts parts;
  const std::size_t scheme_end = text.find(kSchemeEnd);
  if (scheme_end != std::string_view::npos) {
    parts.scheme = text.substr(0, scheme_end);
    text.remove_prefix(scheme_end + kSchemeEnd.size());
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = text.substr(0, at);
    const std::size_t colon = std::min(login.find(':'), login.size());
    parts.user = login.substr(0, colon);
    parts.has_password = colon < login.size();
    if (parts.has_password) parts.password = login.substr(colon + 1);
    text.remove_prefix(at + 1);
  }
  parts.host_port = text.ends_with('/') ? text.substr(0, text.size() - 1) : text;
  return parts;
}

bool has_port(std::string_view host_port) {
  const std::size_t colon = host_port.rfind(':');
  const bool is_v6 = host_port.starts_with('[');
  return colon != std::string_view::npos && (!is_v6 || colon > host_port.find(']'));
}

// Host and port are those of an address of MQTT.
Result<Proxy> with_host(Proxy proxy, std::string_view host_port) {
  FURROW_TRY(const Address address, parse_address("mqtt://" + std::string(host_port)));
  proxy.host = address.host;
  proxy.port = address.port;
  return proxy;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `%40` as `@`; what is no such escape stays.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool has_digits = text[i] == '%' && i + 2 < text.size();
    const int high = has_digits ? hex_digit(text[i + 1]) : -1;
    const int low = has_digits ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      plain += text[i];
      continue;
    }
    plain += static_cast<char>(16 * high + low);
    i += 2;
  }
  return plain;
}

std::string escaped(std::string_view user) {
  std::string text;
  for (const char c : user) {
    if (c == '%')
      text += "%25";
    else if (c == '@')
      text += "%40";
    else if (c == ':')
      text += "%3A";
    else if (c == '/')
      text += "%2F";
    else
      text += c;
  }
  return text;
}

}  // namespace

std::string Proxy::text() const {
  if (kind == Kind::None) return {};
  if (kind == Kind::FromEnvironment) return std::string(kEnvironment);
  const std::string scheme = kind == Kind::Http ? "http" : "socks5h";
  const std::string login = user.empty() ? "" : escaped(user) + "@";
  const bool is_v6 = host.find(':') != std::string::npos;
  return scheme + std::string(kSchemeEnd) + login + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Proxy> parse_proxy(std::string_view text) {
  constexpr std::string_view kForms = "http://HOST:PORT, socks5h://HOST:PORT or env";
  if (text.empty()) return Proxy{};
  if (text == kEnvironment) return Proxy{.kind = Proxy::Kind::FromEnvironment, .user = {}, .host = {}, .port = 0};
  const Parts parts = split(text);
  if (parts.has_password) {
    return invalid(
        "a password does not belong into this file: write the user alone, and name a file with its password "
        "in proxy_password_from");
  }
  Proxy proxy;
  proxy.user = unescaped(parts.user);
  if (parts.scheme == "http") {
    proxy.kind = Proxy::Kind::Http;
  } else if (parts.scheme == "socks5h") {
    proxy.kind = Proxy::Kind::Socks5;
  } else if (parts.scheme == "socks5") {
    return invalid(in_quotes(text) + " is not a proxy: write " +
                   as_written("socks5h://" + std::string(parts.host_port)) + ", since the proxy looks names up");
  } else {
    return invalid(in_quotes(text) + " is not a proxy: write " + std::string(kForms));
  }
  if (!has_port(parts.host_port)) return invalid(in_quotes(text) + " has no port: write " + std::string(kForms));
  if (proxy.user.size() > kUserBytesMax) return invalid("the user of a proxy has at most 255 bytes");
  return with_host(std::move(proxy), parts.host_port);
}

Result<ProxyOfEnvironment> parse_proxy_of_environment(std::string_view text) {
  const Parts parts = split(text);
  ProxyOfEnvironment found;
  found.password = unescaped(parts.password);
  Proxy proxy;
  proxy.user = unescaped(parts.user);
  if (parts.scheme.empty() || parts.scheme == "http") {
    proxy.kind = Proxy::Kind::Http;
  } else if (parts.scheme == "socks5h" || parts.scheme == "socks5") {
    proxy.kind = Proxy::Kind::Socks5;
  } else {
    return invalid(in_quotes(parts.scheme) + " is not a kind of proxy that is known here: http and socks5h are");
  }
  const std::string port = has_port(parts.host_port) ? "" : ":" + std::to_string(kUsualPort);
  FURROW_TRY(found.proxy, with_host(std::move(proxy), std::string(parts.host_port) + port));
  return found;
}

}  // namespace furrow::config
