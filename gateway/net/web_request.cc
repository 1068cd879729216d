#include "gateway/net/web_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "broker-core/base/ip.h"
#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kKeyCharacters = 24;  // 16 bytes in base64

std::string in_quotes(std::string_view text) {
  return "'" + printable(text, kHttpShownBytesMax) + "'";
}

bool is_one_of(char c, std::string_view characters) {
  return characters.find(c) != std::string_view::npos;
}
bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_address(std::string_view host) {
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return IpAddress::parse(std::string(host)).has_value();
}

// A name of this machine that nobody else can own.
bool is_own_host(std::string_view host, const WebSite& site) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto is_host = [host](std::string_view one) { return equal_without_case(host, one); };
  return is_address(host) || is_host("localhost") || std::ranges::any_of(site.own_names, is_host) ||
         std::ranges::any_of(site.origins, is_host, &WebOrigin::host);
}

bool is_of_web(std::string_view scheme) {
  return scheme == "http" || scheme == "https";
}

WebJudgement refused(unsigned status, std::string why, std::string more_fields = {}) {
  return {.request = {},
          .question = {},
          .refusal = {.status = status, .why = std::move(why)},
          .more_fields = std::move(more_fields)};
}

// What is wrong with the host and the origin of a request; empty: nothing. `wants_own`: the host has to be ours,
// whoever asks.
std::string objection(const HttpHead& head, const WebAuthority& host, const WebSite& site, bool wants_own) {
  if (head.count("Origin") > 1) return "more than one Origin";
  const bool is_own = is_own_host(host.host, site);
  const std::string not_own = "the host " + in_quotes(host.host) +
                              " is not a name of this machine (it may be that of an attacker): connect to its address, "
                              "or name it in 'origins' of the listener";
  const std::optional<std::string_view> text = head.field("Origin");
  if (!text) return wants_own && !is_own ? not_own : "";
  const std::optional<WebOrigin> origin = WebOrigin::parse(*text);
  if (origin && std::ranges::find(site.origins, *origin) != site.origins.end()) {
    return wants_own && !is_own ? not_own : "";
  }
  if (origin && is_of_web(origin->scheme) && origin->authority == host.text(origin->scheme)) {
    return is_own ? "" : not_own;
  }
  return "pages of the origin " + in_quotes(*text) + " may not connect: it is not in 'origins' of the listener";
}

// Whether the answer may be compressed.
bool takes_gzip(const HttpHead& head) {
  return std::ranges::any_of(head.tokens("Accept-Encoding"), [](std::string_view one) {
    const std::string_view name = one.substr(0, one.find_first_of("; \t"));
    return (equal_without_case(name, "gzip") || name == "*") && !one.ends_with("q=0");
  });
}

WebJudgement ask(const HttpHead& head) {
  const std::string_view target = head.target;
  if (!target.starts_with('/')) return refused(404, "nothing is at " + in_quotes(target));
  if (head.count("Authorization") > 1) return refused(400, "more than one Authorization");
  const std::size_t end = std::min(target.find('?'), target.size());
  WebQuestion question{.path = std::string(target.substr(0, end)),
                       .query = std::string(target.substr(std::min(end + 1, target.size()))),
                       .is_head = head.is_head,
                       .takes_gzip = takes_gzip(head),
                       .if_none_match = std::string(head.field("If-None-Match").value_or("")),
                       .authorization = std::string(head.field("Authorization").value_or(""))};
  return {.request = {}, .question = std::move(question), .refusal = {}, .more_fields = {}};
}

WebJudgement judge_upgrade(const HttpHead& head) {
  if (head.is_head) return refused(405, "MQTT by WebSocket begins with GET", "Allow: GET\r\n");
  if (!head.has_token("Upgrade", "websocket")) {
    return refused(426, "MQTT is spoken here by WebSocket", "Upgrade: websocket\r\n");
  }
  if (head.minor < 1) return refused(400, "WebSocket needs HTTP/1.1");
  if (!head.has_token("Connection", "upgrade")) return refused(400, "'Connection: Upgrade' is missing");
  if (head.field("Sec-WebSocket-Version") != "13") {
    return refused(426, "WebSocket version 13 (RFC 6455) is spoken here",
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  }
  const std::optional<std::string_view> key = head.field("Sec-WebSocket-Key");
  const bool is_key = key && key->size() == kKeyCharacters && key->ends_with("==") &&
                      std::ranges::all_of(key->substr(0, kKeyCharacters - 2),
                                          [](char c) { return is_letter_or_digit(c) || is_one_of(c, "+/"); });
  if (!is_key) return refused(400, "Sec-WebSocket-Key is not 16 bytes in base64");
  const std::vector<std::string_view> offered = head.tokens("Sec-WebSocket-Protocol");
  for (const std::string_view spoken : {"mqtt", "mqttv3.1"}) {
    if (std::ranges::find(offered, spoken) == offered.end()) continue;
    return {.request = WebSocketRequest{.key = std::string(*key), .subprotocol = std::string(spoken)},
            .question = {},
            .refusal = {},
            .more_fields = {}};
  }
  return refused(400, "Sec-WebSocket-Protocol does not offer mqtt");
}

}  // namespace

WebJudgement judge_web_request(const HttpHead& head, const WebSite& site) {
  const std::optional<std::string_view> host_field = head.field("Host");
  const std::optional<WebAuthority> host = host_field ? WebAuthority::parse(*host_field) : std::nullopt;
  if (!host) return refused(400, "there is not one Host, with a name or an address");
  const bool is_mqtt = head.target.substr(0, head.target.find('?')) == kMqttPath;
  if (std::string why = objection(head, *host, site, site.is_loopback || !is_mqtt); !why.empty()) {
    return refused(403, std::move(why));
  }
  if (!is_mqtt) return ask(head);
  return judge_upgrade(head);
}

const char* judge_web_stranger(std::string_view begin, bool is_secure) {
  struct Opening {
    std::string_view bytes;
    const char* what;
  };
  // A CONNECT: its type, and a remaining length, which is no letter of a method.
  if (!begin.empty() && begin.front() == '\x10') return "speaks MQTT without WebSocket: this listener takes WebSocket";
  const std::array openings = {
      Opening{"\x16",
              is_secure ? "speaks TLS within TLS" : "speaks TLS: this listener takes WebSocket without it (ws://)"},
      Opening{"PROXY ", "speaks the PROXY protocol: this listener takes it with proxy_protocol only"},
      Opening{"\r\n\r\n", "speaks the PROXY protocol: this listener takes it with proxy_protocol only"},
  };
  for (const Opening& opening : openings) {
    if (begin.starts_with(opening.bytes)) return opening.what;
  }
  return nullptr;
}

}  // namespace furrow::gateway
