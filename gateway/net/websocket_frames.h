// WebSocket frames: the bytes of MQTT in them, and frames around bytes of MQTT.
//
//   frame   = fin:1 rsv:3 opcode:4 masked:1 length:7 [length:16 | length:64] [mask:32] payload
//   opcode  = 0 continuation | 1 text | 2 binary | 8 close | 9 ping | 10 pong      from a client all are masked
//
// For MQTT the payloads of binary frames are one stream: packets cross frames, and a frame holds several
// [MQTT-6.0.0-2]. So nothing is gathered here but a header, and the 125 bytes of a ping or a close: payloads are
// unmasked where they lie and moved together at the front of what was read. No length that a peer announces is
// believed; it is only counted down.
// Nothing here is of a library: the contexts of wslay take 5 to 13 KiB for each connection and 110 ns for a frame of 60
// bytes, which is as much as everything else that a message costs. The tests compare the two.
// Spec: RFC 6455 §5 and §7.4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "broker-core/base/bytes.h"

namespace furrow::gateway {

enum class WebSocketEnd : std::uint8_t { Server, Client };

// Status codes of a close frame that we send.
inline constexpr std::uint16_t kCloseNormal = 1000;
inline constexpr std::uint16_t kCloseGoingAway = 1001;
inline constexpr std::uint16_t kCloseProtocolError = 1002;
inline constexpr std::uint16_t kCloseNotBinary = 1003;
inline constexpr std::uint16_t kCloseTooBig = 1009;

// A frame beyond this has no packet of MQTT in it that could be allowed.
inline constexpr std::uint64_t kFramePayloadBytesMax = 256 * MiB;
inline constexpr std::size_t kControlBytesMax = 125;
inline constexpr std::size_t kFrameHeaderBytesMax = 14;

using FrameMask = std::array<std::uint8_t, 4>;

// What the frames of a peer hold.
class FrameReader {
 public:
  // Why nothing more is read.
  struct End {
    std::uint16_t code = 0;     // of our close frame
    const char* why = nullptr;  // static text; nullptr: the peer closed
    std::uint16_t said = 0;     // the code of the peer's close frame; 0: it has none
  };

  // `peer`: whose frames these are.
  explicit FrameReader(WebSocketEnd peer) : peer_(peer) {}

  // Takes all of `bytes` and returns what they hold for MQTT, at their front. After end() it takes nothing more, and
  // what came before the end has been returned.
  MutableBytes read(MutableBytes bytes);
  const std::optional<End>& end() const { return end_; }

  // The payload of the last ping that read() has met, to be answered: one answer serves all before it.
  bool has_ping() const { return has_ping_; }
  ByteView ping() const { return ping_.view(); }
  void drop_ping();

 private:
  void take_header(MutableBytes& bytes);
  std::size_t header_bytes() const;
  void begin_frame();
  void end_frame();
  void take_close();
  void fail(std::uint16_t code, const char* why);
  bool is_control() const { return opcode_ >= 8; }
  std::uint64_t announced() const;

  const WebSocketEnd peer_;
  std::array<std::uint8_t, kFrameHeaderBytesMax> header_{};
  std::uint8_t header_size_ = 0;  // of what has come
  std::uint8_t opcode_ = 0;       // of the frame whose payload comes
  bool in_payload_ = false;
  bool in_message_ = false;  // a data frame that is not the last of its message was the last one
  bool has_ping_ = false;
  FrameMask mask_{};        // of the next byte first
  std::uint64_t left_ = 0;  // of the payload
  ByteBuffer control_;      // the payload of a control frame that comes in pieces
  ByteBuffer ping_;
  std::optional<End> end_;
};

// Appends one whole frame. A client masks; `mask` is then not foreseeable by who chooses the payload.
void append_frame(ByteBuffer& to, std::uint8_t opcode, ByteView payload, const FrameMask* mask);

inline constexpr std::uint8_t kBinaryFrame = 2;
inline constexpr std::uint8_t kCloseFrame = 8;
inline constexpr std::uint8_t kPingFrame = 9;
inline constexpr std::uint8_t kPongFrame = 10;

void append_close_frame(ByteBuffer& to, std::uint16_t code, const FrameMask* mask);

}  // namespace furrow::gateway
