#include "config/address.h"

#include <gtest/gtest.h>

namespace furrow::config {
namespace {

Address address(std::string_view text) {
  Result<Address> parsed = parse_address(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.has_value() ? *parsed : Address{};
}

Bind bind(std::string_view text) {
  Result<Bind> parsed = parse_bind(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.has_value() ? *parsed : Bind{};
}

TEST(Address, HasTheStandardPortUnlessGiven) {
  EXPECT_EQ(address("mqtt://region.example.org"), (Address{Scheme::Mqtt, "region.example.org", 1883}));
  EXPECT_EQ(address("mqtt://region.example.org:2883"), (Address{Scheme::Mqtt, "region.example.org", 2883}));
}

TEST(Address, OfWebSocketHasThePortsOfTheWebAndAPath) {
  EXPECT_EQ(address("ws://region.example.org"), (Address{Scheme::Ws, "region.example.org", 80, "/mqtt"}));
  EXPECT_EQ(address("wss://region.example.org"), (Address{Scheme::Wss, "region.example.org", 443, "/mqtt"}));
  EXPECT_EQ(address("wss://a:8884/"), (Address{Scheme::Wss, "a", 8884, "/"}));
  EXPECT_EQ(address("wss://a/hub/mqtt?v=1"), (Address{Scheme::Wss, "a", 443, "/hub/mqtt?v=1"}));
  EXPECT_EQ(address("ws://a?key=1").path, "/?key=1");
}

TEST(Address, RefusesPathsThatNoRequestCanHave) {
  EXPECT_FALSE(parse_address("mqtt://a/mqtt").has_value());
  EXPECT_FALSE(parse_address("ws://a/mqtt#top").has_value());
  EXPECT_FALSE(parse_address("ws://a/m\r\nHost:b").has_value());
  EXPECT_FALSE(parse_address("ws://a/m\xC3\xBC").has_value());
}

TEST(Address, NamesOneHostInOneWay) {
  EXPECT_EQ(address("mqtt://Region.Example.ORG"), address("mqtt://region.example.org"));
}

TEST(Address, TakesIpv6InBrackets) {
  EXPECT_EQ(address("mqtt://[2001:db8::1]:1884"), (Address{Scheme::Mqtt, "2001:db8::1", 1884}));
}

// RFC 6874: in a URI the `%` before a zone is itself written as `%25`.
TEST(Address, TakesTheZoneOfAnIpv6AddressInBothForms) {
  EXPECT_EQ(address("mqtt://[fe80::1%25eth0]:1884").host, "fe80::1%eth0");
  EXPECT_EQ(address("mqtt://[fe80::1%eth0]").host, "fe80::1%eth0");
  EXPECT_EQ(address("mqtt://[FE80::1%25Wlan0]").host, "fe80::1%Wlan0") << "the names of links have two cases";
  EXPECT_EQ(address("mqtt://[fe80::1%25]").host, "fe80::1%25") << "a zone called 25";
}

TEST(Address, TextIsReadBackAsTheSame) {
  for (const char* text : {"mqtt://region.example.org:1883", "mqtt://[2001:db8::1]:1884", "mqtt://10.0.0.1:1",
                           "mqtt://[fe80::1%25eth0]:1883", "ws://a:80/mqtt", "wss://[::1]:8884/a?b"}) {
    EXPECT_EQ(address(text).text(), text);
  }
}

TEST(Address, RefusesPortsThatAreNone) {
  for (const char* text :
       {"mqtt://a:0", "mqtt://a:65536", "mqtt://a:", "mqtt://a:-1", "mqtt://a:1883x", "mqtt://[::1]:"}) {
    EXPECT_FALSE(parse_address(text).has_value()) << text;
  }
}

TEST(Bind, TakesAddressesOfThisMachineAndAnyFreePort) {
  EXPECT_EQ(bind("0.0.0.0:1883"), (Bind{"0.0.0.0", 1883}));
  EXPECT_EQ(bind("[::]:0"), (Bind{"::", 0}));
  EXPECT_EQ(bind("*:8883"), (Bind{"*", 8883}));
  EXPECT_EQ(bind("localhost:1883"), (Bind{"127.0.0.1", 1883}));
}

TEST(Bind, TextIsReadBackAsTheSame) {
  for (const char* text : {"0.0.0.0:1883", "[::]:0", "*:1883"}) EXPECT_EQ(bind(text).text(), text);
}

TEST(Bind, KnowsWhatOnlyThisMachineCanReach) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[0::0:1]:1"}) {
    EXPECT_TRUE(bind(text).is_loopback()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "*:1", "10.0.0.1:1", "128.0.0.1:1"}) {
    EXPECT_FALSE(bind(text).is_loopback()) << text;
  }
}

TEST(Bind, IsReachedByWhatEndsOnThisMachine) {
  EXPECT_TRUE(bind("127.0.0.1:1883").is_reached_by(address("mqtt://localhost")));
  EXPECT_TRUE(bind("[::1]:1883").is_reached_by(address("mqtt://localhost")));
  EXPECT_TRUE(bind("*:1883").is_reached_by(address("mqtt://127.9.9.9")));
  EXPECT_TRUE(bind("127.0.0.1:1883").is_reached_by(address("mqtt://0.0.0.0")));
  EXPECT_TRUE(bind("[::1]:1883").is_reached_by(address("mqtt://[::]")));
  EXPECT_TRUE(bind("0.0.0.0:1883").is_reached_by(address("mqtt://[::ffff:127.0.0.1]")));
  EXPECT_TRUE(bind("10.0.0.1:1883").is_reached_by(address("mqtt://10.0.0.1")));
}

TEST(Bind, IsNotReachedAcrossFamiliesAddressesOrPorts) {
  EXPECT_FALSE(bind("0.0.0.0:1883").is_reached_by(address("mqtt://[::1]")));
  EXPECT_FALSE(bind("[::]:1883").is_reached_by(address("mqtt://127.0.0.1")));
  EXPECT_FALSE(bind("127.0.0.1:1883").is_reached_by(address("mqtt://127.0.0.2")));
  EXPECT_FALSE(bind("10.0.0.1:1883").is_reached_by(address("mqtt://0.0.0.0")));
  EXPECT_FALSE(bind("*:1883").is_reached_by(address("mqtt://10.0.0.1"))) << "somebody else's, as far as the text tells";
  EXPECT_FALSE(bind("127.0.0.1:1884").is_reached_by(address("mqtt://127.0.0.1")));
}

TEST(Bind, CollidesWithWhatItTakesIn) {
  EXPECT_TRUE(bind("0.0.0.0:1883").collides_with(bind("10.0.0.1:1883")));
  EXPECT_TRUE(bind("10.0.0.1:1883").collides_with(bind("*:1883")));
  EXPECT_TRUE(bind("[::]:1883").collides_with(bind("[fe80::1%eth0]:1883")));
  EXPECT_TRUE(bind("[::1]:1883").collides_with(bind("[0:0::1]:1883")));
}

TEST(Bind, DoesNotCollideAcrossFamiliesPortsOrLinks) {
  EXPECT_FALSE(bind("0.0.0.0:1883").collides_with(bind("[::]:1883")));
  EXPECT_FALSE(bind("10.0.0.1:1883").collides_with(bind("10.0.0.1:1884")));
  EXPECT_FALSE(bind("10.0.0.1:1883").collides_with(bind("10.0.0.2:1883")));
  EXPECT_FALSE(bind("[fe80::1%eth0]:1883").collides_with(bind("[fe80::1%eth1]:1883")));
  EXPECT_FALSE(bind("127.0.0.1:0").collides_with(bind("127.0.0.1:0")));
}

}  // namespace
}  // namespace furrow::config
