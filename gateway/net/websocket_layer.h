// MQTT by WebSocket: the HTTP request and its answer, then bytes of MQTT in binary frames. Both ends of it.
//
//   phase     server                                       client
//   Opening   reads the request; answers 101, or refuses   sends its request, reads the answer
//   Open      frames                                       frames, masked
//   Through   after a question by HTTP, which whoever is   -
//             above answers
//
// An end has its last word in every case: a server that refuses answers with a line for people; whoever closes says so
// with a close frame, and a peer that breaks a rule learns the code of it (websocket_frames.h). Pings are answered, one
// pong for all that came in one piece, and never sent: MQTT has its own. No extension is offered or taken; compression
// would cost each idle client some 40 KiB.
// Spec: RFC 6455; MQTT 5.0 §6.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/net/http_head.h"
#include "gateway/net/layer.h"
#include "gateway/net/web_request.h"
#include "gateway/net/websocket_frames.h"

namespace furrow::gateway {

// What both ends have in common once they are open.
class WebSocketLayer : public Layer {
 public:
  std::string_view name() const override { return "WebSocket"; }
  Phase phase() const override { return reader_ ? Phase::Opening : is_through_ ? Phase::Through : Phase::Open; }
  Result<MutableBytes> read(MutableBytes& bytes, ByteBuffer& below) final;
  Status write(ByteBuffer& plain, ByteBuffer& below) final;
  void end(ByteBuffer& below) final;

 protected:
  WebSocketLayer(WebSocketEnd peer, HttpHeadReader::Kind head);

  // The head of the peer has come whole. An error is the end; the answer is in `below` then, if there is one.
  virtual Status open(const HttpHead& head, ByteBuffer& below) = 0;
  // The peer's head is none. REQUIRES: the reader has refused it.
  virtual Error refuse(const HttpHeadReader& reader, ByteBuffer& below) = 0;
  // The mask of the next frame; nothing: none.
  virtual std::optional<FrameMask> next_mask() { return std::nullopt; }
  virtual std::uint16_t goodbye() const { return kCloseNormal; }

  // From open(): no WebSocket follows.
  void pass_on() { is_through_ = true; }

 private:
  Status read_head(MutableBytes& bytes, ByteBuffer& below);
  void say(std::uint8_t opcode, ByteView payload, ByteBuffer& below);
  void say_close(std::uint16_t code, ByteBuffer& below);
  Error ended(ByteBuffer& below);

  std::unique_ptr<HttpHeadReader> reader_;  // until it is open
  FrameReader frames_;
  bool closed_ = false;      // our close frame is out
  bool is_through_ = false;  // bytes pass as they are
};

class WebSocketServerLayer final : public WebSocketLayer {
 public:
  explicit WebSocketServerLayer(std::shared_ptr<const WebSite> site);

  void introduce(Introduction& introduction) const override { introduction.question = question_; }

 private:
  Status open(const HttpHead& head, ByteBuffer& below) override;
  Error refuse(const HttpHeadReader& reader, ByteBuffer& below) override;
  std::uint16_t goodbye() const override { return site_->goes_away ? kCloseGoingAway : kCloseNormal; }

  const std::shared_ptr<const WebSite> site_;
  std::optional<WebQuestion> question_;
};

class WebSocketClientLayer final : public WebSocketLayer {
 public:
  struct Options {
    std::string authority;              // HOST, or HOST:PORT where that is not the port of the scheme
    std::string path = "/mqtt";         // begins with a slash
    std::function<FrameMask()> random;  // not to be foreseen
  };
  explicit WebSocketClientLayer(Options options);

  Status begin(ByteBuffer& below) override;

 private:
  Status open(const HttpHead& head, ByteBuffer& below) override;
  Error refuse(const HttpHeadReader& reader, ByteBuffer& below) override;
  std::optional<FrameMask> next_mask() override { return options_.random(); }

  const Options options_;
  std::string key_;
};

// Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

}  // namespace furrow::gateway
