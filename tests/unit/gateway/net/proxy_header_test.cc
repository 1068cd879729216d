// Headers as balancers write them, at every split, and as nobody should.
#include "gateway/net/proxy_header.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::gateway {
namespace {

using namespace std::string_literals;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

// A header of version 2: command and version, family and transport, and its block.
std::string binary(int version_command, int family_transport, const std::string& block) {
  const auto size = static_cast<unsigned>(block.size());
  return kSignature + static_cast<char>(version_command) + static_cast<char>(family_transport) +
         static_cast<char>(size >> 8U) + static_cast<char>(size & 0xFFU) + block;
}

// 203.0.113.9:40000 came to 192.0.2.1:1883.
const std::string kV4Block = "\xCB\x00\x71\x09\xC0\x00\x02\x01\x9C\x40\x07\x5B"s;

// What a client behind the balancer is taken for; or what is wrong with its header.
std::string peer_of(std::string_view header) {
  const auto parsed = parse_proxy_header(as_bytes(header));
  if (!parsed) return parsed.error().message();
  if (!*parsed) return "incomplete";
  const ProxyHeader& found = **parsed;
  EXPECT_EQ(found.size, header.size());
  return found.source ? found.source->address.text(found.source->port) : "the socket's";
}

// Runs a layer over `bytes`, cut into two at `cut`; returns what came through.
std::string through(ProxyHeaderLayer& layer, std::string bytes, std::size_t cut) {
  std::string passed;
  ByteBuffer below;
  for (std::string part : {bytes.substr(0, cut), bytes.substr(cut)}) {
    MutableBytes left(reinterpret_cast<std::uint8_t*>(part.data()), part.size());
    while (true) {
      const auto piece = layer.read(left, below);
      EXPECT_TRUE(piece);
      if (!piece || piece->empty()) break;
      passed += as_text(*piece);
    }
    EXPECT_TRUE(left.empty());
  }
  EXPECT_TRUE(below.empty());
  return passed;
}

TEST(ProxyLine, NamesTheClient) {
  EXPECT_EQ(peer_of("PROXY TCP4 203.0.113.9 192.0.2.1 40000 1883\r\n"), "203.0.113.9:40000");
  EXPECT_EQ(peer_of("PROXY TCP6 2001:DB8::9 2001:db8::1 40000 1883\r\n"), "[2001:db8::9]:40000");
  EXPECT_EQ(peer_of("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"), "0.0.0.0:0");
}

TEST(ProxyLine, UnknownLeavesTheAddressOfTheSocket) {
  EXPECT_EQ(peer_of("PROXY UNKNOWN\r\n"), "the socket's");
  EXPECT_EQ(peer_of("PROXY UNKNOWN ffff::1 whatever \x01 65535\r\n"), "the socket's");
}

TEST(ProxyLine, MayHave107BytesAndNoMore) {
  const std::string begin = "PROXY UNKNOWN ";
  EXPECT_EQ(peer_of(begin + std::string(105 - begin.size(), 'x') + "\r\n"), "the socket's");
  EXPECT_EQ(peer_of(begin + std::string(106 - begin.size(), 'x') + "\r\n"), "its line is longer than 107 bytes");
  EXPECT_EQ(peer_of(begin + std::string(106 - begin.size(), 'x')), "incomplete");
  EXPECT_EQ(peer_of(begin + std::string(107 - begin.size(), 'x')), "its line is longer than 107 bytes");
}

TEST(ProxyLine, IsTakenToTheLetter) {
  const std::string kAddress = "an address is not one of its protocol";
  const std::string kPort = "a port is not a number from 0 to 65535";
  EXPECT_EQ(peer_of("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"), "its protocol is not TCP4, TCP6 or UNKNOWN");
  EXPECT_EQ(peer_of("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n"), "its protocol is not TCP4, TCP6 or UNKNOWN");
  EXPECT_EQ(peer_of("PROXY UNKNOWNER\r\n"), "its protocol is not TCP4, TCP6 or UNKNOWN");
  EXPECT_EQ(peer_of("PROXY TCP4 ::1 ::1 1 2\r\n"), kAddress);
  EXPECT_EQ(peer_of("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), kAddress);
  EXPECT_EQ(peer_of("PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n"), kAddress);
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n"), kAddress);
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4\r\n"), kAddress);
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"), kPort);
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"), kPort);
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), kPort);
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), "something follows the second port");
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), "something follows the second port");
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), "its line ends without CR");
  EXPECT_EQ(peer_of("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n"), "its line has CR without LF");
}

TEST(ProxyBlock, NamesTheClient) {
  EXPECT_EQ(peer_of(binary(0x21, 0x11, kV4Block)), "203.0.113.9:40000");
  const std::string v6 = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x09"s;
  EXPECT_EQ(peer_of(binary(0x21, 0x21, v6 + v6 + "\x9C\x40\x07\x5B")), "[2001:db8::9]:40000");
}

TEST(ProxyBlock, OfAnIpv4ClientInIpv6NamesItAsIpv4) {
  const std::string mapped = std::string(10, '\0') + "\xFF\xFF"s + kV4Block.substr(0, 4);
  EXPECT_EQ(peer_of(binary(0x21, 0x21, mapped + mapped + "\x9C\x40\x07\x5B")), "203.0.113.9:40000");
}

