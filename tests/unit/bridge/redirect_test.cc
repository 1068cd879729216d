#include "bridge/redirect.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::bridge {
namespace {

std::string target(std::string_view reference) {
  const Address from{.host = "a.example.org", .port = 443, .scheme = "wss", .path = "/mqtt"};
  const auto to = redirect_target(reference, from);
  return to ? to->url() : "none";
}

TEST(Redirect, GoesToTheFirstServerInTheSameWay) {
  EXPECT_EQ(target("b.example.org"), "wss://b.example.org:443/mqtt");
  EXPECT_EQ(target("b.example.org:8443 c.example.org"), "wss://b.example.org:8443/mqtt");
  EXPECT_EQ(target("[2001:db8::1]:8443"), "wss://[2001:db8::1]:8443/mqtt");
  EXPECT_EQ(target("[2001:db8::1]"), "wss://[2001:db8::1]:443/mqtt");
  EXPECT_EQ(target("192.0.2.1"), "wss://192.0.2.1:443/mqtt");
}

TEST(Redirect, WhatNamesNoHostIsNotFollowed) {
  for (const char* reference : {"", " ", ":1883", "b:", "b:0", "b:65536", "b:1x", "[::1", "[]:1", "[::1]x", "mqtt://b",
                                "b/path", "b\r\nHost: c", "user@b", "[fe80::1%eth0]"}) {
    EXPECT_EQ(target(reference), "none") << reference;
  }
  EXPECT_EQ(target(std::string(254, 'a')), "none");
}

}  // namespace
}  // namespace furrow::bridge
