// Heads of HTTP messages as clients and servers write them, at every split, and as nobody should.
#include "gateway/net/http_head.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

using namespace std::string_literals;

const std::string kRequest =
    "GET /mqtt?site=7 HTTP/1.1\r\nHost: barn.local:8083\r\nUpgrade:websocket\r\nConnection: keep-alive, Upgrade \r\n"
    "Empty:\r\nSec-WebSocket-Protocol: mqtt, mqttv3.1\r\n\r\n";

// What came of `text`, cut into two at `cut`; `rest` is what the reader left.
std::string read_at(HttpHeadReader& reader, const std::string& text, std::size_t cut, std::string* rest = nullptr) {
  for (std::string part : {text.substr(0, cut), text.substr(cut)}) {
    MutableBytes bytes = mutable_bytes(part);
    const auto state = reader.read(bytes);
    if (rest != nullptr) *rest = as_text(bytes);
    if (state == HttpHeadReader::State::Whole) return "whole";
    if (state == HttpHeadReader::State::Refused) {
      return std::to_string(reader.refusal().status) + " " + reader.refusal().why;
    }
    EXPECT_TRUE(bytes.empty());
  }
  return "more";
}

std::string of_request(const std::string& text) {
  HttpHeadReader reader(HttpHeadReader::Kind::Request);
  return read_at(reader, text, text.size());
}

TEST(HttpHead, OfARequestIsReadAtEverySplit) {
  for (std::size_t cut = 0; cut < kRequest.size(); ++cut) {
    HttpHeadReader reader(HttpHeadReader::Kind::Request);
    std::string rest;
    ASSERT_EQ(read_at(reader, kRequest + "\x82\x80", cut, &rest), "whole") << cut;
    EXPECT_EQ(rest, "\x82\x80") << cut;
    const HttpHead& head = reader.head();
    EXPECT_EQ(head.target, "/mqtt?site=7");
    ASSERT_EQ(head.fields.size(), 5);
    EXPECT_EQ(head.field("host"), "barn.local:8083");
    EXPECT_EQ(head.field("upgrade"), "websocket");
    EXPECT_EQ(head.field("Connection"), "keep-alive, Upgrade");
    EXPECT_EQ(head.field("empty"), "");
    EXPECT_EQ(head.field("hos"), std::nullopt);
  }
}

TEST(HttpHead, OfARequestIsReadByteByByte) {
  HttpHeadReader reader(HttpHeadReader::Kind::Request);
  for (std::size_t i = 0; i + 1 < kRequest.size(); ++i) {
    std::string one(1, kRequest[i]);
    MutableBytes bytes = mutable_bytes(one);
    ASSERT_EQ(reader.read(bytes), HttpHeadReader::State::More) << i;
  }
  std::string last(1, kRequest.back());
  MutableBytes bytes = mutable_bytes(last);
  ASSERT_EQ(reader.read(bytes), HttpHeadReader::State::Whole);
  EXPECT_EQ(reader.head().field("Connection"), "keep-alive, Upgrade");
}

TEST(HttpHead, OfAResponseIsReadAtEverySplit) {
  const std::string response =
      "HTTP/1.1 301 Moved Permanently\r\nLocation: https://b.example/\r\nContent-Length: 5\r\n\r\n";
  for (std::size_t cut = 0; cut < response.size(); ++cut) {
    HttpHeadReader reader(HttpHeadReader::Kind::Response);
    std::string rest;
    ASSERT_EQ(read_at(reader, response + "<html", cut, &rest), "whole") << cut;
    EXPECT_EQ(rest, "<html") << cut;
    EXPECT_EQ(reader.head().status, 301);
    EXPECT_EQ(reader.head().reason, "Moved Permanently");
    EXPECT_EQ(reader.head().field("location"), "https://b.example/");
  }
}

TEST(HttpHead, ListsAreSplitAndComparedWhole) {
  HttpHeadReader reader(HttpHeadReader::Kind::Request);
  ASSERT_EQ(read_at(reader, "GET / HTTP/1.1\r\nA: one,Two , ,three\r\na:\tfour\r\n\r\n", 0), "whole");
  const HttpHead& head = reader.head();
  EXPECT_EQ(head.tokens("A"), (std::vector<std::string_view>{"one", "Two", "three", "four"}));
  EXPECT_TRUE(head.has_token("A", "two"));
  EXPECT_TRUE(head.has_token("A", "four"));
  EXPECT_FALSE(head.has_token("A", "thre"));
  EXPECT_FALSE(head.has_token("A", "threee"));
  EXPECT_FALSE(head.has_token("A", ""));
  EXPECT_EQ(head.field("a"), std::nullopt) << "there are two";
}

