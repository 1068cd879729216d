#include "broker-core/mqtt/decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/packet_text.h"
#include "tests/support/packet_vectors.h"

namespace furrow::mqtt {
namespace {

using test::bytes_from;
using test::describe;
using test::vectors::kBad;
using test::vectors::kGood;
using Step = Decoder::Step;

constexpr std::uint32_t kPacketBytesMax = 1 * MiB;

// A decoder and what it last said.
class Peer {
 public:
  explicit Peer(Role role, std::uint32_t packet_bytes_max = kPacketBytesMax) : decoder(role, packet_bytes_max) {}
  Peer(Role role, Version version) : Peer(role) { decoder.set_version(version); }

  Step next(ByteView& input) { return decoder.next(input, packet, error); }
  // Keeps `bytes` until the next call, as the packet may borrow from them.
  Step next(test::Bytes bytes) {
    given_ = std::move(bytes);
    ByteView input = given_;
    return next(input);
  }

  // Gives `bytes` one by one, each from a place of its own, and returns the first step that is not NeedMore.
  Step next_by_byte(const test::Bytes& bytes) {
    for (const std::uint8_t byte : bytes) {
      if (const Step step = next(test::Bytes{byte}); step != Step::NeedMore) return step;
    }
    return Step::NeedMore;
  }

  Decoder decoder;
  Packet packet;
  ProtocolError error;

