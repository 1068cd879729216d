#include "config/provider_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/key_names.h"
#include "config/scalar.h"
#include "config/schema.h"

namespace furrow::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Address address(Scheme scheme, std::uint16_t port) {
  return {.scheme = scheme, .host = "far.example.org", .port = port};
}

TEST(ProviderLimits, EachWordOfTheKeyHasItsLimits) {
  const std::vector<std::string_view> words = split_words(find_key("bridges[].provider")->words);
  for (std::size_t i = 1; i < words.size(); ++i) {
    EXPECT_EQ(provider_limits(static_cast<Provider>(i))->name, words[i]);
  }
  EXPECT_EQ(provider_limits(Provider::None), nullptr);
}

TEST(ProviderLimits, WhatIsStricterInTheFileStays) {
  Bridge bridge;
  bridge.provider = Provider::AwsIot;
  bridge.packet_bytes_max = 1000;
  bridge.inflight = 5;
  bridge.keepalive = Seconds(40);
  bridge.session_expiry = Seconds(60);
  EXPECT_EQ(within_provider(bridge), bridge);
}

TEST(ProviderLimits, ASessionThatEndsWithItsConnectionIsNotMadeLonger) {
  Bridge bridge;
  bridge.provider = Provider::AzureEventGrid;
  bridge.session_expiry = Seconds(0);
  EXPECT_EQ(within_provider(bridge).session_expiry, Seconds(0));
}

TEST(ProviderLimits, AwsIsAskedForMqttAtPort443AndOnlyThere) {
  Bridge bridge;
  bridge.provider = Provider::AwsIot;
  bridge.connect = {address(Scheme::Mqtts, 443)};
  EXPECT_THAT(within_provider(bridge).tls.alpn, ElementsAre("x-amzn-mqtt-ca"));
  bridge.tls.alpn = {"mqtt"};
  EXPECT_THAT(within_provider(bridge).tls.alpn, ElementsAre("mqtt"));
  bridge.tls.alpn.clear();
  bridge.connect.push_back(address(Scheme::Mqtts, 8883));
  EXPECT_THAT(within_provider(bridge).tls.alpn, IsEmpty());
  bridge.connect = {address(Scheme::Wss, 443)};
  EXPECT_THAT(within_provider(bridge).tls.alpn, IsEmpty());
}

TEST(ProviderLimits, WithoutAProviderNothingChanges) {
  Bridge bridge;
  bridge.keepalive = Seconds(65535);
  bridge.topics.emplace_back().qos = 2;
  EXPECT_EQ(within_provider(bridge), bridge);
}

TEST(ProviderLimits, ACloudThatRefusesUserPropertiesOfConnectGetsNone) {
  Bridge bridge;
  bridge.provider = Provider::AzureEventGrid;
  EXPECT_EQ(within_provider(bridge).loop_guard, LoopGuard::Off);
  bridge.provider = Provider::AwsIot;
  EXPECT_EQ(within_provider(bridge).loop_guard, LoopGuard::Transit);
}

}  // namespace
}  // namespace furrow::config