TEST(ProxyBlock, OfTheBalancerItselfLeavesTheAddressOfTheSocket) {
  EXPECT_EQ(peer_of(binary(0x20, 0x00, "")), "the socket's");
  EXPECT_EQ(peer_of(binary(0x20, 0x11, kV4Block)), "the socket's");
  EXPECT_EQ(peer_of(binary(0x20, 0x11, "x")), "the socket's");
}

TEST(ProxyBlock, WithoutATcpClientLeavesTheAddressOfTheSocket) {
  EXPECT_EQ(peer_of(binary(0x21, 0x00, "")), "the socket's");
  EXPECT_EQ(peer_of(binary(0x21, 0x10, kV4Block)), "the socket's");
  EXPECT_EQ(peer_of(binary(0x21, 0x12, kV4Block)), "the socket's");
  EXPECT_EQ(peer_of(binary(0x21, 0x31, std::string(216, 'x'))), "the socket's");
}

TEST(ProxyBlock, IsSkippedBeyondItsAddresses) {
  EXPECT_EQ(peer_of(binary(0x21, 0x11, kV4Block + "\x02\x00\x07xample"s)), "203.0.113.9:40000");
}

TEST(ProxyBlock, MayHave536BytesAndNoMore) {
  EXPECT_EQ(peer_of(binary(0x21, 0x11, kV4Block + std::string(508, 'x'))), "203.0.113.9:40000");
  EXPECT_EQ(peer_of(binary(0x21, 0x11, kV4Block + std::string(509, 'x')).substr(0, 16)),
            "it announces 537 bytes, more than 536");
}

TEST(ProxyBlock, IsTakenToTheLetter) {
  EXPECT_EQ(peer_of(binary(0x11, 0x11, kV4Block)), "its binary form has version 1, not 2");
  EXPECT_EQ(peer_of(binary(0x22, 0x11, kV4Block)), "its command is neither LOCAL nor PROXY");
  EXPECT_EQ(peer_of(binary(0x21, 0x41, kV4Block)), "its family or transport is unknown");
  EXPECT_EQ(peer_of(binary(0x21, 0x13, kV4Block)), "its family or transport is unknown");
  EXPECT_EQ(peer_of(binary(0x21, 0x11, kV4Block.substr(1))), "its block is too short for its addresses");
  EXPECT_EQ(peer_of(binary(0x21, 0x21, kV4Block)), "its block is too short for its addresses");
}

TEST(ProxyHeader, IsRefusedAtItsFirstWrongByte) {
  for (const std::string& header : {"PROXY TCP4 "s, kSignature}) {
    for (std::size_t size = 1; size <= header.size(); ++size) {
      std::string begin = header.substr(0, size);
      EXPECT_EQ(peer_of(begin), "incomplete") << size;
      if (size > 6 && header.front() == 'P') continue;
      begin.back() = static_cast<char>(begin.back() ^ 0x01);
      EXPECT_EQ(peer_of(begin), "the connection begins with something else") << size;
    }
  }
  EXPECT_EQ(peer_of("\x10\x0c\x00\x04MQTT"), "the connection begins with something else");
}

TEST(ProxyHeaderLayer, TakesTheHeaderAtEverySplit) {
  const std::string kMqtt = "\x10\x0c and whatever follows";
  for (const std::string& header : {"PROXY TCP4 203.0.113.9 192.0.2.1 40000 1883\r\n"s, binary(0x21, 0x11, kV4Block),
                                    binary(0x21, 0x11, kV4Block + std::string(508, 'x'))}) {
    for (std::size_t cut = 0; cut <= header.size() + kMqtt.size(); ++cut) {
      ProxyHeaderLayer layer;
      ASSERT_EQ(through(layer, header + kMqtt, cut), kMqtt) << cut;
      ASSERT_EQ(layer.phase(), Layer::Phase::Through);
      Introduction introduction{.peer = "10.0.0.2:9"};
      layer.introduce(introduction);
      ASSERT_EQ(introduction.peer, "203.0.113.9:40000");
      ASSERT_EQ(introduction.address->text(introduction.port), introduction.peer);
    }
  }
}

TEST(ProxyHeaderLayer, KeepsTheAddressOfTheSocketForTheBalancerItself) {
  ProxyHeaderLayer layer;
  EXPECT_EQ(through(layer, binary(0x20, 0x00, ""), 3), "");
  Introduction introduction{.peer = "10.0.0.2:9"};
  layer.introduce(introduction);
  EXPECT_EQ(introduction.peer, "10.0.0.2:9");
}

TEST(ProxyHeaderLayer, IsOpeningUntilItHasTheWholeHeader) {
  ProxyHeaderLayer layer;
  EXPECT_EQ(through(layer, "PROXY TCP4 203.0.113.9 192.0.2.1 40000 1883\r", 20), "");
  EXPECT_EQ(layer.phase(), Layer::Phase::Opening);
}

}  // namespace
}  // namespace furrow::gateway
