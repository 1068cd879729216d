#include "bridge/pause.h"

#include "broker-core/base/utc_text.h"
#include "broker-core/base/varint.h"
#include "broker-core/session/session_record.h"
#include "broker-core/session/stamp_codec.h"

namespace furrow::bridge {
namespace {

constexpr std::uint8_t kVersion = 1;

}  // namespace

std::string Pause::reason() const {
  std::string text = "paused by operator since " + utc_seconds_text(since.wall);
  if (length.count() > 0) text += " until " + utc_seconds_text(since.wall + length);
  return text;
}

std::string pause_key(std::string_view bridge) {
  return broker::far_session_key(std::string(1, '\0').append(bridge));
}

broker::Bytes encode(const Pause& pause) {
  ByteBuffer out;
  out.push_back(kVersion);
  broker::put_stamp(out, pause.since);
  put_varint(out, static_cast<std::uint64_t>(pause.length.count()));
  return {out.view().begin(), out.view().end()};
}

std::optional<Pause> decode_pause(ByteView bytes) {
  if (bytes.empty() || bytes.front() != kVersion) return std::nullopt;
  bytes = bytes.subspan(1);
  Pause pause;
  std::uint32_t length = 0;
  if (!broker::take_stamp(bytes, pause.since) || !take_u32(bytes, length) || !bytes.empty()) return std::nullopt;
  pause.length = std::chrono::seconds(length);
  return pause;
}

}  // namespace furrow::bridge
