#include "tests/bench/load/frames.h"

#include "tests/bench/load/fail.h"

namespace furrow::load {
namespace {

void append_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xFF);
}

void append_text(std::string& out, std::string_view text) {
  append_u16(out, text.size());
  out += text;
}

void append_head(std::string& out, FrameType type, unsigned flags, std::size_t remaining) {
  out += static_cast<char>(static_cast<unsigned>(type) << 4 | flags);
  while (remaining >= 0x80) {
    out += static_cast<char>((remaining & 0x7F) | 0x80);
    remaining >>= 7;
  }
  out += static_cast<char>(remaining);
}

std::string_view take(std::string_view& from, std::size_t count) {
  if (from.size() < count) fail("the broker sent a packet that ends too early");
  const std::string_view taken = from.substr(0, count);
  from.remove_prefix(count);
  return taken;
}

std::uint16_t take_u16(std::string_view& from) {
  const std::string_view bytes = take(from, 2);
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[0]) << 8 | static_cast<std::uint8_t>(bytes[1]));
}

}  // namespace

std::optional<Frame> take_frame(std::string_view& bytes) {
  std::size_t remaining = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    if (bytes.size() < i + 2) return {};
    const auto digit = static_cast<std::uint8_t>(bytes[i + 1]);
    remaining |= static_cast<std::size_t>(digit & 0x7F) << (7 * i);
    if (digit >= 0x80) continue;
    if (bytes.size() - (i + 2) < remaining) return {};
    const Frame frame{.head = static_cast<std::uint8_t>(bytes[0]), .body = bytes.substr(i + 2, remaining)};
    bytes.remove_prefix(i + 2 + remaining);
    return frame;
  }
  fail("the broker sent a remaining length of more than four bytes");
}

Publish read_publish(const Frame& frame) {
  std::string_view rest = frame.body;
  Publish publish;
  publish.qos = frame.head >> 1 & 3;
  publish.retain = (frame.head & 1) != 0;
  publish.topic = take(rest, take_u16(rest));
  if (publish.qos > 0) publish.id = take_u16(rest);
  publish.payload = rest;
  return publish;
}

void skip_properties(std::string_view& payload) {
  std::size_t size = 0;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    const auto digit = static_cast<std::uint8_t>(take(payload, 1)[0]);
    size |= static_cast<std::size_t>(digit & 0x7F) << shift;
    if (digit < 0x80) break;
  }
  take(payload, size);
}

std::uint16_t read_id(const Frame& frame) {
  std::string_view rest = frame.body;
  return take_u16(rest);
}

void append_connect(std::string& out, std::string_view client_id, std::string_view user, std::string_view password) {
  constexpr std::string_view kProtocol = "MQTT";
  constexpr char kLevel = 4;
  constexpr unsigned kCleanSession = 2;
  constexpr unsigned kUserAndPassword = 0xC0;
  const bool logs_in = !user.empty();
  const std::size_t login_size = logs_in ? 2 + user.size() + 2 + password.size() : 0;
  append_head(out, FrameType::Connect, 0, 2 + kProtocol.size() + 4 + 2 + client_id.size() + login_size);
  append_text(out, kProtocol);
  out += kLevel;
  out += static_cast<char>(kCleanSession | (logs_in ? kUserAndPassword : 0));
  append_u16(out, 0);  // keep-alive
  append_text(out, client_id);
  if (!logs_in) return;
  append_text(out, user);
  append_text(out, password);
}

void append_publish(std::string& out, const Publish& publish) {
  const std::size_t id_size = publish.qos > 0 ? 2 : 0;
  append_head(out, FrameType::Publish, publish.qos << 1 | (publish.retain ? 1U : 0U),
              2 + publish.topic.size() + id_size + publish.payload.size());
  append_text(out, publish.topic);
  if (publish.qos > 0) append_u16(out, publish.id);
  out += publish.payload;
}

void append_subscribe(std::string& out, std::uint16_t id, std::span<const std::string> filters, unsigned qos) {
  std::size_t remaining = 2;
  for (const std::string& filter : filters) remaining += 2 + filter.size() + 1;
  append_head(out, FrameType::Subscribe, 2, remaining);
  append_u16(out, id);
  for (const std::string& filter : filters) {
    append_text(out, filter);
    out += static_cast<char>(qos);
  }
}

void append_acknowledgement(std::string& out, FrameType type, std::uint16_t id) {
  append_head(out, type, type == FrameType::Pubrel ? 2 : 0, 2);
  append_u16(out, id);
}

void append_empty(std::string& out, FrameType type) {
  append_head(out, type, 0, 0);
}

}  // namespace furrow::load
