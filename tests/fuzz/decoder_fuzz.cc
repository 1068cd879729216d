// Any bytes, in any pieces: the decoder says the same, and what it decodes can be encoded and decoded to the same.
//
//   input := who:1 seed:1 stream
//   who   := our role in bit 0, the version told to the decoder in bits 1 and 2 (none, 3.1, 3.1.1, 5.0)
//   seed  := how the stream is cut into pieces
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/base/random.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/encoder.h"
#include "tests/support/packet_text.h"

namespace furrow::mqtt {
namespace {

using Step = Decoder::Step;

Decoder make_decoder(std::uint8_t who) {
  Decoder decoder((who & 1U) == 0 ? Role::Server : Role::Client, 1 * MiB);
  constexpr Version kVersions[] = {Version::V3_1, Version::V3_1_1, Version::V5};
  const unsigned version = who >> 1U & 3U;
  if (version > 0) decoder.set_version(kVersions[version - 1]);
  return decoder;
}

// All that came of a stream.
struct Outcome {
  std::vector<std::string> packets;
  Step step = Step::NeedMore;
  std::string_view what;  // when malformed
  std::size_t unfinished_bytes = 0;

  bool operator==(const Outcome&) const = default;
};

// Gives `piece` to the decoder; what it decodes is also encoded to `again`, if there is one.
void take(Decoder& decoder, ByteView piece, Outcome& outcome, ByteBuffer* again) {
  Packet packet;
  ProtocolError error;
  while ((outcome.step = decoder.next(piece, packet, error)) == Step::Decoded) {
    outcome.packets.push_back(test::describe(packet));
    if (again != nullptr) encode(packet, decoder.version(), *again);
  }
  if (outcome.step == Step::Malformed) outcome.what = error.what;
  if (outcome.step == Step::NeedMore) FURROW_CHECK(piece.empty());
  outcome.unfinished_bytes = outcome.step == Step::NeedMore ? decoder.unfinished_bytes() : 0;
}

Outcome decode_whole(std::uint8_t who, ByteView stream, ByteBuffer* again) {
  Decoder decoder = make_decoder(who);
  Outcome outcome;
  take(decoder, stream, outcome, again);
  return outcome;
}

Outcome decode_in_pieces(std::uint8_t who, ByteView stream, std::uint8_t seed) {
  Decoder decoder = make_decoder(who);
  Random random(seed);
  Outcome outcome;
  while (!stream.empty() && outcome.step == Step::NeedMore) {
    const std::size_t size = std::min<std::size_t>(1 + random.below(random.chance(70) ? 4 : 100), stream.size());
    // In memory of its own, so that the sanitizer sees what is borrowed for too long.
    const std::vector<std::uint8_t> piece(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
    stream = stream.subspan(size);
    take(decoder, piece, outcome, nullptr);
  }
  return outcome;
}

void run(std::uint8_t who, std::uint8_t seed, ByteView stream) {
  ByteBuffer again;
  const Outcome whole = decode_whole(who, stream, &again);
  FURROW_CHECK(decode_in_pieces(who, stream, seed) == whole);

  const Outcome second = decode_whole(who, again.view(), nullptr);
  FURROW_CHECK(second.step == Step::NeedMore);
  FURROW_CHECK(second.unfinished_bytes == 0);
  FURROW_CHECK(second.packets == whole.packets);
}

}  // namespace
}  // namespace furrow::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size >= 2) furrow::mqtt::run(data[0], data[1], furrow::ByteView(data + 2, size - 2));
  return 0;
}
