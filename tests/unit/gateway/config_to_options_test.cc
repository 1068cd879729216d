#include "gateway/config_to_options.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using std::chrono::seconds;

// The two sets of defaults are written down twice, for people and for the core: they must be the same.
TEST(ConfigToOptions, TheDefaultsAreThoseOfTheCore) {
  const broker::Broker::Options options = broker_options(config::Config{}, 1);
  const broker::Limits core;
  EXPECT_EQ(options.limits.connections, core.connections);
  EXPECT_EQ(options.limits.connections_per_address, core.connections_per_address);
  EXPECT_EQ(options.limits.user_properties, core.user_properties);
  EXPECT_EQ(options.limits.memory_bytes, core.memory_bytes);
  EXPECT_EQ(options.limits.keep_alive_max, core.keep_alive_max);
  EXPECT_EQ(options.limits.packet_bytes, core.packet_bytes);
  EXPECT_EQ(options.limits.inflight, core.inflight);
  EXPECT_EQ(options.limits.topic_levels, core.topic_levels);
  EXPECT_EQ(options.limits.subscriptions, core.subscriptions);
  EXPECT_EQ(options.limits.retained_messages, core.retained_messages);
  EXPECT_EQ(options.limits.retained_bytes, core.retained_bytes);
  EXPECT_EQ(options.limits.commit_waiting_bytes, core.commit_waiting_bytes);
  EXPECT_EQ(options.limits.session_expiry_max, core.session_expiry_max);
  EXPECT_EQ(options.limits.session_queue.messages_max, core.session_queue.messages_max);
  EXPECT_EQ(options.limits.session_queue.bytes_max, core.session_queue.bytes_max);
  EXPECT_FALSE(options.journal.acknowledge_when_received);
  EXPECT_FALSE(options.journal.retained_lazy);
  EXPECT_EQ(options.journal.gather_interval, broker::Journal::Options{}.gather_interval);
  EXPECT_FALSE(options.commit_interval.fixed);
}

TEST(ConfigToOptions, AFixedIntervalIsAlsoHowLongMessagesGather) {
  config::Config config;
  config.store.interval = std::chrono::milliseconds(20);
  const broker::Broker::Options options = broker_options(config, 1);
  EXPECT_EQ(options.commit_interval.fixed, std::chrono::milliseconds(20));
  EXPECT_EQ(options.journal.gather_interval, std::chrono::milliseconds(20));
}

TEST(ConfigToOptions, AccessRulesAreAsWritten) {
  config::Config config;
  EXPECT_EQ(broker_options(config, 1).access_rules, nullptr);
  config.access.rules.emplace();
  ASSERT_NE(broker_options(config, 1).access_rules, nullptr) << "an empty list is not none";
  EXPECT_TRUE(broker_options(config, 1).access_rules->list().empty());

  config.access.denied = config::Denied::Disconnect;
  config.access.groups = {{.name = "field", .members = {"a", "b"}, .place = {}},
                          {.name = "barn", .members = {"c"}, .place = {}},
                          {.name = "empty", .members = {}, .place = {}}};
  config::AccessRule rule;
  rule.group = {"field", "barn"};
  rule.client = {"dev-*"};
  rule.listener = {"lan"};
  rule.from = {*IpNetwork::parse("10.0.0.0/8")};
  rule.anonymous = true;
  rule.publish = {"p"};
  rule.subscribe = {"s"};
  rule.deny_publish = {"dp"};
  rule.deny_subscribe = {"ds"};
  rule.retain = false;
  config::AccessRule nobody;
  nobody.group = {"empty"};
  config.access.rules = {{rule, nobody}};
  const broker::Broker::Options options = broker_options(config, 1);
  EXPECT_TRUE(options.forbidden_disconnects);
  const access::Rules expected({{.members = {{"a", "b", "c"}},
                                 .clients = {"dev-*"},
                                 .listeners = {"lan"},
                                 .from = rule.from,
                                 .anonymous = true,
                                 .publish = {access::Entry("p")},
                                 .subscribe = {access::Entry("s")},
                                 .deny_publish = {access::Entry("dp")},
                                 .deny_subscribe = {access::Entry("ds")},
                                 .may_retain = false},
                                {.members = std::vector<std::string>{}}});
  EXPECT_EQ(*options.access_rules, expected);
}

TEST(ConfigToOptions, TheStoreIsAsChosen) {
  config::Config config;
  config.store.acknowledge = config::Acknowledge::Received;
  config.store.retained = config::RetainedDurability::Lazy;
  config.store.retained_interval = seconds(5);
  const broker::Broker::Options options = broker_options(config, 1);
  EXPECT_TRUE(options.journal.acknowledge_when_received);
  EXPECT_TRUE(options.journal.retained_lazy);
  EXPECT_EQ(options.journal.retained_interval, seconds(5));
}

TEST(ConfigToOptions, ALimitBeyondWhatTheCoreCountsIsTheWidest) {
  config::Config config;
  config.limits.connections_max = std::uint64_t{1} << 40U;
  EXPECT_EQ(broker_options(config, 1).limits.connections, 0xFFFFFFFFU);
}

