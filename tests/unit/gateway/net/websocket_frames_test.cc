// Frames at every split, written by hand as RFC 6455 §5 draws them, and everything that is no frame.
#include "gateway/net/websocket_frames.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

using namespace std::string_literals;

constexpr FrameMask kMask{0x37, 0xFA, 0x21, 0x3D};
constexpr std::uint8_t kFragment = 0x7F;  // clears the bit of the last one

// A frame of a client.
std::string client_frame(std::uint8_t opcode, std::string_view payload, std::uint8_t keep = 0xFF) {
  ByteBuffer bytes;
  append_frame(bytes, opcode, as_bytes(payload), &kMask);
  bytes.data()[0] &= keep;
  return std::string(as_text(bytes.view()));
}
std::string server_frame(std::uint8_t opcode, std::string_view payload) {
  ByteBuffer bytes;
  append_frame(bytes, opcode, as_bytes(payload), nullptr);
  return std::string(as_text(bytes.view()));
}

// What came of frames: their bytes of MQTT, pings, and the end.
struct Outcome {
  std::string passed;
  std::vector<std::string> pings;
  unsigned code = 0;
  std::string why;
  unsigned said = 0;

  bool operator==(const Outcome&) const = default;
};

Outcome read_pieces(const std::vector<std::string>& pieces, WebSocketEnd peer = WebSocketEnd::Client) {
  FrameReader reader(peer);
  Outcome outcome;
  for (std::string piece : pieces) {
    outcome.passed += as_text(reader.read(mutable_bytes(piece)));
    if (reader.has_ping()) {
      outcome.pings.emplace_back(as_text(reader.ping()));
      reader.drop_ping();
    }
  }
  if (reader.end()) {
    outcome.code = reader.end()->code;
    outcome.why = reader.end()->why == nullptr ? "" : reader.end()->why;
    outcome.said = reader.end()->said;
  }
  return outcome;
}

Outcome read_whole(const std::string& bytes, WebSocketEnd peer = WebSocketEnd::Client) {
  return read_pieces({bytes}, peer);
}

