// Both ends of WebSocket: against each other at every split, and against what peers do wrong.
#include "gateway/net/websocket_layer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gateway/net/layer_stack.h"
#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

const std::string kUpgrade =
    "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:8083\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

FrameMask counting_mask() {
  static std::uint8_t next = 0;
  const std::uint8_t first = ++next;
  return {first, 0x5A, 0xFF, 0x00};
}

std::string frame(std::uint8_t opcode, std::string_view payload, bool masked = true) {
  ByteBuffer bytes;
  const FrameMask mask = counting_mask();
  append_frame(bytes, opcode, as_bytes(payload), masked ? &mask : nullptr);
  return std::string(as_text(bytes.view()));
}
std::string close_frame(std::uint16_t code, bool masked = false) {
  ByteBuffer bytes;
  const FrameMask mask = counting_mask();
  append_close_frame(bytes, code, masked ? &mask : nullptr);
  return std::string(as_text(bytes.view()));
}

// A layer, what came out of it above, and what it has said below.
struct LayerEnd {
  explicit LayerEnd(std::unique_ptr<Layer> which) : layer(std::move(which)) { EXPECT_TRUE(layer->begin(below)); }

  // What `raw` holds; or what is wrong with it.
  std::string read(std::string raw) {
    MutableBytes bytes = mutable_bytes(raw);
    std::string text;
    while (true) {
      const auto piece = layer->read(bytes, below);
      if (!piece) return text + "!" + piece.error().message();
      if (piece->empty()) break;
      text += as_text(*piece);
    }
    EXPECT_TRUE(bytes.empty());
    return text;
  }
  // The same in two pieces.
  std::string read_both(const std::string& raw, std::size_t cut) {
    std::string text = read(raw.substr(0, cut));
    return text += read(raw.substr(cut));
  }
  std::string said() {
    std::string text(as_text(below.view()));
    below.release();
    return text;
  }
  std::string write(std::string_view text) {
    ByteBuffer plain;
    plain.append(text);
    while (!plain.empty()) EXPECT_TRUE(layer->write(plain, below));
    return said();
  }
  bool is_open() const { return layer->phase() == Layer::Phase::Open; }

  std::unique_ptr<Layer> layer;
  ByteBuffer below;
};

std::shared_ptr<WebSite> site() {
  return std::make_shared<WebSite>();
}
LayerEnd server(std::shared_ptr<const WebSite> of = site()) {
  return LayerEnd(std::make_unique<WebSocketServerLayer>(std::move(of)));
}
LayerEnd client(std::string path = "/mqtt") {
  return LayerEnd(std::make_unique<WebSocketClientLayer>(
      WebSocketClientLayer::Options{.authority = "127.0.0.1:8083", .path = std::move(path), .random = counting_mask}));
}
LayerEnd open_server() {
  LayerEnd end = server();
  EXPECT_EQ(end.read(kUpgrade), "");
  (void)end.said();
  return end;
}