TEST(ConfigToOptions, ABridgeIsAsWritten) {
  config::Bridge bridge;
  bridge.name = "region";
  bridge.connect = {{.host = "a.example.org", .port = 1883}, {.host = "b.example.org", .port = 1884}};
  bridge.mqtt_version = config::MqttVersion::V311;
  bridge.username = "barn";
  bridge.inflight = 20;
  bridge.session_expiry = seconds(90);
  bridge.buffer = {
      .bytes_max = 1000, .messages_max = 10, .age_max = seconds(60), .when_full = config::WhenFull::Refuse};
  config::TopicRule rule;
  rule.filter = "farm/#";
  rule.direction = config::Direction::Both;
  rule.qos = 2;
  rule.local_prefix = "l/";
  rule.remote_prefix = "r/";
  rule.except = {"test"};
  rule.retain = config::RetainFlag::Clear;
  rule.buffer_qos0 = true;
  rule.expire_after = seconds(30);
  bridge.topics = {rule};

  const bridge::Options options = bridge_options(bridge, "barn-7", 42);
  EXPECT_EQ(options.name, "region");
  ASSERT_EQ(options.addresses.size(), 2U);
  EXPECT_EQ(options.addresses[1].host, "b.example.org");
  EXPECT_EQ(options.addresses[1].port, 1884);
  EXPECT_EQ(options.version, bridge::VersionChoice::V3_1_1);
  EXPECT_EQ(options.client_id, "barn-7-region");
  EXPECT_EQ(options.username, "barn");
  EXPECT_EQ(options.inflight_max, 20);
  EXPECT_EQ(options.session_expiry_s, 90U);
  EXPECT_EQ(options.buffer.bytes_max, 1000U);
  EXPECT_EQ(options.buffer.messages_max, 10U);
  EXPECT_EQ(options.buffer.age_max, seconds(60));
  EXPECT_EQ(options.buffer.when_full, broker::WhenFull::Refuse);
  EXPECT_EQ(options.seed, 42U);
  ASSERT_EQ(options.rules.size(), 1U);
  EXPECT_EQ(options.rules[0].filter, "farm/#");
  EXPECT_EQ(options.rules[0].direction, bridge::Direction::Both);
  EXPECT_EQ(options.rules[0].qos_max, mqtt::Qos::ExactlyOnce);
  EXPECT_EQ(options.rules[0].local_prefix, "l/");
  EXPECT_EQ(options.rules[0].remote_prefix, "r/");
  EXPECT_EQ(options.rules[0].except, std::vector<std::string>{"test"});
  EXPECT_FALSE(options.rules[0].retain_keep);
  EXPECT_TRUE(options.rules[0].buffer_qos0);
  EXPECT_EQ(options.rules[0].expire_after, seconds(30));
}

TEST(ConfigToOptions, ABridgeToAProviderKeepsToItsLimits) {
  config::Bridge bridge;
  bridge.provider = config::Provider::AwsIot;
  bridge.keepalive = std::chrono::hours(1);
  config::TopicRule rule;
  rule.qos = 2;
  bridge.topics = {rule};
  const bridge::Options options = bridge_options(bridge, "barn", 1);
  EXPECT_EQ(options.known.topic_levels_max, 8U);
  EXPECT_EQ(options.known.topic_bytes_max, 256U);
  EXPECT_EQ(options.known.packet_bytes_max, 128U * 1024);
  EXPECT_EQ(options.inflight_max, 100);
  EXPECT_EQ(options.keep_alive, seconds(1200));
  EXPECT_EQ(options.rules[0].qos_max, mqtt::Qos::AtLeastOnce);
}

TEST(ConfigToOptions, WhatIsWantedKeepsToTheLimitsOfAProvider) {
  config::Bridge from;
  from.topics.resize(5);
  for (config::TopicRule& rule : from.topics) rule.filter = "a/#";
  from.topics[0].direction = config::Direction::Down;
  from.topics[0].subscribe = config::Subscribe::Wanted;
  from.topics[1].direction = config::Direction::Both;
  const auto terms = [&](std::size_t rule) { return bridge_options(from, "gw", 1).rules[rule].wanted; };
  EXPECT_TRUE(terms(0).only);
  EXPECT_FALSE(terms(1).only);
  EXPECT_EQ(terms(0).filters_max, 100U);
  from.provider = config::Provider::AwsIot;
  EXPECT_EQ(terms(0).filters_max, 12U) << "half of 50, for two rules that come down";
  EXPECT_EQ(terms(0).levels_max, 8U);
  EXPECT_EQ(terms(0).bytes_max, 256U);
}

TEST(ConfigToOptions, ABridgeWithoutUserHasNone) {
  EXPECT_FALSE(bridge_options(config::Bridge{}, "barn", 1).username);
  EXPECT_EQ(bridge_options(config::Bridge{}, "barn", 1).inflight_max, 0);  // as the far broker allows
}

}  // namespace
}  // namespace furrow::gateway
