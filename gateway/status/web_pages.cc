#include "gateway/status/web_pages.h"

#include <algorithm>
#include <optional>

#include "broker-core/base/check.h"
#include "broker-core/base/printable.h"
#include "gateway/net/http_head.h"
#include "gateway/status/health.h"
#include "gateway/status/json.h"
#include "gateway/status/metrics.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kShownBytesMax = 64;

// No page of another origin embeds what is here.
constexpr std::string_view kDataFields = "Cache-Control: no-store\r\nCross-Origin-Resource-Policy: same-origin\r\n";
// Files stay with the browser, which asks whether they are still the same.
constexpr std::string_view kFileFields =
    "Cache-Control: no-cache\r\nCross-Origin-Resource-Policy: same-origin\r\nVary: Accept-Encoding\r\n"
    "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self' ws: wss:; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'\r\n";

std::string data(const WebQuestion& question, unsigned status, std::string_view type, std::string_view body) {
  return http_answer(HttpAnswer{
      .status = status, .type = type, .body = body, .more_fields = kDataFields, .is_head = question.is_head});
}

std::string words(const WebQuestion& question, unsigned status, std::string_view text, std::string_view more = {}) {
  const std::string fields = std::string(kDataFields) + std::string(more);
  return http_answer(HttpAnswer{.status = status, .body = text, .more_fields = fields, .is_head = question.is_head});
}

// Whether the query has `name=1`.
bool has_flag(std::string_view query, std::string_view name) {
  const std::string wanted = std::string(name) + "=1";
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    if (query.substr(0, end) == wanted) return true;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

// Whether a browser that has these versions has `etag`. Weak ones are as good (RFC 9110 §13.1.2).
bool has_version(std::string_view if_none_match, std::string_view etag) {
  return if_none_match == "*" || (!etag.empty() && if_none_match.find(etag) != std::string_view::npos);
}

std::optional<unsigned> value_of(char c) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t value = kDigits.find(c);
  if (value == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(value);
}

std::optional<std::string> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t gathered = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::optional<unsigned> value = value_of(c);
    if (!value) return std::nullopt;
    gathered = gathered << 6U | *value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(gathered >> bits & 0xFFU);
  }
  return bytes;
}

}  // namespace

WebPath web_path(std::string_view path) {
  if (path == "/healthz") return WebPath::Health;
  if (path == "/metrics") return WebPath::Metrics;
  if (path == "/status") return WebPath::Status;
  return WebPath::File;
}

std::string answer_health(const WebQuestion& question, const StatusModel& model) {
  const std::string wrong = ailments(model, has_flag(question.query, "bridges"));
  return wrong.empty() ? words(question, 200, "ok\n") : words(question, 503, wrong);
}

std::string answer_metrics(const WebQuestion& question, const StatusModel& model) {
  return data(question, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(model));
}

std::string answer_status(const WebQuestion& question, const StatusModel& model) {
  return data(question, 200, "application/json", status_json(model) + "\n");
}

std::string answer_file(const WebQuestion& question, std::span<const PageFile> files) {
  if (files.empty() && question.path == "/") {
    return words(question, 200,
                 "furrow, an MQTT gateway. This program was built without the status page, which needs Node.\n\n"
                 "/mqtt     MQTT by WebSocket\n"
                 "/healthz  whether all is well\n"
                 "/metrics  for Prometheus\n"
                 "/status   the status documents\n");
  }
  const auto file = std::ranges::find(files, question.path, &PageFile::path);
  if (file == files.end()) {
    return words(question, 404,
                 "nothing is at '" + printable(question.path, kShownBytesMax) +
                     "': MQTT by WebSocket is at /mqtt, and the status at /\n");
  }
  if (!question.takes_gzip) {
    return words(question, 406, "this is there compressed by gzip only: send 'Accept-Encoding: gzip'\n");
  }
  const bool is_known = has_version(question.if_none_match, file->etag);
  const std::string fields =
      "Content-Encoding: gzip\r\nETag: " + std::string(file->etag) + "\r\n" + std::string(kFileFields);
  return http_answer(HttpAnswer{.status = is_known ? 304U : 200U,
                                .type = file->type,
                                .body = as_text(file->gzip),
                                .more_fields = fields,
                                .is_head = question.is_head || is_known});
}

std::string answer_unwelcome(const WebQuestion& question, broker::Visitors::Answer answer) {
  using enum broker::Visitors::Answer;
  switch (answer) {
    case Unknown:
      return words(question, 401, "the status needs a user name and a password of this gateway\n",
                   "WWW-Authenticate: Basic realm=\"furrow\", charset=\"UTF-8\"\r\n");
    case NotAllowed:
      return words(question, 403, "access.rules do not let this user subscribe to $SYS/furrow/#\n");
    case Overloaded:
      return words(question, 503, "too many logins wait; come back later\n", "Retry-After: 5\r\n");
    case Welcome:
      break;
  }
  FURROW_CHECK(answer != Welcome);
  return {};
}

broker::Visitors::Credentials credentials_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (authorization.empty()) return {};
  broker::Visitors::Credentials nobody{.user = "", .password = ""};
  if (!equal_without_case(authorization.substr(0, kScheme.size()), kScheme)) return nobody;
  authorization.remove_prefix(kScheme.size());
  const std::optional<std::string> pair = from_base64(authorization);
  const std::size_t colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return nobody;
  return {.user = pair->substr(0, colon), .password = pair->substr(colon + 1)};
}

}  // namespace furrow::gateway
