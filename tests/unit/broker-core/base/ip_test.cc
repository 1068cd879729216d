// The C library's own reading and writing of addresses is the witness.
#include "broker-core/base/ip.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "broker-core/base/random.h"

namespace furrow {
namespace {

std::string round_trip(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? address->text() : "not an address";
}

bool contains(std::string_view network, std::string_view address) {
  return IpNetwork::parse(network)->contains(*IpAddress::parse(address));
}

std::string mistake_in(std::string_view network) {
  const auto parsed = IpNetwork::parse(network);
  return parsed ? "none" : parsed.error().message();
}

TEST(IpAddress, IsWrittenAsRfc5952Says) {
  EXPECT_EQ(round_trip("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(round_trip("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
  EXPECT_EQ(round_trip("2001:db8:0:1:0:0:0:1"), "2001:db8:0:1::1");
  EXPECT_EQ(round_trip("1:0:0:2:0:0:3:4"), "1::2:0:0:3:4");
  EXPECT_EQ(round_trip("1:0:2:3:4:5:6:7"), "1:0:2:3:4:5:6:7");
  EXPECT_EQ(round_trip("0:0:0:0:0:0:0:0"), "::");
  EXPECT_EQ(round_trip("1::"), "1::");
}

TEST(IpAddress, AnIpv4PeerOfASocketForBothFamiliesIsIpv4) {
  EXPECT_EQ(round_trip("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(IpAddress::parse("::ffff:c000:201"), IpAddress::parse("192.0.2.1"));
}

TEST(IpAddress, HasItsPortBehindIt) {
  EXPECT_EQ(IpAddress::parse("192.0.2.1")->text(1883), "192.0.2.1:1883");
  EXPECT_EQ(IpAddress::parse("2001:db8::1")->text(0), "[2001:db8::1]:0");
}

TEST(IpAddress, RefusesWhatTheCLibraryRefuses) {
  for (const char* text : {"",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           "1..2.3",
                           "+1.2.3.4",
                           ":",
                           ":::",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7::8",
                           "1::2::3",
                           "12345::",
                           "g::",
                           "::1:",
                           ":1",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::1.2.3",
                           "::1.2.3.4:5",
                           "fe80::1%eth0",
                           "[::1]"}) {
    IpAddress::V6 bytes{};
    EXPECT_FALSE(IpAddress::parse(text)) << text;
    EXPECT_NE(inet_pton(AF_INET6, text, bytes.data()), 1) << text;
    EXPECT_NE(inet_pton(AF_INET, text, bytes.data()), 1) << text;
  }
}

// Addresses with many zeroes, since `::` is where texts differ.
TEST(IpAddress, ReadsAndWritesAsTheCLibraryDoes) {
  Random random(1);
  for (int round = 0; round < 5000; ++round) {
    IpAddress::V6 bytes{};
    for (std::uint8_t& byte : bytes) byte = random.below(3) == 0 ? static_cast<std::uint8_t>(random.below(256)) : 0;
    bytes[0] = 0x20;  // neither of IPv4
    const IpAddress address(bytes);
    std::array<char, INET6_ADDRSTRLEN> text{};
    ASSERT_NE(inet_ntop(AF_INET6, bytes.data(), text.data(), text.size()), nullptr);
    EXPECT_EQ(address.text(), text.data());
    EXPECT_EQ(IpAddress::parse(text.data()), address) << text.data();
  }
}

TEST(IpNetwork, ContainsWhatBeginsLikeIt) {
  EXPECT_TRUE(contains("192.168.0.0/16", "192.168.255.255"));
  EXPECT_FALSE(contains("192.168.0.0/16", "192.169.0.0"));
  EXPECT_TRUE(contains("10.0.0.0/30", "10.0.0.3"));
  EXPECT_FALSE(contains("10.0.0.0/30", "10.0.0.4"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(IpNetwork, WithoutBitsIsOneAddress) {
  EXPECT_TRUE(contains("10.0.0.2", "10.0.0.2"));
  EXPECT_FALSE(contains("10.0.0.2", "10.0.0.3"));
  EXPECT_FALSE(contains("2001:db8::1", "2001:db8::2"));
}

TEST(IpNetwork, OfEverythingHasOneFamily) {
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("::/0", "2001:db8::1"));
  EXPECT_FALSE(contains("::/0", "203.0.113.9"));
  EXPECT_TRUE(IpNetwork::parse("::/0")->is_everything());
}

TEST(IpNetwork, IsShownAsItIsWritten) {
  for (const char* text : {"192.168.0.0/16", "10.0.0.2", "::/0", "fd00::/8", "2001:db8::1", "0.0.0.0/0"}) {
    EXPECT_EQ(IpNetwork::parse(text)->text(), text);
  }
}

TEST(IpNetwork, MistakesNameTheFix) {
  EXPECT_EQ(mistake_in("barn.local"),
            "'barn.local' is not an address or a network: write one such as 10.0.0.2, 192.168.0.0/16 or fd00::/8");
  EXPECT_EQ(mistake_in("10.0.0.0/33"), "'10.0.0.0/33' has no number of bits behind its '/': 0 to 32");
  EXPECT_EQ(mistake_in("fd00::/"), "'fd00::/' has no number of bits behind its '/': 0 to 128");
  EXPECT_EQ(mistake_in("192.168.7.5/16"), "'192.168.7.5/16' has bits beyond its network: write 192.168.0.0/16");
}

}  // namespace
}  // namespace furrow
