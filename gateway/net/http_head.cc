#include "gateway/net/http_head.h"

#include <http_parser.h>

#include <algorithm>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow::gateway {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// The characters of a name, RFC 9110 §5.6.2. http-parser as Debian builds it takes blanks, too.
bool is_token(std::string_view text) {
  const auto is_part = [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, is_part);
}

// No control character but a tab.
bool is_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; });
}

// Each CR stands before an LF, each LF behind a CR, and the last line is empty. http-parser as Debian builds it takes
// less for a line's end.
bool has_whole_line_ends(std::string_view text) {
  if (!text.ends_with("\r\n\r\n")) return false;
  for (std::size_t end = text.find_first_of("\r\n"); end != std::string_view::npos;
       end = text.find_first_of("\r\n", end + 2)) {
    if (!text.substr(end).starts_with("\r\n")) return false;
  }
  return true;
}

std::string_view status_text(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 426:
      return "Upgrade Required";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Refused";
  }
}

}  // namespace

bool equal_without_case(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) { return lower(a) == lower(b); });
}

// --- what a head says ---

std::size_t HttpHead::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(fields, [name](const Field& one) { return equal_without_case(one.name, name); }));
}

std::optional<std::string_view> HttpHead::field(std::string_view name) const {
  if (count(name) != 1) return std::nullopt;
  return std::ranges::find_if(fields, [name](const Field& one) { return equal_without_case(one.name, name); })->value;
}

std::vector<std::string_view> HttpHead::tokens(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const Field& one : fields) {
    if (!equal_without_case(one.name, name)) continue;
    for (std::string_view rest = one.value; !rest.empty();) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      const std::string_view token = trimmed(rest.substr(0, end));
      if (!token.empty()) found.push_back(token);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return found;
}

bool HttpHead::has_token(std::string_view name, std::string_view token) const {
  return std::ranges::any_of(tokens(name), [token](std::string_view one) { return equal_without_case(one, token); });
}

std::string http_answer(const HttpAnswer& answer) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " " + std::string(status_text(answer.status)) +
                     "\r\nContent-Type: " + std::string(answer.type) +
                     "\r\nX-Content-Type-Options: nosniff\r\nContent-Length: " + std::to_string(answer.body.size()) +
                     "\r\nConnection: close\r\n" + std::string(answer.more_fields) + "\r\n";
  if (!answer.is_head) text += answer.body;
  return text;
}

std::string http_answer(const HttpRefusal& refusal, std::string_view more_fields, bool is_head) {
  const std::string line = refusal.why + "\n";
  return http_answer(
      HttpAnswer{.status = refusal.status, .body = line, .more_fields = more_fields, .is_head = is_head});
}

// --- reading one ---

// The parser of the library, and where it has found what, as places in the text: that moves while it grows.
struct HttpHeadReader::Parser {
  struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;  // of what has come of it

    std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
  };
  enum class Within { None, Name, Value };

  explicit Parser(Kind kind) {
    http_parser_init(&parser, kind == Kind::Request ? HTTP_REQUEST : HTTP_RESPONSE);
    parser.data = this;
    http_parser_settings_init(&settings);
    settings.on_url = [](http_parser* at, const char* text, std::size_t size) {
      return of(at).extend(of(at).target, text, size);
    };
    settings.on_status = [](http_parser* at, const char* text, std::size_t size) {
      return of(at).extend(of(at).reason, text, size);
    };
    settings.on_header_field = [](http_parser* at, const char* text, std::size_t size) {
      return of(at).add_name(text, size);
    };
    settings.on_header_value = [](http_parser* at, const char* text, std::size_t size) {
      return of(at).add_value(text, size);
    };
    settings.on_headers_complete = [](http_parser* at) {
      of(at).whole = true;
      of(at).announces_body = at->content_length != 0 && at->content_length != ~std::uint64_t{0};
      return 2;  // nothing of HTTP follows, whatever the head says: the parser stops behind it
    };
  }

  static Parser& of(http_parser* parser) { return *static_cast<Parser*>(parser->data); }

  // Parts come in pieces, each where the last one ended; a value that goes on in another line does not.
  int extend(Span& span, const char* text, std::size_t size) {
    const std::size_t begin = offset + static_cast<std::size_t>(text - piece);
    if (span.end == 0) span = {begin, begin};
    is_folded = span.end != begin;
    span.end = begin + size;
    return is_folded ? -1 : 0;
  }
  int add_name(const char* text, std::size_t size) {
    if (within != Within::Name) {
      if (names.size() == kHttpFieldsMax) {
        too_many = true;
        return -1;
      }
      names.emplace_back();
      values.emplace_back();
    }
    within = Within::Name;
    return extend(names.back(), text, size);
  }
  int add_value(const char* text, std::size_t size) {
    within = Within::Value;
    return extend(values.back(), text, size);
  }

  http_parser parser = {};
  http_parser_settings settings = {};
  const char* piece = nullptr;  // what is being parsed
  std::size_t offset = 0;       // where it stands in the text
  Within within = Within::None;
  Span target;
  Span reason;
  std::vector<Span> names;
  std::vector<Span> values;
  bool whole = false;
  bool too_many = false;
  bool is_folded = false;
  bool announces_body = false;
};