TEST(HttpHead, MayHave8KiBAndNoMore) {
  const std::string begin = "GET / HTTP/1.1\r\nFiller: ";
  const auto with = [&](std::size_t size) { return begin + std::string(size - begin.size() - 4, 'x') + "\r\n\r\n"; };
  EXPECT_EQ(of_request(with(kHttpHeadBytesMax)), "whole");
  EXPECT_EQ(of_request(with(kHttpHeadBytesMax + 1)), "431 the head of the HTTP message is longer than 8 KiB");
  EXPECT_EQ(of_request(begin + std::string(kHttpHeadBytesMax, 'x')),
            "431 the head of the HTTP message is longer than 8 KiB");
}

TEST(HttpHead, MayHave100FieldsAndNoMore) {
  const auto with = [](std::size_t count) {
    std::string text = "GET / HTTP/1.1\r\n";
    for (std::size_t i = 0; i < count; ++i) text += "A: b\r\n";
    return text + "\r\n";
  };
  EXPECT_EQ(of_request(with(kHttpFieldsMax)), "whole");
  EXPECT_EQ(of_request(with(kHttpFieldsMax + 1)), "431 more than 100 fields in the head of the HTTP message");
}

TEST(HttpHead, OfARequestIsAGetOrAHeadWithoutABody) {
  EXPECT_EQ(of_request("POST /mqtt HTTP/1.1\r\nContent-Length: 3\r\n\r\n"),
            "405 only GET and HEAD are understood here");
  EXPECT_EQ(of_request("CONNECT a:1 HTTP/1.1\r\n\r\n"), "405 only GET and HEAD are understood here");
  EXPECT_EQ(of_request("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"), "400 a request with a body");
  EXPECT_EQ(of_request("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), "400 a request with a body");
  EXPECT_EQ(of_request("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), "whole");
  EXPECT_EQ(of_request("HEAD / HTTP/1.1\r\n\r\n"), "whole");
  EXPECT_EQ(of_request("HEAD / HTTP/1.1\r\nContent-Length: 1\r\n\r\n"), "400 a request with a body");
  EXPECT_EQ(
      of_request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\n"),
      "400 a request with a body");
}

TEST(HttpHead, IsTakenToTheLetter) {
  for (const std::string& lines : {"GET / HTTP/1.1\nHost: a\r\n\r\n"s, "GET / HTTP/1.1\r\nHost: a\n\n"s,
                                   "GET / HTTP/1.1\r\nHost: a\r\n\rx"s, "GET / HTTP/1.1\r\nHost: a\r\n\n"s}) {
    EXPECT_EQ(of_request(lines), "400 not HTTP: a line does not end in CR LF") << lines;
  }
  EXPECT_EQ(of_request("GET / HTTP/1.1\r\nOne:\0a\r\n\r\n"s), "400 not HTTP: a control character in a field");
  EXPECT_EQ(of_request("GET / HTTP/1.1\r\nOne: a\r\n b\r\n\r\n"), "400 not HTTP: a field goes on in a second line");
  EXPECT_EQ(of_request("GET / HTTP/2.0\r\n\r\n"), "400 not HTTP/1.0 or 1.1");
  EXPECT_EQ(of_request("GET /\r\n\r\n"), "400 not HTTP/1.0 or 1.1");
  for (const std::string& bad :
       {std::string("\x10\x0c\x00\x04MQTT", 8), std::string("HTTP/1.1 200 OK\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHo st: a\r\n\r\n"), std::string("GOT / HTTP/1.1\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 28)}) {
    EXPECT_EQ(of_request(bad).substr(0, 4), "400 ") << bad;
  }
}

TEST(HttpHead, IsRefusedAtItsFirstWrongByte) {
  EXPECT_EQ(of_request("\x16").substr(0, 4), "400 ");
  EXPECT_EQ(of_request("GEX").substr(0, 4), "400 ");
  EXPECT_EQ(of_request("GE"), "more");
}

TEST(HttpAnswer, HasItsLengthAndEndsTheConnection) {
  EXPECT_EQ(http_answer({.status = 405, .why = "no"}, "Allow: GET\r\n"),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "X-Content-Type-Options: nosniff\r\nContent-Length: 3\r\nConnection: close\r\nAllow: GET\r\n\r\nno\n");
}

TEST(HttpAnswer, ToAHeadIsTheSameWithoutTheBody) {
  HttpAnswer answer{.status = 200, .type = "application/json", .body = "{}\n", .more_fields = "A: b\r\n"};
  const std::string whole = http_answer(answer);
  EXPECT_TRUE(whole.ends_with("Content-Length: 3\r\nConnection: close\r\nA: b\r\n\r\n{}\n")) << whole;
  answer.is_head = true;
  EXPECT_EQ(http_answer(answer) + "{}\n", whole);
}

}  // namespace
}  // namespace furrow::gateway