TEST(WebSocketServer, AnswersTheRequestOfTheSpecification) {
  LayerEnd end = server();
  EXPECT_EQ(end.read(kUpgrade), "");
  EXPECT_TRUE(end.is_open());
  EXPECT_EQ(end.said(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
}

TEST(WebSocketServer, NeverAgreesOnAnExtension) {
  LayerEnd end = server();
  std::string request = kUpgrade;
  request.insert(request.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  EXPECT_EQ(end.read(request), "");
  EXPECT_TRUE(end.is_open());
  EXPECT_EQ(end.said().find("Extensions"), std::string::npos);
}

TEST(WebSocketServer, TakesRequestAndFramesAtEverySplit) {
  const std::string all = kUpgrade + frame(kBinaryFrame, "CONN") + frame(kPingFrame, "?") + frame(kBinaryFrame, "ECT");
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    LayerEnd end = server();
    ASSERT_EQ(end.read_both(all, cut), "CONNECT") << cut;
    ASSERT_TRUE(end.said().ends_with("\r\n\r\n" + frame(kPongFrame, "?", false))) << cut;
  }
}

TEST(WebSocketServer, RefusesWithALineForPeople) {
  LayerEnd end = server();
  const std::string why = "nothing is at 'http://localhost/'";
  EXPECT_EQ(end.read("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"), "!" + why);
  EXPECT_FALSE(end.is_open());
  const std::string said = end.said();
  EXPECT_TRUE(said.starts_with("HTTP/1.1 404 Not Found\r\n")) << said;
  EXPECT_TRUE(said.ends_with("\r\n\r\n" + why + "\n")) << said;

  LayerEnd other = server();
  EXPECT_EQ(other.read("POST /mqtt HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), "!only GET and HEAD are understood here");
  EXPECT_NE(other.said().find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);

  LayerEnd head = server();
  EXPECT_EQ(head.read("HEAD /mqtt HTTP/1.1\r\nHost: localhost\r\n\r\n"), "!MQTT by WebSocket begins with GET");
  EXPECT_TRUE(head.said().ends_with("\r\nAllow: GET\r\n\r\n")) << "a HEAD is answered without a body";
}

TEST(WebSocketServer, PassesOnWhatFollowsAQuestion) {
  const std::string all = "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\nmore";
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    LayerEnd end = server();
    ASSERT_EQ(end.read_both(all, cut), "more") << cut;
    ASSERT_EQ(end.layer->phase(), Layer::Phase::Through);
    Introduction introduction;
    end.layer->introduce(introduction);
    ASSERT_EQ(introduction.question->path, "/status");
    ASSERT_EQ(end.write("HTTP/1.1 200 OK\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
    end.layer->end(end.below);
    ASSERT_EQ(end.said(), "") << "no close frame behind an answer of HTTP";
  }
}

TEST(WebSocketServer, AsksNothingWhenItIsMqtt) {
  LayerEnd end = open_server();
  Introduction introduction;
  end.layer->introduce(introduction);
  EXPECT_FALSE(introduction.question);
}

TEST(WebSocketServer, NamesWhoSpeaksSomethingElseAndSaysNothing) {
  LayerEnd mqtt = server();
  EXPECT_EQ(mqtt.read(std::string("\x10\x0c\x00\x04MQTT", 8)),
            "!speaks MQTT without WebSocket: this listener takes WebSocket");
  EXPECT_EQ(mqtt.said(), "");
  LayerEnd tls = server();
  EXPECT_EQ(tls.read("\x16"), "!speaks TLS: this listener takes WebSocket without it (ws://)");
  EXPECT_EQ(tls.said(), "");
  LayerEnd garbage = server();
  EXPECT_TRUE(garbage.read("\xff\xfe\xfd").starts_with("!not HTTP: "));
  EXPECT_TRUE(garbage.said().starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

TEST(WebSocketServer, TellsWhoBreaksARuleItsCodeAndPassesWhatCameBefore) {
  LayerEnd unmasked = open_server();
  EXPECT_EQ(unmasked.read(frame(kBinaryFrame, "before") + frame(kBinaryFrame, "x", false)),
            "before!a frame of a client without mask");
  EXPECT_EQ(unmasked.said(), close_frame(1002));
  unmasked.layer->end(unmasked.below);
  EXPECT_EQ(unmasked.said(), "") << "its last word is said";
  LayerEnd text = open_server();
  EXPECT_EQ(text.read(frame(1, "x")), "!a text frame: MQTT is binary");
  EXPECT_EQ(text.said(), close_frame(1003));
}

TEST(WebSocketServer, AnswersACloseWithItsCode) {
  LayerEnd usual = open_server();
  EXPECT_EQ(usual.read(frame(kBinaryFrame, "DISCONNECT") + close_frame(1000, true)), "DISCONNECT!closed by the peer");
  EXPECT_EQ(usual.said(), close_frame(1000));
  LayerEnd leaving = open_server();
  EXPECT_EQ(leaving.read(close_frame(1001, true)), "!closed by the peer with code 1001");
  EXPECT_EQ(leaving.said(), close_frame(1001));
  LayerEnd silent = open_server();
  EXPECT_EQ(silent.read(frame(kCloseFrame, "")), "!closed by the peer");
  EXPECT_EQ(silent.said(), close_frame(1000));
}

TEST(WebSocketServer, SaysWhetherItGoesAway) {
  const auto of = site();
  LayerEnd first = server(of);
  LayerEnd second = server(of);
  EXPECT_EQ(first.read(kUpgrade) + second.read(kUpgrade), "");
  (void)first.said();
  (void)second.said();
  first.layer->end(first.below);
  EXPECT_EQ(first.said(), close_frame(1000));
  of->goes_away = true;
  second.layer->end(second.below);
  EXPECT_EQ(second.said(), close_frame(1001));
}

TEST(WebSocketServer, AnswersAFloodOfPingsOnce) {
  LayerEnd end = open_server();
  std::string flood;
  for (int i = 0; i < 5000; ++i) flood += frame(kPingFrame, "?");
  EXPECT_EQ(end.read(flood), "");
  EXPECT_EQ(end.said(), frame(kPongFrame, "?", false));
}

TEST(WebSocketServer, WritesFramesOfALayersPiece) {
  LayerEnd end = open_server();
  const std::string text(20'000, 'x');
  EXPECT_EQ(end.write(text), frame(kBinaryFrame, text.substr(0, Layer::kPieceBytes), false) +
                                 frame(kBinaryFrame, text.substr(Layer::kPieceBytes), false));
}

TEST(WebSocketClient, AgreesWithAServerAtEverySplit) {
  const std::string large(200, 'p');
  for (std::size_t cut = 0; cut <= 200; ++cut) {
    LayerEnd near = client();
    LayerEnd far = server();
    const std::string request = near.said();
    ASSERT_EQ(far.read_both(request, std::min(cut, request.size())), "");
    ASSERT_TRUE(far.is_open()) << request;
    std::string answers = far.said();
    for (const char* one : {"CONNACK", "PUBLISH"}) answers += far.write(one);
    const std::size_t place = std::min(cut, answers.size());
    ASSERT_EQ(near.read_both(answers, place), "CONNACKPUBLISH");
    ASSERT_TRUE(near.is_open());
    std::string words = near.write("SUBSCRIBE");
    words += near.write(large);
    ASSERT_EQ(far.read_both(words, cut), "SUBSCRIBE" + large);
    near.layer->end(near.below);
    ASSERT_EQ(far.read(near.said()), "!closed by the peer");
    ASSERT_EQ(near.read(far.said()), "!closed by the peer");
    ASSERT_EQ(near.said(), "");
  }
}

TEST(WebSocketClient, MasksEachFrameWithAnother) {
  LayerEnd near = client();
  LayerEnd far = server();
  EXPECT_EQ(far.read(near.said()) + near.read(far.said()), "");
  EXPECT_NE(near.write("same").substr(2, 4), near.write("same").substr(2, 4));
}

// What comes of an answer; `KEY` in it stands for the right Sec-WebSocket-Accept.
std::string answered(std::string answer) {
  LayerEnd near = client("/ws/mqtt");
  const std::string request = near.said();
  EXPECT_TRUE(request.starts_with("GET /ws/mqtt HTTP/1.1\r\nHost: 127.0.0.1:8083\r\n")) << request;
  const std::size_t key = request.find("Key: ") + 5;
  if (const std::size_t at = answer.find("KEY"); at != std::string::npos) {
    answer.replace(at, 3, websocket_accept(request.substr(key, 24)));
  }
  std::string result = near.read(answer);
  EXPECT_EQ(near.is_open(), result.empty());
  return result;
}

const std::string kSwitching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n";

TEST(WebSocketClient, TakesNothingForAnAgreementThatIsNone) {
  const std::string accept = "Sec-WebSocket-Accept: KEY\r\n";
  EXPECT_EQ(answered(kSwitching + accept + "Sec-WebSocket-Protocol: mqtt\r\n\r\n"), "");
  EXPECT_EQ(answered(kSwitching + accept + "\r\n"), "") << "some servers name no sub-protocol";
  EXPECT_NE(answered(kSwitching + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"), "");
  EXPECT_NE(answered(kSwitching + "\r\n"), "");
  EXPECT_NE(answered(kSwitching + accept + "Sec-WebSocket-Protocol: chat\r\n\r\n"), "");
  EXPECT_NE(answered(kSwitching + accept + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), "");
  EXPECT_NE(answered("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n" + accept + "\r\n"), "");
}

TEST(WebSocketClient, SaysWhatTheFarSideAnsweredInstead) {
  EXPECT_EQ(answered("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot Found"),
            "!the far side answers HTTP 404 Not Found: there is nothing at /ws/mqtt");
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"),
            "!the far side answers HTTP 200 OK, a page: there is no WebSocket at /ws/mqtt");
  EXPECT_EQ(answered("HTTP/1.1 401 Unauthorized\r\n\r\n"),
            "!the far side answers HTTP 401 Unauthorized: it does not let this gateway in");
  EXPECT_EQ(answered("HTTP/1.1 301 Moved\r\nLocation: https://a.example/mqtt\r\n\r\n"),
            "!the far side answers HTTP 301 Moved to https://a.example/mqtt, which is not followed: write that address "
            "into 'connect'");
  EXPECT_EQ(answered("HTTP/1.1 503 \x1b[31mred\r\n\r\n"), "!the far side answers HTTP 503 \\u001b[31mred");
  EXPECT_TRUE(answered("\x20\x02").starts_with("!the far side does not speak WebSocket: not HTTP: "));
}

}  // namespace
}  // namespace furrow::gateway
