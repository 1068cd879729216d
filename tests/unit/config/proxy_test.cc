#include "config/proxy.h"

#include <gtest/gtest.h>

namespace furrow::config {
namespace {

std::string shown(std::string_view text) {
  const auto proxy = parse_proxy(text);
  return proxy ? proxy->text() : proxy.error().message();
}

TEST(Proxy, EveryTextGivesItselfBack) {
  for (const char* text : {"", "env", "http://proxy:3128", "socks5h://10.0.0.1:1080", "http://ann@[2001:db8::1]:3128",
                           "socks5h://ann%40corp%3A%25@proxy:1080"}) {
    EXPECT_EQ(shown(text), text);
  }
  EXPECT_EQ(shown("http://proxy:3128/"), "http://proxy:3128");
  EXPECT_EQ(parse_proxy("socks5h://ann%40corp@proxy:1080")->user, "ann@corp");
}

TEST(Proxy, APasswordIsNotShownInTheError) {
  EXPECT_EQ(shown("http://ann:secret@proxy:3128").find("secret"), std::string::npos);
}

TEST(ProxyOfEnvironment, IsReadAsOtherProgramsDo) {
  const auto plain = parse_proxy_of_environment("proxy.example.org:3128");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->proxy.text(), "http://proxy.example.org:3128");
  const auto full = parse_proxy_of_environment("socks5://ann:se%40cret:x@proxy/");
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->proxy.text(), "socks5h://ann@proxy:1080");
  EXPECT_EQ(full->password, "se@cret:x");
  EXPECT_EQ(parse_proxy_of_environment("http://[::1]")->proxy.text(), "http://[::1]:1080");
}

TEST(ProxyOfEnvironment, WhatIsNotKnownIsAnError) {
  EXPECT_FALSE(parse_proxy_of_environment("https://proxy:3128").has_value());
  EXPECT_FALSE(parse_proxy_of_environment("socks4://proxy:1080").has_value());
  EXPECT_FALSE(parse_proxy_of_environment("http://pro xy:1").has_value());
}

}  // namespace
}  // namespace furrow::config
