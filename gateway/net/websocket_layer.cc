#include "gateway/net/websocket_layer.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker-core/base/check.h"
#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 §1.3

std::string base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the NUL that OpenSSL writes behind it
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// An answer that is no WebSocket, for people.
std::string told(const HttpHead& head, const std::string& path) {
  std::string text = "the far side answers HTTP " + std::to_string(head.status);
  if (!head.reason.empty()) text += " " + printable(head.reason, kHttpShownBytesMax);
  switch (head.status) {
    case 200:
      return text + ", a page: there is no WebSocket at " + path;
    case 401:
    case 403:
      return text + ": it does not let this gateway in";
    case 404:
      return text + ": there is nothing at " + path;
    default:
      break;
  }
  if (head.status / 100 == 3) {
    const std::string to = printable(head.field("Location").value_or("somewhere else"), kHttpShownBytesMax);
    return text + " to " + to + ", which is not followed: write that address into 'connect'";
  }
  return text;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + std::string(kGuid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  FURROW_CHECK(EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha1(), nullptr) == 1);
  return base64({hash.data(), size});
}

// --- both ends ---

WebSocketLayer::WebSocketLayer(WebSocketEnd peer, HttpHeadReader::Kind head)
    : reader_(std::make_unique<HttpHeadReader>(head)), frames_(peer) {}

Result<MutableBytes> WebSocketLayer::read(MutableBytes& bytes, ByteBuffer& below) {
  if (reader_) FURROW_TRY_STATUS(read_head(bytes, below));
  if (reader_) return MutableBytes();
  if (is_through_) return std::exchange(bytes, {});
  if (!frames_.end()) {
    const MutableBytes piece = frames_.read(std::exchange(bytes, {}));
    if (frames_.has_ping()) {
      say(kPongFrame, frames_.ping(), below);
      frames_.drop_ping();
    }
    if (!piece.empty()) return piece;
  }
  if (frames_.end()) return ended(below);
  return MutableBytes();
}

Status WebSocketLayer::read_head(MutableBytes& bytes, ByteBuffer& below) {
  switch (reader_->read(bytes)) {
    case HttpHeadReader::State::More:
      return {};
    case HttpHeadReader::State::Refused:
      return refuse(*reader_, below);
    case HttpHeadReader::State::Whole:
      break;
  }
  FURROW_TRY_STATUS(open(reader_->head(), below));
  reader_.reset();
  return {};
}

Error WebSocketLayer::ended(ByteBuffer& below) {
  const FrameReader::End& end = *frames_.end();
  if (end.why != nullptr) {
    say_close(end.code, below);
    return invalid(end.why);
  }
  say_close(end.said != 0 ? end.said : kCloseNormal, below);
  if (end.said == 0 || end.said == kCloseNormal) return {Errc::Closed, "closed by the peer"};
  // A page that is left is no fault either.
  const Errc kind = end.said == kCloseGoingAway ? Errc::Closed : Errc::InvalidArgument;
  return {kind, "closed by the peer with code " + std::to_string(end.said)};
}

Status WebSocketLayer::write(ByteBuffer& plain, ByteBuffer& below) {
  const std::size_t size = std::min(plain.size(), kPieceBytes);
  if (is_through_) {
    below.append(plain.view().first(size));
  } else {
    say(kBinaryFrame, plain.view().first(size), below);
  }
  plain.consume(size);
  return {};
}

void WebSocketLayer::end(ByteBuffer& below) {
  say_close(goodbye(), below);
}

void WebSocketLayer::say(std::uint8_t opcode, ByteView payload, ByteBuffer& below) {
  const std::optional<FrameMask> mask = next_mask();
  append_frame(below, opcode, payload, mask ? &*mask : nullptr);
}

void WebSocketLayer::say_close(std::uint16_t code, ByteBuffer& below) {
  if (is_through_ || std::exchange(closed_, true)) return;
  const std::optional<FrameMask> mask = next_mask();
  append_close_frame(below, code, mask ? &*mask : nullptr);
}

// --- server ---

WebSocketServerLayer::WebSocketServerLayer(std::shared_ptr<const WebSite> site)
    : WebSocketLayer(WebSocketEnd::Client, HttpHeadReader::Kind::Request), site_(std::move(site)) {}

Status WebSocketServerLayer::open(const HttpHead& head, ByteBuffer& below) {
  WebJudgement judgement = judge_web_request(head, *site_);
  if (judgement.question) {
    question_ = std::move(judgement.question);
    pass_on();
    return {};
  }
  if (!judgement.request) {
    below.append(http_answer(judgement.refusal, judgement.more_fields, head.is_head));
    return invalid(judgement.refusal.why);
  }
  below.append(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
      websocket_accept(judgement.request->key) + "\r\nSec-WebSocket-Protocol: " + judgement.request->subprotocol +
      "\r\n\r\n");
  return {};
}

Error WebSocketServerLayer::refuse(const HttpHeadReader& reader, ByteBuffer& below) {
  // Whoever speaks something else does not understand an answer in HTTP.
  if (const char* what = judge_web_stranger(reader.text(), site_->is_secure)) return invalid(what);
  const HttpRefusal& refusal = reader.refusal();
  below.append(http_answer(refusal, refusal.status == 405 ? "Allow: GET, HEAD\r\n" : ""));
  return invalid(refusal.why);
}

// --- client ---

WebSocketClientLayer::WebSocketClientLayer(Options options)
    : WebSocketLayer(WebSocketEnd::Server, HttpHeadReader::Kind::Response), options_(std::move(options)) {}

Status WebSocketClientLayer::begin(ByteBuffer& below) {
  std::array<std::uint8_t, 16> nonce{};
  for (std::size_t i = 0; i < nonce.size(); i += 4) std::ranges::copy(options_.random(), nonce.begin() + i);
  key_ = base64(nonce);
  below.append("GET " + options_.path + " HTTP/1.1\r\nHost: " + options_.authority +
               "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key_ +
               "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
  return {};
}

Status WebSocketClientLayer::open(const HttpHead& head, ByteBuffer&) {
  if (head.status != 101) return invalid(told(head, options_.path));
  if (!head.has_token("Upgrade", "websocket") || !head.has_token("Connection", "upgrade") ||
      head.field("Sec-WebSocket-Accept") != websocket_accept(key_)) {
    return invalid("the far side's answer is not one to our request for WebSocket");
  }
  if (head.count("Sec-WebSocket-Extensions") > 0)
    return invalid("the far side wants an extension that was not offered");
  const std::optional<std::string_view> spoken = head.field("Sec-WebSocket-Protocol");
  // Some servers name none, though they should [MQTT-6.0.0-4]; that it is no MQTT will show.
  if (head.count("Sec-WebSocket-Protocol") > 0 && spoken != "mqtt") {
    return invalid("the far side wants to speak another sub-protocol than mqtt");
  }
  return {};
}

Error WebSocketClientLayer::refuse(const HttpHeadReader& reader, ByteBuffer&) {
  return invalid("the far side does not speak WebSocket: " + reader.refusal().why);
}

}  // namespace furrow::gateway
