// Any bytes as WebSocket frames of a client or a server: pieces must give what the whole gives, and wslay, which reads
// the same bytes, must find the same payloads and the same end.
//
//   input := flags:1 bytes      flags: bit 7 of a server; the others: how many bytes come at a time, 0: all
#include <wslay/wslay.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "broker-core/base/check.h"
#include "gateway/net/websocket_frames.h"

namespace furrow::gateway {
namespace {

struct Outcome {
  std::string passed;
  std::string last_ping;
  bool ended = false;
  bool closed = false;  // by a close frame
  unsigned code = 0;    // of our close frame
  unsigned said = 0;    // of the peer's

  bool operator==(const Outcome&) const = default;
};

Outcome by_reader(WebSocketEnd peer, ByteView input, std::size_t step) {
  FrameReader reader(peer);
  Outcome outcome;
  while (!input.empty()) {
    std::string piece(as_text(input.first(std::min(step, input.size()))));
    const MutableBytes held = reader.read({reinterpret_cast<std::uint8_t*>(piece.data()), piece.size()});
    FURROW_CHECK(held.size() <= piece.size());
    outcome.passed += as_text(held);
    if (reader.has_ping()) {
      outcome.last_ping = as_text(reader.ping());
      FURROW_CHECK(reader.ping().size() <= kControlBytesMax);
      reader.drop_ping();
    }
    input = input.subspan(piece.size());
  }
  if (!reader.end()) return outcome;
  outcome.ended = true;
  outcome.closed = reader.end()->why == nullptr;
  outcome.code = reader.end()->code;
  outcome.said = reader.end()->said;
  return outcome;
}

// The frames as the library sees them, with the rules about their order that it leaves to its caller.
Outcome by_wslay(WebSocketEnd peer, ByteView input) {
  const wslay_frame_callbacks callbacks = {nullptr,
                                           [](std::uint8_t* buffer, std::size_t size, int, void* from) -> ssize_t {
                                             auto& left = *static_cast<ByteView*>(from);
                                             if (left.empty()) return -1;
                                             const std::size_t count = std::min(size, left.size());
                                             std::memcpy(buffer, left.data(), count);
                                             left = left.subspan(count);
                                             return static_cast<ssize_t>(count);
                                           },
                                           nullptr};
  wslay_frame_context_ptr context = nullptr;
  FURROW_CHECK(wslay_frame_context_init(&context, &callbacks, &input) == 0);
  Outcome outcome;
  const auto end = [&](unsigned code) {
    outcome.ended = true;
    outcome.code = code;
  };
  bool in_message = false;
  std::uint64_t left = 0;  // of the frame
  std::string control;
  wslay_frame_iocb frame = {};
  while (!outcome.ended) {
    const ssize_t count = wslay_frame_recv(context, &frame);
    if (count == WSLAY_ERR_WANT_READ) break;
    if (count < 0) {
      end(kCloseProtocolError);
      break;
    }
    const bool is_control = wslay_is_ctrl_frame(frame.opcode);
    if (left == 0) {
      left = frame.payload_length;
      const bool is_known = frame.opcode <= 2 || (frame.opcode >= 8 && frame.opcode <= 10);
      if (frame.rsv != 0 || !is_known || (frame.mask != 0) != (peer == WebSocketEnd::Client) ||
          (frame.opcode == 0 && !in_message) || (frame.opcode == 2 && in_message)) {
        end(kCloseProtocolError);
      } else if (frame.opcode == 1) {
        end(kCloseNotBinary);
      } else if (left > kFramePayloadBytesMax) {
        end(kCloseTooBig);
      }
      if (outcome.ended) break;
      if (!is_control) in_message = frame.fin == 0;
    }
    const std::string data(reinterpret_cast<const char*>(frame.data), frame.data_length);
    left -= frame.data_length;
    if (!is_control) outcome.passed += data;
    if (!is_control || left > 0) {
      if (is_control) control += data;
      continue;
    }
    control += data;
    if (frame.opcode == WSLAY_PING) outcome.last_ping = control;
    if (frame.opcode == WSLAY_CONNECTION_CLOSE) {
      const auto at = [&control](std::size_t i) { return static_cast<unsigned char>(control[i]); };
      const unsigned code = control.size() < 2 ? 0 : unsigned{at(0)} << 8U | at(1);
      const bool may_be = code >= 1000 && code < 5000 && (code < 1004 || code > 1006) && (code < 1015 || code > 2999);
      outcome.closed = control.empty() || may_be;
      end(outcome.closed ? kCloseNormal : kCloseProtocolError);
      outcome.said = outcome.closed ? code : 0;
    }
    control.clear();
  }
  wslay_frame_context_free(context);
  return outcome;
}

// Which of several things that are wrong in one header is said first is nobody's business.
bool agree(const Outcome& one, const Outcome& other) {
  const bool both_wrong = one.ended && other.ended && !one.closed && !other.closed;
  return one.passed == other.passed && one.last_ping == other.last_ping && (both_wrong || one == other);
}

// Whether the input ends within a header of which only `one` knows yet that it is wrong.
bool is_early(const Outcome& one, const Outcome& other) {
  return one.ended && !one.closed && !other.ended && one.passed == other.passed;
}

void run(WebSocketEnd peer, std::size_t step, ByteView input) {
  const Outcome whole = by_reader(peer, input, std::max<std::size_t>(input.size(), 1));
  Outcome pieces = by_reader(peer, input, step);
  pieces.last_ping = whole.last_ping;  // one answer for each piece; the last is the same
  FURROW_CHECK(by_reader(peer, input, step).last_ping == whole.last_ping);
  FURROW_CHECK(pieces == whole);
  const Outcome reference = by_wslay(peer, input);
  std::string header_done(as_text(input));
  header_done.append(kFrameHeaderBytesMax, '\0');
  FURROW_CHECK(agree(whole, reference) || is_early(whole, reference) ||
               (is_early(reference, whole) && by_reader(peer, as_bytes(header_done), header_done.size()).ended));

  // What is written can be read.
  ByteBuffer written;
  const FrameMask mask{0x12, 0x34, 0x56, 0x78};
  append_frame(written, kBinaryFrame, input, peer == WebSocketEnd::Client ? &mask : nullptr);
  FURROW_CHECK(by_reader(peer, written.view(), written.size()).passed == as_text(input));
}

}  // namespace
}  // namespace furrow::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using furrow::gateway::WebSocketEnd;
  if (size == 0) return 0;
  const furrow::ByteView input(data + 1, size - 1);
  const std::size_t step = (data[0] & 0x7FU) == 0 ? std::max<std::size_t>(input.size(), 1) : data[0] & 0x7FU;
  furrow::gateway::run(data[0] < 0x80 ? WebSocketEnd::Client : WebSocketEnd::Server, step, input);
  return 0;
}
