// Peers that do not speak MQTT, at every split of their first bytes.
#include "broker-core/mqtt/stranger.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/mqtt/decoder.h"

namespace furrow::mqtt {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

// What a server says of a peer that sends `pieces`; empty while it waits for more.
std::string said_of(const std::vector<std::string_view>& pieces) {
  Decoder decoder(Role::Server, 1 * MiB);
  Packet packet;
  ProtocolError error;
  for (const std::string_view piece : pieces) {
    ByteView input = as_bytes(piece);
    while (true) {
      const Decoder::Step step = decoder.next(input, packet, error);
      if (step == Decoder::Step::Malformed) return error.what;
      if (step == Decoder::Step::NeedMore) break;
    }
  }
  return {};
}

void expect_said(std::string_view bytes, std::string_view what) {
  EXPECT_EQ(said_of({bytes}), what) << bytes;
  for (std::size_t split = 1; split < bytes.size(); ++split) {
    EXPECT_EQ(said_of({bytes.substr(0, split), bytes.substr(split)}), what) << bytes << " split at " << split;
  }
  std::vector<std::string_view> each;
  for (std::size_t i = 0; i < bytes.size(); ++i) each.push_back(bytes.substr(i, 1));
  EXPECT_EQ(said_of(each), what) << bytes << " byte by byte";
}

TEST(Stranger, SpeaksTls) {
  for (const std::string_view version : {"\x00"sv, "\x01"sv, "\x03"sv}) {
    expect_said("\x16\x03" + std::string(version) + "\x02\x05\x01\x00\x02\x01\x03\x03"s,
                "speaks TLS: this listener takes plain MQTT");
  }
}

TEST(Stranger, SpeaksHttp) {
  for (const std::string_view line : {"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "HEAD / HTTP/1.0\r\n",
                                      "PUT /x HTTP/1.1\r\n", "DELETE /x HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n",
                                      "CONNECT a:80 HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    expect_said(line, "speaks HTTP: this listener takes plain MQTT");
  }
}

TEST(Stranger, SpeaksTheProxyProtocol) {
  constexpr std::string_view kSaid = "speaks the PROXY protocol: this listener takes it with proxy_protocol only";
  expect_said("PROXY TCP4 192.0.2.1 192.0.2.2 1024 1883\r\n", kSaid);
  expect_said("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C"sv, kSaid);
}

TEST(Stranger, SpeaksSomethingElse) {
  for (const std::string_view bytes : {"SSH-2.0-x\r\n"sv, "GETS x"sv, "\0\0\0\x10"sv, "\x01\x02\x03"sv}) {
    expect_said(bytes, "does not speak MQTT");
  }
}

TEST(Stranger, IsNotDecidedByAnUnfinishedWord) {
  for (const std::string_view bytes : {"G"sv, "GET"sv, "PO"sv, "\x16"sv, "\r\n\r"sv}) expect_said(bytes, "");
}

TEST(Stranger, IsNoClientWhoseFirstPacketIsWrong) {
  EXPECT_EQ(judge_stranger(as_bytes("P\x02\0\x01"sv)).what, nullptr);
  EXPECT_FALSE(judge_stranger(as_bytes("P\x02\0\x01"sv)).undecided) << "PUBREC";
  EXPECT_FALSE(judge_stranger(as_bytes("\x10\x0C\0\x04MQTT"sv)).undecided) << "CONNECT";
}

}  // namespace
}  // namespace furrow::mqtt
