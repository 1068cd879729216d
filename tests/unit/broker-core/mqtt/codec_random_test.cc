// What is encoded is decoded again, whatever the packets and wherever the stream is cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/encoder.h"
#include "tests/support/packet_random.h"
#include "tests/support/packet_text.h"

namespace furrow::mqtt {
namespace {

using test::describe;

constexpr std::size_t kPacketCount = 200;
constexpr std::uint64_t kSeedCount = 5;

class CodecRandom : public testing::TestWithParam<std::tuple<Role, Version>> {};
INSTANTIATE_TEST_SUITE_P(Directions, CodecRandom,
                         testing::Combine(testing::Values(Role::Server, Role::Client),
                                          testing::Values(Version::V3_1, Version::V3_1_1, Version::V5)));

// Decodes `stream` cut into pieces of random sizes, each in memory of its own.
std::vector<std::string> decode_in_pieces(ByteView stream, Decoder& decoder, Random& random) {
  std::vector<std::string> seen;
  Packet packet;
  ProtocolError error;
  while (!stream.empty()) {
    const std::size_t size = std::min<std::size_t>(1 + random.below(random.chance(50) ? 8 : 5000), stream.size());
    const test::Bytes piece(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
    stream = stream.subspan(size);
    ByteView input = piece;
    Decoder::Step step = Decoder::Step::Decoded;
    while ((step = decoder.next(input, packet, error)) == Decoder::Step::Decoded) seen.push_back(describe(packet));
    EXPECT_EQ(step, Decoder::Step::NeedMore) << error.what;
    if (step != Decoder::Step::NeedMore) break;
  }
  return seen;
}

TEST_P(CodecRandom, ComesBackTheSame) {
  const auto [role, version] = GetParam();
  for (std::uint64_t seed = 1; seed <= kSeedCount; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test::PacketMaker maker(seed, role, version);
    ByteBuffer stream;
    std::vector<std::string> sent;
    for (std::size_t i = 0; i < kPacketCount; ++i) {
      const Packet packet = maker.make();
      sent.push_back(describe(packet));
      encode(packet, version, stream);
    }

    Decoder decoder(role, 16 * MiB);
    decoder.set_version(version);
    Random random(seed);
    EXPECT_EQ(decode_in_pieces(stream.view(), decoder, random), sent);
    EXPECT_EQ(decoder.unfinished_bytes(), 0U);
  }
}

// Any byte of a valid stream changed: whatever comes of it, nothing is read that did not arrive (the sanitizers watch).
TEST_P(CodecRandom, DamagedBytesAreHandled) {
  const auto [role, version] = GetParam();
  test::PacketMaker maker(7, role, version);
  Random random(7);
  Packet packet;
  ProtocolError error;
  for (int i = 0; i < 2000; ++i) {
    ByteBuffer encoded;
    encode(maker.make(), version, encoded);
    test::Bytes bytes(encoded.view().begin(), encoded.view().end());
    bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.next());
    Decoder decoder(role, 16 * MiB);
    decoder.set_version(version);
    ByteView input = bytes;
    if (decoder.next(input, packet, error) == Decoder::Step::Decoded) {
      ByteBuffer again;
      encode(packet, version, again);
      EXPECT_LE(again.size(), bytes.size() + 1);  // one more for the CONNACK of 3.1.1 that a client of 5.0 understands
    }
  }
}

}  // namespace
}  // namespace furrow::mqtt