TEST(WebSocketFrames, OfTheSpecificationAreWrittenAndRead) {
  // RFC 6455 §5.7: "Hello" without a mask, and with one (its opcode is that of text; ours are binary).
  EXPECT_EQ(server_frame(1, "Hello"), "\x81\x05Hello");
  EXPECT_EQ(client_frame(1, "Hello"), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  EXPECT_EQ(server_frame(2, std::string(256, 'x')), "\x82\x7E\x01\x00"s + std::string(256, 'x'));
  EXPECT_EQ(server_frame(2, std::string(65536, 'x')),
            "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s + std::string(65536, 'x'));
  EXPECT_EQ(read_whole("\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58").passed, "Hello");
  EXPECT_EQ(read_whole("\x82\x05Hello", WebSocketEnd::Server).passed, "Hello");
}

TEST(WebSocketFrames, ArePiecesOfOneStreamAtEverySplit) {
  // Fragments, pings between them, empty frames in every place, and lengths of each size.
  const std::string all = client_frame(2, "one") + client_frame(2, "") + client_frame(2, "two", kFragment) +
                          client_frame(9, "ping") + client_frame(0, "", kFragment) +
                          client_frame(0, std::string(200, '3'), kFragment) + client_frame(10, "nobody asked") +
                          client_frame(0, "") + client_frame(9, "") + client_frame(2, std::string(70, '4'));
  const std::string passed = "onetwo" + std::string(200, '3') + std::string(70, '4');
  for (std::size_t first = 0; first <= all.size(); ++first) {
    const Outcome outcome = read_pieces({all.substr(0, first), all.substr(first)});
    ASSERT_EQ(outcome.passed, passed) << first;
    ASSERT_EQ(outcome.code, 0) << outcome.why;
    ASSERT_EQ(outcome.pings.back(), "") << "the last ping is answered";
  }
  std::vector<std::string> bytes;
  for (const char one : all) bytes.emplace_back(1, one);
  const Outcome outcome = read_pieces(bytes);
  EXPECT_EQ(outcome.passed, passed);
  EXPECT_EQ(outcome.pings, (std::vector<std::string>{"ping", ""}));
}

TEST(WebSocketFrames, OfEveryLengthComeOutAsTheyWere) {
  std::string text;
  for (std::size_t size = 0; size < 300; ++size) {
    text += static_cast<char>('a' + size % 26);
    const std::string two = client_frame(2, text) + client_frame(2, text);
    ASSERT_EQ(read_whole(two).passed, text + text) << size;
  }
  const std::string large(70'000, 'L');
  EXPECT_EQ(read_whole(client_frame(2, large) + client_frame(2, "s")).passed, large + "s");
  EXPECT_EQ(read_whole(server_frame(2, large), WebSocketEnd::Server).passed, large);
}

TEST(WebSocketFrames, OnlyTheLastPingOfAPieceIsAnswered) {
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += client_frame(9, std::to_string(i));
  EXPECT_EQ(read_whole(flood).pings, std::vector<std::string>{"999"});
}

// What is wrong is said at every split, and what came before it still passes.
void expect_end(const std::string& bytes, unsigned code, const std::string& why,
                WebSocketEnd peer = WebSocketEnd::Client) {
  const std::string before = peer == WebSocketEnd::Client ? client_frame(2, "before") : server_frame(2, "before");
  const std::string all = before + bytes;
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    const Outcome outcome = read_pieces({all.substr(0, cut), all.substr(cut), client_frame(2, "after")}, peer);
    ASSERT_EQ(outcome.passed, "before") << why << " " << cut;
    ASSERT_EQ(outcome.code, code) << why << " " << cut;
    ASSERT_EQ(outcome.why, why) << cut;
  }
}

TEST(WebSocketFrames, OfClientsAreMaskedAndThoseOfServersNot) {
  expect_end(server_frame(2, "Hello"), 1002, "a frame of a client without mask");
  expect_end(server_frame(2, ""), 1002, "a frame of a client without mask");
  expect_end(server_frame(8, ""), 1002, "a frame of a client without mask");
  expect_end(client_frame(2, "Hello"), 1002, "a frame of a server with a mask", WebSocketEnd::Server);
}

TEST(WebSocketFrames, OfTextAreNoMqtt) {
  expect_end(client_frame(1, "Hello"), 1003, "a text frame: MQTT is binary");
  expect_end(client_frame(1, "Hello", kFragment), 1003, "a text frame: MQTT is binary");
}

TEST(WebSocketFrames, OutOfOrderAreAnError) {
  expect_end(client_frame(0, "x"), 1002, "a fragment without the beginning of its message");
  expect_end(client_frame(2, "", kFragment) + client_frame(2, ""), 1002,
             "a new message within the fragments of another");
  expect_end(client_frame(2, "", kFragment) + client_frame(0, "") + client_frame(0, "x"), 1002,
             "a fragment without the beginning of its message");
}

TEST(WebSocketFrames, OfExtensionsAndUnknownTypesAreAnError) {
  for (const unsigned bit : {0x10U, 0x20U, 0x40U}) {
    std::string reserved = client_frame(2, "x");
    reserved[0] = static_cast<char>(static_cast<unsigned char>(reserved[0]) | bit);
    expect_end(reserved, 1002, "a frame of an extension, and none was agreed on");
  }
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    expect_end(client_frame(static_cast<std::uint8_t>(opcode), "x"), 1002, "a frame of an unknown type");
  }
}

TEST(WebSocketFrames, OfControlAreShortAndWhole) {
  EXPECT_EQ(read_whole(client_frame(9, std::string(125, 'p'))).pings.front(), std::string(125, 'p'));
  expect_end(client_frame(9, std::string(126, 'p')), 1002, "a control frame of more than 125 bytes");
  expect_end(client_frame(9, "x", kFragment), 1002, "a control frame in fragments");
  expect_end(client_frame(8, "\x03\xE8", kFragment), 1002, "a control frame in fragments");
}

TEST(WebSocketFrames, SayTheirLengthInAsFewBytesAsItTakes) {
  const std::string mask(4, '\0');
  expect_end("\x82\xFE\x00\x7D"s + mask, 1002, "a length in more bytes than it needs");
  expect_end("\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF"s + mask, 1002, "a length in more bytes than it needs");
  EXPECT_EQ(read_whole("\x82\xFE\x00\x7E"s + mask + std::string(126, 'x')).passed, std::string(126, 'x'));
}

TEST(WebSocketFrames, ThatAnnounceTooMuchAreRefusedByTheirHeader) {
  const std::string mask(4, '\0');
  expect_end("\x82\xFF\x00\x00\x00\x00\x10\x00\x00\x01"s + mask, 1009, "a frame longer than any packet of MQTT");
  expect_end("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s + mask, 1009, "a frame longer than any packet of MQTT");
  EXPECT_EQ(read_whole("\x82\xFF\x00\x00\x00\x00\x10\x00\x00\x00"s + mask + "x").passed, "x");
}

TEST(WebSocketFrames, OfCloseSayWhy) {
  expect_end(client_frame(8, ""), 1000, "");
  expect_end(client_frame(8, "\x03\xE8 fine"), 1000, "");
  EXPECT_EQ(read_whole(client_frame(8, "\x03\xE9")).said, 1001);
  EXPECT_EQ(read_whole(client_frame(8, "")).said, 0);
  EXPECT_EQ(read_whole(client_frame(8, "\x0F\xA0")).said, 4000);
  for (const std::string& wrong :
       {"\x03"s, "\x03\xE7"s, "\x03\xED"s, "\x03\xEE"s, "\x03\xF7"s, "\x13\x88"s, "\x00\x00"s}) {
    expect_end(client_frame(8, wrong), 1002, "a close frame without a code that it may have");
  }
}

}  // namespace
}  // namespace furrow::gateway
