#include "gateway/cli/control_items.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

TEST(ControlItems, EndTellsAnswersFromRefusals) {
  EXPECT_TRUE(is_end_line(R"({"ok":true})"));
  EXPECT_FALSE(is_end_line(R"({"client":"ok"})"));
  EXPECT_EQ(read_refusal(R"({"ok":true,"count":3})"), std::nullopt);
  EXPECT_EQ(read_refusal(R"({"ok":false,"error":"no"})"), "no");
  EXPECT_TRUE(read_refusal("{").has_value()) << "what nobody can read is no success";
  EXPECT_EQ(read_end_number(R"({"ok":true,"count":3})", "count"), 3U);
  EXPECT_EQ(read_end_number(R"({"ok":true,"count":-3})", "count"), 0U);
  EXPECT_EQ(read_end_text(R"({"ok":true,"remote":"a"})", "remote"), "a");
}

TEST(ControlItems, WhatAnotherVersionDoesNotSayIsUnknown) {
  const auto client = read_client(R"({"client":"a","queue":7,"since_s":"x","new":[1]})");
  ASSERT_TRUE(client);
  EXPECT_EQ(client->client, "a");
  EXPECT_EQ(client->queue_messages, 0U);
  EXPECT_EQ(client->user, std::nullopt);
  EXPECT_FALSE(read_client(R"({"bridge":"a"})"));
  EXPECT_FALSE(read_client("[]"));
  EXPECT_FALSE(read_message("nonsense"));
}

TEST(ControlItems, BridgeIsRead) {
  const auto bridge = read_bridge(R"({"bridge":"r","state":"online","since_s":1.5,"paused":true,"oldest_s":null})");
  ASSERT_TRUE(bridge);
  EXPECT_EQ(bridge->since_s, 1.5);
  EXPECT_TRUE(bridge->paused);
  EXPECT_EQ(bridge->oldest_s, std::nullopt);
}

}  // namespace
}  // namespace furrow::gateway
