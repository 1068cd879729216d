// The head of one HTTP message: what a server reads of a request, and a client of a response.
//
//   head    = (request | status) CRLF field* CRLF            at most 8 KiB and 100 fields
//   request = ("GET " | "HEAD ") target " HTTP/1." (0 | 1)
//   status  = "HTTP/1." (0 | 1) " " digit{3} [" " reason]
//   field   = name ":" value CRLF                            a value in two lines is refused, and so is LF without CR
//
// This is the one file that knows http-parser, which finds the parts; what they mean is judged elsewhere
// (web_request.h). A head may come in any pieces and is refused at its first wrong byte, so that a peer which speaks
// something else is not waited for. What follows the head is not touched. A request has no body: GET and HEAD have
// none, and whoever says that one follows is refused, since it would be taken for what comes next. Spec: RFC 9112 §2 to
// §5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"

namespace furrow::gateway {

inline constexpr std::size_t kHttpHeadBytesMax = 8 * KiB;
inline constexpr std::size_t kHttpFieldsMax = 100;
// A message shows this many bytes of what a peer of HTTP has said.
inline constexpr std::size_t kHttpShownBytesMax = 64;

struct HttpHead {
  struct Field {
    std::string_view name;
    std::string_view value;  // without blanks around it
  };

  std::string_view target;  // of a request
  bool is_head = false;     // likewise: HEAD, whose answer has no body
  unsigned status = 0;      // of a response
  std::string_view reason;  // of a response
  unsigned minor = 1;       // of the version, 1.`minor`
  std::vector<Field> fields;

  // The value of the only field of this name; nothing when there is none, or more than one. Names have no case.
  std::optional<std::string_view> field(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  // Whether `token` is an element of the comma-separated lists in the fields of this name. Without case.
  bool has_token(std::string_view name, std::string_view token) const;
  // All of these elements, in their order.
  std::vector<std::string_view> tokens(std::string_view name) const;
};

// What a client is answered instead of what it wants.
struct HttpRefusal {
  unsigned status = 400;
  std::string why;  // for people: in the log, and in the answer
};

struct HttpAnswer {
  unsigned status = 200;
  std::string_view type = "text/plain; charset=utf-8";
  std::string_view body = {};
  std::string_view more_fields = {};  // each ends in CRLF
  bool is_head = false;               // the body is announced, and not sent
};
// The whole answer, after which the connection ends.
std::string http_answer(const HttpAnswer& answer);
// The same with one line for people.
std::string http_answer(const HttpRefusal& refusal, std::string_view more_fields = {}, bool is_head = false);

class HttpHeadReader {
 public:
  enum class Kind : std::uint8_t { Request, Response };
  enum class State : std::uint8_t { More, Whole, Refused };

  explicit HttpHeadReader(Kind kind);
  ~HttpHeadReader();

  // Takes what belongs to the head off the front of `bytes`; all of it unless the head ends there. Refused is final.
  // REQUIRES: the head was not whole before.
  State read(MutableBytes& bytes);
  // REQUIRES: Whole. Its texts live as long as the reader.
  const HttpHead& head() const { return head_; }
  // REQUIRES: Refused.
  const HttpRefusal& refusal() const { return refusal_; }
  // What has come so far.
  std::string_view text() const { return as_text(gathered_.view()); }

 private:
  struct Parser;

  State refuse(unsigned status, std::string why);
  State finish();

  std::unique_ptr<Parser> parser_;
  ByteBuffer gathered_;
  HttpHead head_;
  HttpRefusal refusal_;
};

// Equal but for the case of ASCII letters, over their whole length.
bool equal_without_case(std::string_view one, std::string_view other);

}  // namespace furrow::gateway
