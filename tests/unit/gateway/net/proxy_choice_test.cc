#include "gateway/net/proxy_choice.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace furrow::gateway {
namespace {

using Variables = std::map<std::string, std::string>;

const bridge::Address kSecure{.host = "far.example.org", .port = 8883, .scheme = "mqtts"};
const bridge::Address kPlain{.host = "far.example.org", .port = 1883, .scheme = "mqtt"};

// The proxy that is chosen, or `none`, or what is wrong.
std::string chosen(const Variables& variables, const bridge::Address& address, const std::string& written = "env") {
  const auto environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const auto choice = choose_proxy(*config::parse_proxy(written), address, environment);
  if (!choice) return choice.error().message();
  return *choice ? (*choice)->proxy.text() : "none";
}

TEST(ProxyChoice, TheEnvironmentCountsOnlyWhereItIsAskedFor) {
  const Variables variables{{"all_proxy", "http://other:1"}};
  EXPECT_EQ(chosen(variables, kPlain, ""), "none");
  EXPECT_EQ(chosen(variables, kPlain, "socks5h://proxy:1080"), "socks5h://proxy:1080");
  EXPECT_EQ(chosen({{"no_proxy", "*"}}, kPlain, "socks5h://proxy:1080"), "socks5h://proxy:1080");
  EXPECT_EQ(chosen({}, kPlain), "none");
}

TEST(ProxyChoice, HttpsProxyIsForWhatIsEncrypted) {
  const Variables variables{{"https_proxy", "http://secure:1"}, {"all_proxy", "socks5h://all:2"}};
  EXPECT_EQ(chosen(variables, kSecure), "http://secure:1");
  EXPECT_EQ(chosen(variables, kPlain), "socks5h://all:2");
  EXPECT_EQ(chosen({{"https_proxy", "http://secure:1"}}, kPlain), "none");
}

TEST(ProxyChoice, SmallLettersComeFirstAndWhatIsEmptyIsNotThere) {
  EXPECT_EQ(chosen({{"HTTPS_PROXY", "http://big:1"}, {"https_proxy", "http://small:1"}}, kSecure), "http://small:1");
  EXPECT_EQ(chosen({{"HTTPS_PROXY", "http://big:1"}, {"https_proxy", ""}}, kSecure), "http://big:1");
}

TEST(ProxyChoice, ExceptionsAreReachedDirectly) {
  EXPECT_EQ(chosen({{"all_proxy", "http://p:1"}, {"no_proxy", "localhost,.example.org"}}, kPlain), "none");
  EXPECT_EQ(chosen({{"all_proxy", "http://p:1"}, {"NO_PROXY", "other.org"}}, kPlain), "http://p:1");
}

TEST(ProxyChoice, WhatIsNoProxyNamesItsVariable) {
  EXPECT_EQ(chosen({{"ALL_PROXY", "https://p:1"}}, kPlain),
            "proxy: env: ALL_PROXY: 'https' is not a kind of proxy that is known here: http and socks5h are");
}

TEST(NoProxy, NamesHostsEndsOfNamesAndNetworks) {
  EXPECT_TRUE(is_reached_directly("*", "a.org"));
  EXPECT_TRUE(is_reached_directly("x, A.org", "a.org"));
  EXPECT_TRUE(is_reached_directly("a.org", "b.a.org"));
  EXPECT_TRUE(is_reached_directly(".a.org", "a.org"));
  EXPECT_FALSE(is_reached_directly("a.org", "ba.org"));
  EXPECT_FALSE(is_reached_directly("", "a.org"));
  EXPECT_FALSE(is_reached_directly("b.a.org", "a.org"));
  EXPECT_TRUE(is_reached_directly("10.0.0.0/8", "10.1.2.3"));
  EXPECT_TRUE(is_reached_directly("fd00::/8", "fd00::1%eth0"));
  EXPECT_FALSE(is_reached_directly("10.0.0.0/8", "11.1.2.3"));
  EXPECT_FALSE(is_reached_directly("1.2.3", "10.1.2.3"));
}

}  // namespace
}  // namespace furrow::gateway
