// Any bytes as the head of an HTTP message: pieces must give what the whole gives, and what is taken for a head must be
// one by its plain description. A request is judged, too, and what is allowed to connect must be allowed by a plain
// look.
//
//   input := flags:1 bytes      flags: bit 7 a response; the others: how many bytes come at a time, 0: all
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/check.h"
#include "gateway/net/http_head.h"
#include "gateway/net/web_request.h"

namespace furrow::gateway {
namespace {

using State = HttpHeadReader::State;

State read_in_pieces(HttpHeadReader& reader, ByteView input, std::size_t step, std::size_t& taken) {
  State state = State::More;
  while (state == State::More && !input.empty()) {
    std::string piece(as_text(input.first(std::min(step, input.size()))));
    MutableBytes bytes(reinterpret_cast<std::uint8_t*>(piece.data()), piece.size());
    state = reader.read(bytes);
    FURROW_CHECK(state != State::More || bytes.empty());
    taken += piece.size() - bytes.size();
    input = input.subspan(piece.size());
  }
  return state;
}

bool same(const HttpHead& one, const HttpHead& other) {
  const auto same_field = [](const HttpHead::Field& a, const HttpHead::Field& b) {
    return a.name == b.name && a.value == b.value;
  };
  return one.target == other.target && one.status == other.status && one.reason == other.reason &&
         std::ranges::equal(one.fields, other.fields, same_field);
}

void check_head(const HttpHead& head, std::string_view text) {
  FURROW_CHECK(text.size() <= kHttpHeadBytesMax);
  FURROW_CHECK(text.ends_with("\r\n\r\n"));
  FURROW_CHECK(head.fields.size() <= kHttpFieldsMax);
  FURROW_CHECK(std::count(text.begin(), text.end(), '\n') == std::count(text.begin(), text.end(), '\r'));
  for (const HttpHead::Field& field : head.fields) {
    FURROW_CHECK(!field.name.empty());
    FURROW_CHECK(field.name.find_first_of(" \t\r\n:") == std::string_view::npos);
    FURROW_CHECK(field.value.find_first_of("\r\n") == std::string_view::npos);
    FURROW_CHECK(field.value.find('\0') == std::string_view::npos);
    FURROW_CHECK(text.find(std::string(field.name) + ":") != std::string_view::npos);
  }
}

// A question is asked under a name that nobody else can have, which on this site are few.
void check_question(const HttpHead& head, const WebQuestion& question) {
  FURROW_CHECK(question.path.starts_with('/'));
  FURROW_CHECK(question.path != "/mqtt");
  FURROW_CHECK(head.target.starts_with(question.path));
  FURROW_CHECK(question.path.find('?') == std::string::npos);
  FURROW_CHECK(question.authorization.find_first_of("\r\n") == std::string::npos);
  FURROW_CHECK(head.count("Host") == 1);
  FURROW_CHECK(head.field("Host")->find_first_of("0123456789[lLdD") == 0);  // an address, localhost, dash.example.com
}

void check_judgement(const HttpHead& head) {
  WebSite site;
  site.origins = {*WebOrigin::parse("https://dash.example.com")};
  const WebJudgement judgement = judge_web_request(head, site);
  if (judgement.question) {
    FURROW_CHECK(!judgement.request);
    check_question(head, *judgement.question);
    return;
  }
  if (!judgement.request) {
    FURROW_CHECK(judgement.refusal.status >= 400);
    FURROW_CHECK(!judgement.refusal.why.empty());
    FURROW_CHECK(judgement.refusal.why.find('\n') == std::string::npos);
    return;
  }
  FURROW_CHECK(head.target == "/mqtt" || head.target.starts_with("/mqtt?"));
  FURROW_CHECK(head.count("Host") == 1);
  FURROW_CHECK(head.count("Origin") <= 1);
  FURROW_CHECK(judgement.request->key.find_first_of("\r\n") == std::string::npos);
  if (const auto origin = head.field("Origin")) {
    std::string lower(*origin);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool is_listed = lower == "https://dash.example.com" || lower == "https://dash.example.com:443";
    FURROW_CHECK(is_listed || lower.starts_with("http"));
  }
}

void run(HttpHeadReader::Kind kind, std::size_t step, ByteView input) {
  HttpHeadReader whole(kind);
  HttpHeadReader pieces(kind);
  std::size_t taken = 0;
  std::size_t taken_in_pieces = 0;
  const State state = read_in_pieces(whole, input, std::max<std::size_t>(input.size(), 1), taken);
  FURROW_CHECK(read_in_pieces(pieces, input, step, taken_in_pieces) == state);
  if (state != State::Whole) return;
  FURROW_CHECK(taken == taken_in_pieces);
  FURROW_CHECK(same(whole.head(), pieces.head()));
  check_head(whole.head(), as_text(input.first(taken)));
  if (kind == HttpHeadReader::Kind::Request) check_judgement(whole.head());
}

}  // namespace
}  // namespace furrow::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using furrow::gateway::HttpHeadReader;
  if (size == 0) return 0;
  const furrow::ByteView input(data + 1, size - 1);
  const std::size_t step = (data[0] & 0x7FU) == 0 ? std::max<std::size_t>(input.size(), 1) : data[0] & 0x7FU;
  furrow::gateway::run(data[0] < 0x80 ? HttpHeadReader::Kind::Request : HttpHeadReader::Kind::Response, step, input);
  return 0;
}
