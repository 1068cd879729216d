#include "config/config.h"

#include <gtest/gtest.h>

namespace furrow::config {
namespace {

TEST(Config, EmbeddedDefaultListensOnLoopbackAndKeepsItsDataHere) {
  const Config config = embedded_default();
  ASSERT_EQ(config.listeners.size(), 2U);
  EXPECT_EQ(config.listeners[0].bind.text(), "127.0.0.1:1883");
  EXPECT_EQ(config.listeners[1].bind.text(), "127.0.0.1:8083");
  EXPECT_EQ(config.listeners[1].protocol, Protocol::WebSocket);
  EXPECT_EQ(config.gateway.data, "furrow-data");
  EXPECT_TRUE(config.bridges.empty());
}

TEST(Config, IsEqualWhateverItsLayout) {
  Config one;
  Config other;
  other.listeners[0].place = {.line = 7, .column = 3};
  EXPECT_EQ(one, other);
  other.listeners[0].bind.port = 1884;
  EXPECT_NE(one, other);
}

TEST(Config, ExpandsPlaceholdersOfClientIds) {
  EXPECT_EQ(expand_names("{gateway}-{bridge}", "barn-7", "region"), "barn-7-region");
  EXPECT_EQ(expand_names("fixed", "barn-7", "region"), "fixed");
  EXPECT_EQ(expand_names("{gateway}{gateway}", "a", "b"), "aa");
  EXPECT_EQ(expand_names("{bridge}", "barn-7", "{gateway}"), "{gateway}");
  EXPECT_EQ(expand_names("", "a", "b"), "");
}

TEST(ClientId, StaysWithABridgeThatIsRenamed) {
  Bridge bridge;
  bridge.name = "region";
  EXPECT_EQ(client_id_of(bridge, "barn-7"), "barn-7-region");
  bridge.name = "us";
  bridge.renamed_from = "region";
  EXPECT_EQ(client_id_of(bridge, "barn-7"), "barn-7-region");
  bridge.client_id = "fixed";
  EXPECT_EQ(client_id_of(bridge, "barn-7"), "fixed");
}

}  // namespace
}  // namespace furrow::config