 private:
  test::Bytes given_;
};

class DecoderVectors : public testing::TestWithParam<test::PacketVector> {};
INSTANTIATE_TEST_SUITE_P(Good, DecoderVectors, testing::ValuesIn(kGood), test::name_of<test::PacketVector>);

TEST_P(DecoderVectors, DecodesWhole) {
  Peer peer(GetParam().role, GetParam().version);
  const test::Bytes bytes = bytes_from(GetParam().bytes);
  ByteView input = bytes;
  ASSERT_EQ(peer.next(input), Step::Decoded) << peer.error.what;
  EXPECT_EQ(describe(peer.packet), GetParam().says);
  EXPECT_TRUE(input.empty());
}

TEST_P(DecoderVectors, DecodesByteByByte) {
  Peer peer(GetParam().role, GetParam().version);
  ASSERT_EQ(peer.next_by_byte(bytes_from(GetParam().bytes)), Step::Decoded) << peer.error.what;
  EXPECT_EQ(describe(peer.packet), GetParam().says);
}

TEST_P(DecoderVectors, DecodesInTwoPiecesCutAnywhere) {
  const test::Bytes bytes = bytes_from(GetParam().bytes);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Peer peer(GetParam().role, GetParam().version);
    const test::Bytes head(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    const test::Bytes tail(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end());
    ASSERT_EQ(peer.next(head), Step::NeedMore) << "cut at " << cut;
    EXPECT_EQ(peer.decoder.unfinished_bytes(), cut);
    ASSERT_EQ(peer.next(tail), Step::Decoded) << "cut at " << cut << ": " << peer.error.what;
    EXPECT_EQ(describe(peer.packet), GetParam().says);
    EXPECT_EQ(peer.decoder.unfinished_bytes(), 0U);
  }
}

TEST_P(DecoderVectors, LeavesTrailingBytes) {
  Peer peer(GetParam().role, GetParam().version);
  test::Bytes bytes = bytes_from(GetParam().bytes);
  const std::size_t size = bytes.size();
  bytes.insert(bytes.end(), {0x62, 0x02, 0x00});
  ByteView input = bytes;
  ASSERT_EQ(peer.next(input), Step::Decoded) << peer.error.what;
  EXPECT_EQ(describe(peer.packet), GetParam().says);
  EXPECT_EQ(input.data(), bytes.data() + size);
  ASSERT_EQ(peer.next(input), Step::NeedMore);
  EXPECT_EQ(peer.decoder.unfinished_bytes(), 3U);
}

// The body cut short, with a remaining length that says so: the fields must notice. A cut can also leave a valid packet
// (payloads, lists); then its description is shorter than the whole one's.
TEST_P(DecoderVectors, NoticesBodyCutShort) {
  const test::Bytes whole = bytes_from(GetParam().bytes);
  ASSERT_LT(whole[1], 0x80) << "the test rewrites a length of one byte";
  for (std::size_t size = 2; size < whole.size(); ++size) {
    Peer peer(GetParam().role, GetParam().version);
    // A heap block of just this size, so that the sanitizer sees a read past it.
    test::Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    bytes[1] = static_cast<std::uint8_t>(size - 2);
    const Step step = peer.next(bytes);
    ASSERT_NE(step, Step::NeedMore);
    if (step == Step::Decoded && GetParam().shortest) {
      EXPECT_NE(describe(peer.packet), GetParam().says);
    }
  }
}

class DecoderBadVectors : public testing::TestWithParam<test::BadPacketVector> {};
INSTANTIATE_TEST_SUITE_P(Bad, DecoderBadVectors, testing::ValuesIn(kBad), test::name_of<test::BadPacketVector>);

TEST_P(DecoderBadVectors, AreRefusedWithTheirReason) {
  Peer peer(GetParam().role, GetParam().version);
  ASSERT_EQ(peer.next(bytes_from(GetParam().bytes)), Step::Malformed);
  EXPECT_EQ(name(peer.error.reason), name(GetParam().reason)) << peer.error.what;
  EXPECT_STRNE(peer.error.what, "");
}

TEST_P(DecoderBadVectors, AreRefusedTheSameByteByByte) {
  Peer peer(GetParam().role, GetParam().version);
  ASSERT_EQ(peer.next_by_byte(bytes_from(GetParam().bytes)), Step::Malformed);
  EXPECT_EQ(name(peer.error.reason), name(GetParam().reason)) << peer.error.what;
}

TEST(Decoder, EmptyInputNeedsMore) {
  Peer peer(Role::Server, Version::V3_1_1);
  EXPECT_EQ(peer.next(test::Bytes{}), Step::NeedMore);
  EXPECT_EQ(peer.decoder.unfinished_bytes(), 0U);
}

TEST(Decoder, TakesOnePacketAtATime) {
  Peer peer(Role::Server, Version::V3_1_1);
  const test::Bytes bytes = bytes_from("40 02 0001  c0 00  30 05 0001 'a' 'xy'  e0 00");
  ByteView input = bytes;
  std::vector<std::string> seen;
  while (peer.next(input) == Step::Decoded) seen.push_back(describe(peer.packet));
  EXPECT_EQ(seen, (std::vector<std::string>{"PUBACK id=1 reason=00", "PINGREQ", R"(PUBLISH "a" "xy" qos=0 id=0)",
                                            "DISCONNECT reason=00"}));
}

TEST(Decoder, BorrowsFromInputWhenThePacketIsWhole) {
  Peer peer(Role::Server, Version::V3_1_1);
  const test::Bytes bytes = bytes_from("30 04 0001 'a' 'x'");
  ByteView input = bytes;
  ASSERT_EQ(peer.next(input), Step::Decoded);
  EXPECT_EQ(std::get<Publish>(peer.packet).payload.data(), bytes.data() + 5);
}

TEST(Decoder, KeepsAPacketInPiecesUntilTheNextCall) {
  Peer peer(Role::Server, Version::V3_1_1);
  ASSERT_EQ(peer.next(bytes_from("30 08 0003 'a/b'")), Step::NeedMore);
  {
    // Goes away before the packet is looked at: the packet must not borrow from here.
    const test::Bytes rest = bytes_from("'xyz' 40 02 0007");
    ByteView input = rest;
    ASSERT_EQ(peer.next(input), Step::Decoded);
    EXPECT_EQ(input.size(), 4U);
  }
  EXPECT_EQ(describe(peer.packet), R"(PUBLISH "a/b" "xyz" qos=0 id=0)");
  ASSERT_EQ(peer.next(bytes_from("40 02 0007")), Step::Decoded);
  EXPECT_EQ(describe(peer.packet), "PUBACK id=7 reason=00");
}

TEST(Decoder, LongPacketOverManyReads) {
  Peer peer(Role::Server, Version::V3_1_1);
  test::Bytes bytes = bytes_from("30 83 a0 06 0001 't'");  // 102,403 = 3 + 0x20 * 128 + 6 * 16,384
  bytes.resize(bytes.size() + 102'400, 'p');
  Step step = Step::NeedMore;
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    ASSERT_EQ(step, Step::NeedMore) << at;
    ByteView input = ByteView(bytes).subspan(at, std::min<std::size_t>(1000, bytes.size() - at));
    step = peer.next(input);
  }
  ASSERT_EQ(step, Step::Decoded);
  EXPECT_EQ(std::get<Publish>(peer.packet).payload.size(), 102'400U);
}

TEST(Decoder, RefusesATooLargePacketBeforeItsBody) {
  Peer peer(Role::Server, 10);
  EXPECT_EQ(peer.next(bytes_from("30 08 0001 't' '12345'")), Step::Decoded);
  EXPECT_EQ(peer.next(bytes_from("30 09")), Step::Malformed);
  EXPECT_EQ(peer.error.reason, ReasonCode::PacketTooLarge);
}

TEST(Decoder, CountsTheFixedHeaderAsPartOfThePacket) {
  test::Bytes bytes = bytes_from("30 81 01 0001 't'");
  bytes.resize(3 + 129, 'p');
  EXPECT_EQ(Peer(Role::Server, 132).next(bytes), Step::Decoded);
  EXPECT_EQ(Peer(Role::Server, 131).next(bytes), Step::Malformed);
}

TEST(Decoder, StoresOnlyWhatArrivedOfALargePacket) {
  Peer peer(Role::Server, kRemainingLengthMax + 5);
  EXPECT_EQ(peer.next(bytes_from("30 ff ff ff 7f 0001 't'")), Step::NeedMore);
  EXPECT_EQ(peer.decoder.unfinished_bytes(), 8U);
}

TEST(Decoder, RefusesWrongFlagsBeforeTheLength) {
  Peer peer(Role::Server, Version::V3_1_1);
  EXPECT_EQ(peer.next(bytes_from("47")), Step::Malformed);  // as "GET / HTTP/1.1" begins
}

// All 16 values of the flags of PUBLISH [MQTT 5.0 §3.3.1].
TEST(Decoder, AllowsTheFlagsOfPublish) {
  for (unsigned flags = 0; flags < 16; ++flags) {
    const unsigned qos = flags >> 1U & 3U;
    const bool valid = qos != 3 && !(qos == 0 && (flags & 8U) != 0);
    test::Bytes bytes = bytes_from("30 05 0001 't' 0001");
    bytes[0] |= static_cast<std::uint8_t>(flags);
    EXPECT_EQ(Peer(Role::Server, Version::V3_1_1).next(bytes) == Step::Decoded, valid) << flags;
  }
}

TEST(Decoder, TakesTheVersionFromConnect) {
  Peer peer(Role::Server);
  EXPECT_EQ(peer.decoder.version(), Version::V3_1_1);
  ASSERT_EQ(peer.next(bytes_from("10 0d 0004 'MQTT' 05 02 0000 00 0000")), Step::Decoded);
  EXPECT_EQ(peer.decoder.version(), Version::V5);
  ASSERT_EQ(peer.next(bytes_from("30 06 0001 'a' 00 'xy'")), Step::Decoded);
  EXPECT_EQ(describe(peer.packet), R"(PUBLISH "a" "xy" qos=0 id=0)");
}

TEST(Decoder, KnowsTheVersionOfAConnectItRefuses) {
  Peer peer(Role::Server);
  ASSERT_EQ(peer.next(bytes_from("10 0d 0004 'MQTT' 05 01 0000 00 0000")), Step::Malformed);
  EXPECT_EQ(peer.decoder.version(), Version::V5);
}

TEST(Decoder, ReadsASecondConnectByItsOwnLevelAndKeepsTheVersion) {
  Peer peer(Role::Server);
  ASSERT_EQ(peer.next(bytes_from("10 0c 0004 'MQTT' 04 02 003c 0000")), Step::Decoded);
  ASSERT_EQ(peer.next(bytes_from("10 0d 0004 'MQTT' 05 02 0000 00 0000")), Step::Decoded);
  EXPECT_EQ(std::get<Connect>(peer.packet).version, Version::V5);
  EXPECT_EQ(peer.decoder.version(), Version::V3_1_1);
}

TEST(Decoder, ForgetsWhatTheLastPacketOfTheTypeSaid) {
  Peer peer(Role::Server, Version::V5);
  ASSERT_EQ(peer.next(bytes_from("3d 0b 0001 'a' 0001 03 23 0001 'xy'")), Step::Decoded);
  ASSERT_EQ(peer.next(bytes_from("30 04 0001 'b' 00")), Step::Decoded);
  EXPECT_EQ(describe(peer.packet), R"(PUBLISH "b" "" qos=0 id=0)");

  ASSERT_EQ(peer.next(bytes_from("82 10 0001 05 26 0000 0000 0001 'a' 2e 0001 'b' 2d")), Step::Decoded);
  ASSERT_EQ(peer.next(bytes_from("82 07 0002 00 0001 'c' 00")), Step::Decoded);
  EXPECT_EQ(describe(peer.packet), R"(SUBSCRIBE id=2 "c" qos=0 handling=0)");

  ASSERT_EQ(peer.next(bytes_from("40 08 0001 97 04 1f 0001 'x'")), Step::Decoded);
  ASSERT_EQ(peer.next(bytes_from("40 02 0002")), Step::Decoded);
  EXPECT_EQ(describe(peer.packet), "PUBACK id=2 reason=00");
}

}  // namespace
}  // namespace furrow::mqtt
