#include "gateway/net/websocket_frames.h"

#include <algorithm>
#include <cstring>

namespace furrow::gateway {
namespace {

constexpr std::uint8_t kContinuationFrame = 0;
constexpr std::uint8_t kTextFrame = 1;
constexpr std::uint8_t kFin = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;

// `from` under `mask` at `to`, which may be the same place or lie before it: each word is read before it is written
// over.
void copy_masked(std::uint8_t* to, const std::uint8_t* from, std::size_t count, const FrameMask& mask) {
  std::array<std::uint8_t, 8> twice{};
  std::copy(mask.begin(), mask.end(), twice.begin());
  std::copy(mask.begin(), mask.end(), twice.begin() + mask.size());
  std::uint64_t key = 0;
  std::memcpy(&key, twice.data(), sizeof key);
  std::size_t at = 0;
  for (; at + sizeof key <= count; at += sizeof key) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, sizeof word);
    word ^= key;
    std::memcpy(to + at, &word, sizeof word);
  }
  for (; at < count; ++at) to[at] = static_cast<std::uint8_t>(from[at] ^ mask[at % mask.size()]);
}

// What a peer may send as the code of its close frame.
bool is_close_code(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace

MutableBytes FrameReader::read(MutableBytes bytes) {
  std::uint8_t* const front = bytes.data();
  std::uint8_t* back = front;  // of what is returned
  while (!bytes.empty() && !end_) {
    if (!in_payload_) {
      take_header(bytes);
      continue;
    }
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    std::uint8_t* const to = is_control() ? control_.extend(size) : back;
    copy_masked(to, bytes.data(), size, mask_);
    if (!is_control()) back += size;
    bytes = bytes.subspan(size);
    left_ -= size;
    if (left_ == 0) {
      end_frame();
    } else {
      const FrameMask before = mask_;
      for (std::size_t i = 0; i < mask_.size(); ++i) mask_[i] = before[(i + size) % before.size()];
    }
  }
  return {front, back};
}

void FrameReader::drop_ping() {
  has_ping_ = false;
  ping_.release();
}

// --- the header ---

std::size_t FrameReader::header_bytes() const {
  if (header_size_ < 2) return 2;
  const std::uint8_t length = header_[1] & ~kMasked;
  const std::size_t more = length == kLength64 ? 8 : length == kLength16 ? 2 : 0;
  return 2 + more + ((header_[1] & kMasked) != 0 ? mask_.size() : 0);
}

void FrameReader::take_header(MutableBytes& bytes) {
  // Two bytes say how many there are.
  const std::size_t count = header_size_ < 2 ? 1 : std::min(header_bytes() - header_size_, bytes.size());
  std::copy_n(bytes.begin(), count, &header_[header_size_]);
  header_size_ = static_cast<std::uint8_t>(header_size_ + count);
  bytes = bytes.subspan(count);
  const std::uint8_t byte = header_[header_size_ - 1U];
  if (header_size_ == 1) {
    // What can be told by the first byte is told at once.
    const bool fin = (byte & kFin) != 0;
    opcode_ = byte & 0x0FU;
    if ((byte & kReserved) != 0) return fail(kCloseProtocolError, "a frame of an extension, and none was agreed on");
    if (opcode_ > kPongFrame || (opcode_ > kBinaryFrame && !is_control())) {
      return fail(kCloseProtocolError, "a frame of an unknown type");
    }
    if (is_control() && !fin) return fail(kCloseProtocolError, "a control frame in fragments");
    if (opcode_ == kTextFrame) return fail(kCloseNotBinary, "a text frame: MQTT is binary");
    if (opcode_ == kContinuationFrame && !in_message_) {
      return fail(kCloseProtocolError, "a fragment without the beginning of its message");
    }
    if (opcode_ == kBinaryFrame && in_message_) {
      return fail(kCloseProtocolError, "a new message within the fragments of another");
    }
    return;
  }
  if (header_size_ == 2) {
    const bool masked = (byte & kMasked) != 0;
    if (peer_ == WebSocketEnd::Client && !masked) return fail(kCloseProtocolError, "a frame of a client without mask");
    if (peer_ == WebSocketEnd::Server && masked) return fail(kCloseProtocolError, "a frame of a server with a mask");
    if (is_control() && (byte & ~kMasked) > kControlBytesMax) {
      return fail(kCloseProtocolError, "a control frame of more than 125 bytes");
    }
  }
  if (header_size_ == header_bytes()) begin_frame();
}

std::uint64_t FrameReader::announced() const {
  const std::uint8_t length = header_[1] & ~kMasked;
  if (length < kLength16) return length;
  std::uint64_t value = 0;
  for (std::size_t i = 2; i < (length == kLength16 ? 4U : 10U); ++i) value = value << 8U | header_[i];
  return value;
}

void FrameReader::begin_frame() {
  const std::uint8_t length = header_[1] & ~kMasked;
  left_ = announced();
  if ((length == kLength16 && left_ < kLength16) || (length == kLength64 && left_ <= 0xFFFF)) {
    return fail(kCloseProtocolError, "a length in more bytes than it needs");
  }
  if (left_ > kFramePayloadBytesMax) return fail(kCloseTooBig, "a frame longer than any packet of MQTT");
  if (!is_control()) in_message_ = (header_[0] & kFin) == 0;
  mask_ = {};
  if (peer_ == WebSocketEnd::Client) std::copy_n(&header_[header_size_ - mask_.size()], mask_.size(), mask_.begin());
  header_size_ = 0;
  in_payload_ = true;
  if (left_ == 0) end_frame();
}

// --- the end of a frame ---

void FrameReader::end_frame() {
  in_payload_ = false;
  if (opcode_ == kCloseFrame) take_close();
  if (opcode_ == kPingFrame) {
    has_ping_ = true;
    ping_ = std::move(control_);
  }
  if (is_control()) control_.release();
}

void FrameReader::take_close() {
  const ByteView payload = control_.view();
  if (payload.empty()) {
    end_ = End{.code = kCloseNormal, .why = nullptr, .said = 0};
    return;
  }
  const unsigned code = payload.size() < 2 ? 0 : unsigned{payload[0]} << 8U | payload[1];
  if (!is_close_code(code)) return fail(kCloseProtocolError, "a close frame without a code that it may have");
  end_ = End{.code = kCloseNormal, .why = nullptr, .said = static_cast<std::uint16_t>(code)};
}

void FrameReader::fail(std::uint16_t code, const char* why) {
  end_ = End{.code = code, .why = why, .said = 0};
}

// --- writing ---

void append_frame(ByteBuffer& to, std::uint8_t opcode, ByteView payload, const FrameMask* mask) {
  std::array<std::uint8_t, kFrameHeaderBytesMax> header{};
  std::size_t size = 0;
  const auto put = [&](std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i > 0; --i) header[size++] = static_cast<std::uint8_t>(value >> ((i - 1) * 8));
  };
  put(kFin | opcode, 1);
  const std::uint8_t flag = mask != nullptr ? kMasked : 0;
  if (payload.size() < kLength16) {
    put(flag | payload.size(), 1);
  } else if (payload.size() <= 0xFFFF) {
    put(flag | kLength16, 1);
    put(payload.size(), 2);
  } else {
    put(flag | kLength64, 1);
    put(payload.size(), 8);
  }
  if (mask != nullptr) {
    for (const std::uint8_t byte : *mask) put(byte, 1);
  }
  std::uint8_t* const place = to.extend(size + payload.size());
  std::copy_n(header.begin(), size, place);
  if (mask != nullptr) {
    copy_masked(place + size, payload.data(), payload.size(), *mask);
  } else if (!payload.empty()) {
    std::memcpy(place + size, payload.data(), payload.size());
  }
}

void append_close_frame(ByteBuffer& to, std::uint16_t code, const FrameMask* mask) {
  const std::array<std::uint8_t, 2> payload{static_cast<std::uint8_t>(code >> 8U), static_cast<std::uint8_t>(code)};
  append_frame(to, kCloseFrame, payload, mask);
}

}  // namespace furrow::gateway