HttpHeadReader::HttpHeadReader(Kind kind) : parser_(std::make_unique<Parser>(kind)) {}

HttpHeadReader::~HttpHeadReader() = default;

HttpHeadReader::State HttpHeadReader::read(MutableBytes& bytes) {
  if (!parser_) return State::Refused;
  Parser& parser = *parser_;
  while (!bytes.empty()) {
    const MutableBytes some = bytes.first(std::min(bytes.size(), kHttpHeadBytesMax - gathered_.size()));
    if (some.empty()) return refuse(431, "the head of the HTTP message is longer than 8 KiB");
    parser.piece = reinterpret_cast<const char*>(some.data());
    parser.offset = gathered_.size();
    const std::size_t taken = http_parser_execute(&parser.parser, &parser.settings, parser.piece, some.size());
    // Of what is wrong its first bytes, too: they tell what the peer speaks.
    const bool is_wrong = HTTP_PARSER_ERRNO(&parser.parser) != HPE_OK;
    gathered_.append(ByteView(some).first(is_wrong ? some.size() : taken));
    if (parser.too_many) return refuse(431, "more than 100 fields in the head of the HTTP message");
    if (parser.is_folded) return refuse(400, "not HTTP: a field goes on in a second line");
    if (is_wrong) {
      return refuse(400, std::string("not HTTP: ") + http_errno_description(HTTP_PARSER_ERRNO(&parser.parser)));
    }
    bytes = bytes.subspan(taken);
    if (parser.whole) return finish();
  }
  return State::More;
}

HttpHeadReader::State HttpHeadReader::refuse(unsigned status, std::string why) {
  parser_.reset();
  refusal_ = {.status = status, .why = std::move(why)};
  return State::Refused;
}

HttpHeadReader::State HttpHeadReader::finish() {
  const Parser& parser = *parser_;
  const std::string_view whole = text();
  if (!has_whole_line_ends(whole)) return refuse(400, "not HTTP: a line does not end in CR LF");
  if (parser.parser.http_major != 1 || parser.parser.http_minor > 1) return refuse(400, "not HTTP/1.0 or 1.1");
  if (parser.parser.type == HTTP_REQUEST) {
    head_.is_head = parser.parser.method == HTTP_HEAD;
    if (parser.parser.method != HTTP_GET && !head_.is_head) {
      return refuse(405, "only GET and HEAD are understood here");
    }
    const bool is_encoded = parser.parser.uses_transfer_encoding != 0;
    if (parser.announces_body || is_encoded) return refuse(400, "a request with a body");
  }
  head_.target = parser.target.of(whole);
  head_.reason = parser.reason.of(whole);
  head_.status = parser.parser.status_code;
  head_.minor = parser.parser.http_minor;
  for (std::size_t i = 0; i < parser.names.size(); ++i) {
    const std::string_view name = parser.names[i].of(whole);
    if (!is_token(name)) return refuse(400, "not HTTP: a field with a name that is none");
    const std::string_view value = parser.values[i].of(whole);
    if (!is_value(value)) return refuse(400, "not HTTP: a control character in a field");
    head_.fields.push_back({name, trimmed(value)});
  }
  return State::Whole;
}

}  // namespace furrow::gateway
