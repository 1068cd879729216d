// What access rules do in the broker: at PUBLISH, SUBSCRIBE, with wills, on delivery, and when they change.
#include "broker-core/access/rules.h"
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using access::Entry;
using access::Rule;
using broker::DropReason;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::Version;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// SUBACK of one filter.
auto is_refusal() {
  return AllOf(StartsWith("SUBACK id=1"), testing::EndsWith(" reason=87"));
}

std::vector<Entry> entries(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

class AccessRulesTest : public BrokerFixture {
 protected:
  AccessRulesTest() { options.listeners = {{}, {.name = "lan"}, {.name = "wan"}}; }
  // From now on, also while the broker runs.
  void rules(std::vector<Rule> list) {
    options.access_rules = std::make_shared<const access::Rules>(std::move(list));
    apply();
  }
  void no_rules() {
    options.access_rules = nullptr;
    apply();
  }
  void apply() {
    broker().apply(options, now);
    settle();
  }
  // Whoever it is may publish everything; reading takes another rule.
  static Rule anybody_publishes() { return {.publish = entries({"#"})}; }
  static Rule reads(const std::string& user, const std::vector<std::string>& filters) {
    return {.users = {user}, .subscribe = entries(filters)};
  }

  Client& connect_as(std::string_view user, Version version = Version::V5) {
    return connect({.client_id = user, .version = version, .vouched_user = std::string(user)});
  }
  // What came back is still there.
  Client& connect_durable_as(std::string_view user, Version version = Version::V5) {
    return open(
        ConnectOptions{.client_id = user,
                       .version = version,
                       .clean_start = false,
                       .properties = version == Version::V5 ? mqtt::PropertyView(an_hour) : mqtt::PropertyView(),
                       .vouched_user = std::string(user)});
  }
  // Leaves a session behind that has subscribed.
  void leave_reader(std::string_view user, std::string_view filter) {
    Client& reader = connect_durable_as(user);
    reader.subscribe(filter, kQos2);
    EXPECT_THAT(reader.received(), Contains(StartsWith("SUBACK id=1 reason=02")));
    reader.disconnect();
    advance(seconds(2));
  }
  void publish(std::string_view topic, std::string_view payload, Qos qos = kQos1) {
    if (publisher_ == nullptr || publisher_->closed()) publisher_ = &connect({.client_id = "publisher"});
    publisher_->publish(topic, payload, qos, qos == kQos0 ? 0 : ++packet_id_);
    if (qos == kQos2) publisher_->acknowledge(PacketType::Pubrel, packet_id_);
    advance(seconds(1));
  }
  void restart_broker() {
    publisher_ = nullptr;
    restart();
  }
  std::uint64_t dropped() { return broker().session_books().drops(DropReason::NotAuthorized); }
  // Every message that a session has taken has come to its end.
  void expect_books_closed() {
    const broker::Books& books = broker().session_books();
    EXPECT_EQ(books.accepted, books.ended());
  }

 private:
  Client* publisher_ = nullptr;
  std::uint16_t packet_id_ = 0;
};

// --- PUBLISH ---

TEST_F(AccessRulesTest, ForbiddenPublishIsToldIn5AndReachesNobody) {
  rules({reads("reader", {"#"}), {.users = {"sensor"}, .publish = entries({"farm/{user}/#"})}});
  Client& reader = connect_as("reader");
  reader.subscribe("#");
  reader.received();
  Client& sensor = connect_as("sensor");
  sensor.publish("farm/sensor/t", "1", kQos1, 1);
  sensor.publish("farm/other/t", "2", kQos1, 2);
  sensor.publish("farm/other/t", "3", kQos2, 3);
  sensor.publish("farm/other/t", "4");
  persist();
  EXPECT_THAT(sensor.received(),
              ElementsAre("PUBACK id=1 reason=00",
                          "PUBACK id=2 reason=87 {1f=\"no access rule grants it, or the topic begins with $\"}",
                          StartsWith("PUBREC id=3 reason=87")));
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"1\"")));
  EXPECT_EQ(stats().dropped_not_authorized, 3U);
  EXPECT_FALSE(sensor.closed());
  EXPECT_THAT(log.lines, Contains(AllOf(HasSubstr("access.refused"), HasSubstr("sensor"), HasSubstr("publish"),
                                        HasSubstr("farm/other/t"))));
}

TEST_F(AccessRulesTest, ForbiddenPublishOf311IsAcknowledgedAndDropped) {
  rules({reads("reader", {"#"})});
  Client& reader = connect_as("reader");
  reader.subscribe("#");
  reader.received();
  Client& old = connect_as("old", kV3);
  old.publish("farm/t", "1", kQos1, 1);
  old.publish("farm/t", "2", kQos2, 2);
  old.acknowledge(PacketType::Pubrel, 2);
  old.publish("farm/t", "3");
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00", "PUBREC id=2 reason=00", "PUBCOMP id=2 reason=00"));
  EXPECT_THAT(reader.received(), IsEmpty());
  EXPECT_EQ(stats().dropped_not_authorized, 3U);
}

TEST_F(AccessRulesTest, ForbiddenPublishOf311MayEndTheConnection) {
  options.forbidden_disconnects = true;
  rules({{.publish = entries({"farm/#"})}});
  Client& old = connect_as("old", kV3);
  old.publish("farm/t", "1", kQos1, 1);
  EXPECT_FALSE(old.closed());
  old.publish("yard/t", "1", kQos0);
  EXPECT_TRUE(old.closed());
  Client& young = connect_as("young");
  young.publish("yard/t", "1", kQos1, 1);
  EXPECT_FALSE(young.closed()) << "it can be told";
}

TEST_F(AccessRulesTest, AliasIsJudgedByItsTopic) {
  rules({{.publish = entries({"farm/#"})}});
  Client& sensor = connect_as("sensor");
  const auto alias = [](std::uint32_t number) {
    return std::move(Properties().number(mqtt::PropertyId::TopicAlias, number));
  };
  const Properties one = alias(1);
  const Properties two = alias(2);
  sensor.publish("farm/t", "1", kQos1, 1, {.properties = one});
  sensor.publish("yard/t", "2", kQos1, 2, {.properties = two});
  sensor.publish("", "3", kQos1, 3, {.properties = one});
  sensor.publish("", "4", kQos1, 4, {.properties = two});
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBACK id=1 reason=10"), StartsWith("PUBACK id=2 reason=87"),
                                             StartsWith("PUBACK id=3 reason=10"), StartsWith("PUBACK id=4 reason=87")));
}

TEST_F(AccessRulesTest, ValueIsRetainedOnlyWhereThatIsGranted) {
  rules({{.publish = entries({"farm/#"}), .may_retain = false}});
  Client& sensor = connect_as("sensor");
  sensor.publish("farm/t", "1", kQos1, 1, {.retain = true});
  sensor.publish("farm/t", "2", kQos1, 2);
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBACK id=1 reason=87"), "PUBACK id=2 reason=10"));
  EXPECT_EQ(broker().retained().messages(), 0U);
}

TEST_F(AccessRulesTest, ReservedTopicsStayClosedWhateverRulesSay) {
  rules({{.publish = entries({"#", "$SYS/#", "$CONTROL/#"})}});
  Client& client = connect_as("admin");
  client.publish("$SYS/furrow/gateway", "forged", kQos1, 1, {.retain = true});
  client.publish("$CONTROL/x", "1", kQos1, 2);
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("PUBACK id=1 reason=87"), StartsWith("PUBACK id=2 reason=87")));
}

TEST_F(AccessRulesTest, NoticeOfABridgeIsNoRulesAffair) {
  rules({{.publish = entries({"farm/#"})}});
  constexpr std::string_view kNotice = "$SYS/broker/connection/barn/state";
  Client& bridge = connect({.client_id = "bridge",
                            .version = kV3,
                            .bridge = true,
                            .will = mqtt::Will{.topic = kNotice, .payload = as_bytes("0"), .retain = true}});
  bridge.publish(kNotice, "1", kQos1, 1, {.retain = true});
  persist();
  EXPECT_EQ(as_text(broker().retained().find(kNotice)->payload()), "1");
  bridge.vanish();
  EXPECT_EQ(as_text(broker().retained().find(kNotice)->payload()), "0");
}

// --- SUBSCRIBE ---

TEST_F(AccessRulesTest, SubscriptionIsGrantedOnlyAsAWhole) {
  rules({reads("reader", {"farm/a/#"}), anybody_publishes()});
  Client& reader = connect_as("reader");
  for (const std::string_view filter : {"farm/#", "#", "farm/+/t", "+/a/t"}) {
    reader.subscribe(filter);
    EXPECT_THAT(reader.received(), ElementsAre(is_refusal())) << filter;
  }
  reader.subscribe("farm/a/t");
  EXPECT_THAT(reader.received(), ElementsAre("SUBACK id=1 reason=00"));
  publish("farm/b/t", "1");
  publish("farm/a/t", "2");
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"2\"")));
  EXPECT_EQ(stats().subscriptions_not_authorized, 4U);
}

TEST_F(AccessRulesTest, RefusedSubscriptionOf311BringsNothing) {
  rules({anybody_publishes()});
  publish("farm/t", "retained");
  Client& reader = connect_as("reader", kV3);
  reader.subscribe("farm/#", kQos1);
  EXPECT_THAT(reader.received(), ElementsAre("SUBACK id=1 reason=80"));
  publish("farm/t", "1");
  EXPECT_THAT(reader.received(), IsEmpty());
}

TEST_F(AccessRulesTest, SharedSubscriptionIsNoWayAround) {
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  Client& reader = connect_as("reader");
  reader.subscribe("$share/group/secret/#");
  EXPECT_THAT(reader.received(), ElementsAre(is_refusal()));
  reader.subscribe("$share/group/#");
  EXPECT_THAT(reader.received(), ElementsAre(is_refusal()));
  reader.subscribe("$share/group/farm/+");
  EXPECT_THAT(reader.received(), ElementsAre("SUBACK id=1 reason=00"));
  publish("secret/t", "1");
  publish("farm/t", "2");
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"2\"")));
}

TEST_F(AccessRulesTest, NameWithAWildcardReadsNothingOfOthers) {
  rules({{.publish = entries({"#"}), .subscribe = entries({"command/{user}/#"})}});
  for (const std::string_view name : {"+", "#", "a/b", ""}) {
    Client& reader = connect({.client_id = "reader", .vouched_user = std::string(name)});
    for (const std::string_view filter : {"command/+/#", "command/#", "command/sensor/x", "#"}) {
      reader.subscribe(filter);
      EXPECT_THAT(reader.received(), ElementsAre(is_refusal())) << name << " with " << filter;
    }
    publish("command/sensor/x", "1");
    EXPECT_THAT(reader.received(), IsEmpty());
    reader.vanish();
  }
}

TEST_F(AccessRulesTest, WithoutRulesOnlyTheStatusIsReadAmongReservedTopics) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("$SYS/furrow/#");
  EXPECT_THAT(reader.received(), ElementsAre("SUBACK id=1 reason=00"));
  reader.subscribe("$CONTROL/#");
  EXPECT_THAT(reader.received(), ElementsAre(is_refusal()));
  reader.subscribe("$share/g/$CONTROL/#");
  EXPECT_THAT(reader.received(), ElementsAre(is_refusal()));
}

TEST_F(AccessRulesTest, StatusIsReadOnlyWhereThatIsGranted) {
  rules({reads("reader", {"#"}), reads("operator", {"#", "$SYS/#"})});
  Client& reader = connect_as("reader");
  reader.subscribe("$SYS/#");
  EXPECT_THAT(reader.received(), ElementsAre(is_refusal()));
  Client& boss = connect_as("operator");
  boss.subscribe("$SYS/#");
  boss.received();
  broker().publish_status("$SYS/furrow/gateway", "{}", now);
  settle();
  EXPECT_THAT(boss.received(), ElementsAre(StartsWith("PUBLISH \"$SYS/furrow/gateway\"")));
  EXPECT_THAT(reader.received(), IsEmpty());
}

TEST_F(AccessRulesTest, RulesKnowListenerAndAddress) {
  rules({{.listeners = {"lan"}, .publish = entries({"lan/#"})},
         {.from = {*IpNetwork::parse("192.0.2.0/24")}, .publish = entries({"near/#"})}});
  Client& lan = connect({.client_id = "a", .listener = "lan"});
  lan.publish("lan/t", "1", kQos1, 1);
  lan.publish("near/t", "1", kQos1, 2);
  EXPECT_THAT(lan.received(), ElementsAre("PUBACK id=1 reason=10", "PUBACK id=2 reason=10"));
  Client& far = open(from("198.51.100.1", 1), Version::V5);
  mqtt::Connect packet;
  packet.version = Version::V5;
  packet.clean_start = true;
  packet.client_id = "b";
  far.send(packet);
  far.publish("lan/t", "1", kQos1, 1);
  far.publish("near/t", "1", kQos1, 2);
  EXPECT_THAT(far.received(), ElementsAre(StartsWith("CONNACK reason=00"), StartsWith("PUBACK id=1 reason=87"),
                                          StartsWith("PUBACK id=2 reason=87")));
}

// --- wills ---

class AccessWills : public AccessRulesTest {
 protected:
  ConnectOptions with_will(std::string_view user, bool durable = false) {
    return {.client_id = user,
            .clean_start = false,
            .will = mqtt::Will{.topic = "farm/gone", .payload = as_bytes("gone"), .qos = kQos1},
            .properties = durable ? mqtt::PropertyView(an_hour) : mqtt::PropertyView(),
            .vouched_user = std::string(user)};
  }
  Client& watcher() {
    Client& client = connect_as("watcher");
    client.subscribe("farm/gone", kQos1);
    client.received();
    return client;
  }
  // The sensor may leave its will, or may no longer.
  void granted(bool is) {
    std::vector<Rule> list = {reads("watcher", {"#"})};
    if (is) list.push_back({.users = {"sensor"}, .publish = entries({"farm/gone"})});
    rules(std::move(list));
  }
};

TEST_F(AccessWills, ForbiddenWillRefusesTheConnect) {
  granted(false);
  Client& client = open(with_will("sensor"));
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=87")));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(broker().sessions(), 0U);
  EXPECT_EQ(stats().wills_not_authorized, 1U);
}

TEST_F(AccessWills, GrantedWillIsPublished) {
  granted(true);
  Client& client = watcher();
  connect(with_will("sensor")).vanish();
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("gone")));
}

TEST_F(AccessWills, WillThatIsNoLongerGrantedIsNotPublished) {
  granted(true);
  Client& client = watcher();
  Client& sensor = connect(with_will("sensor"));
  granted(false);
  sensor.vanish();
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_EQ(stats().wills_not_authorized, 1U);
}

// Rules that were changed while the gateway was off hold for wills that it finds at its start.
TEST_F(AccessWills, IsJudgedAgainAfterARestart) {
  for (const bool durable : {false, true}) {
    for (const bool still : {true, false}) {
      granted(true);
      connect(with_will("sensor", durable));
      advance(seconds(2));
      if (!still) options.access_rules = std::make_shared<const access::Rules>(std::vector{reads("watcher", {"#"})});
      restart_broker();
      Client& client = watcher();
      advance(seconds(61));
      EXPECT_THAT(client.received(), still ? testing::SizeIs(1) : testing::SizeIs(0)) << durable;
      client.vanish();
      restart_broker();
    }
  }
}

TEST_F(AccessWills, AddressOfTheConnectCountsForTheWill) {
  rules({reads("watcher", {"#"}), {.from = {*IpNetwork::parse("192.0.2.0/24")}, .publish = entries({"farm/gone"})}});
  Client& client = watcher();
  connect(with_will("sensor")).vanish();
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("gone")));
  connect(with_will("sensor"));
  advance(seconds(2));
  restart_broker();
  Client& again = watcher();
  advance(seconds(61));
  EXPECT_THAT(again.received(), ElementsAre(HasSubstr("gone"))) << "nobody knows the address any more: it was granted";
}

// --- delivery, after a change ---

TEST_F(AccessRulesTest, ChangeHoldsForLivingSubscriptions) {
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  Client& reader = connect_as("reader");
  reader.subscribe("farm/#", kQos1);
  publish("farm/a", "1");
  rules({reads("reader", {"farm/b"}), anybody_publishes()});
  reader.received();
  for (const Qos qos : {kQos0, kQos1}) {
    publish("farm/a", "2", qos);
    publish("farm/b", "3", qos);
  }
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"3\" qos=0"), HasSubstr("\"3\" qos=1")));
  EXPECT_EQ(stats().deliveries_not_authorized, 2U);
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  publish("farm/a", "4");
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"4\""))) << "the subscription is still there";
  no_rules();
  publish("farm/a", "5");
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"5\"")));
}

TEST_F(AccessRulesTest, ChangeDropsWhatWaitsForASessionThatIsAway) {
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  leave_reader("reader", "farm/#");
  publish("farm/a", "1");
  publish("farm/b", "2", kQos2);
  publish("farm/b", "3");
  rules({reads("reader", {"farm/a"}), anybody_publishes()});
  EXPECT_EQ(dropped(), 2U);
  publish("farm/b", "4");
  publish("farm/a", "5");
  Client& reader = connect_durable_as("reader");
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\""), HasSubstr("\"5\"")));
  reader.acknowledge(PacketType::Puback, 1);
  reader.acknowledge(PacketType::Puback, 2);
  settle();
  expect_books_closed();
}

TEST_F(AccessRulesTest, WhatWaitsOnDiskOverARestartIsJudgedWhenItIsSent) {
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  leave_reader("reader", "farm/#");
  for (int i = 0; i < 5; ++i) {
    publish("farm/a", "allowed");
    publish("farm/b", "forbidden", kQos2);
  }
  options.access_rules =
      std::make_shared<const access::Rules>(std::vector{reads("reader", {"farm/a"}), anybody_publishes()});
  restart_broker();
  Client& reader = connect_durable_as("reader");
  advance(seconds(1));
  const std::vector<std::string> received = reader.received();
  EXPECT_EQ(std::ranges::count_if(received, [](const auto& one) { return one.find("allowed") != one.npos; }), 5);
  EXPECT_THAT(received, Not(Contains(HasSubstr("forbidden"))));
  EXPECT_EQ(dropped(), 5U);
}

// The client has what it was sent; what it has to be sent again, it may not have any more.
TEST_F(AccessRulesTest, WhatIsInFlightAtTheChangeIsNotSentAgain) {
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  Client& reader = connect_durable_as("reader");
  reader.subscribe("farm/#", kQos2);
  publish("farm/b", "1", kQos1);
  publish("farm/b", "2", kQos2);
  publish("farm/b", "3", kQos2);
  reader.acknowledge(PacketType::Pubrec, 3);
  advance(seconds(1));
  EXPECT_THAT(reader.received(), Contains(StartsWith("PUBREL id=3")));
  rules({reads("reader", {"farm/a"}), anybody_publishes()});
  reader.vanish();
  Client& again = connect_durable_as("reader");
  advance(seconds(1));
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK"), StartsWith("PUBREL id=3")))
      << "the exchange that has only to be ended is ended";
  again.acknowledge(PacketType::Pubcomp, 3);
  publish("farm/a", "4", kQos2);
  EXPECT_THAT(again.received(), ElementsAre(HasSubstr("\"4\"")));
  EXPECT_EQ(dropped(), 2U);
}

TEST_F(AccessRulesTest, IncomingQos2IsRoutedOnceWhateverChangesBeforeItsEnd) {
  rules({reads("reader", {"#"}), anybody_publishes()});
  Client& reader = connect_as("reader");
  reader.subscribe("#", kQos2);
  reader.received();
  Client& sensor = connect_as("sensor");
  sensor.publish("farm/t", "1", kQos2, 1);
  settle();
  rules({reads("reader", {"#"})});
  sensor.publish("farm/t", "1", kQos2, 1, {.duplicate = true});
  sensor.acknowledge(PacketType::Pubrel, 1);
  sensor.publish("farm/t", "2", kQos2, 2);
  advance(seconds(1));
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"1\"")));
  EXPECT_THAT(sensor.received(),
              ElementsAre(StartsWith("PUBREC id=1 reason=00"), StartsWith("PUBREC id=1 reason=00"),
                          StartsWith("PUBCOMP id=1 reason=00"), StartsWith("PUBREC id=2 reason=87")));
}

TEST_F(AccessRulesTest, HeldMessageIsJudgedWhenThereIsRoom) {
  options.limits.session_queue = {
      .messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  rules({reads("reader", {"#"}), anybody_publishes()});
  leave_reader("reader", "#");
  Client& old = connect_as("old", kV3);
  old.publish("farm/a", "1", kQos1, 1);
  old.publish("farm/b", "2", kQos1, 2);
  old.publish("farm/b", "3", kQos2, 3);
  old.publish("farm/a", "4", kQos1, 4);
  advance(seconds(1));
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00"));
  rules({reads("reader", {"#"}), {.publish = entries({"farm/a"})}});
  Client& reader = connect_durable_as("reader");
  reader.acknowledge(PacketType::Puback, 1);
  advance(seconds(1));
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\""), HasSubstr("\"4\"")));
  reader.acknowledge(PacketType::Puback, 2);
  advance(seconds(1));
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=2 reason=00", "PUBREC id=3 reason=00", "PUBACK id=4 reason=00"));
  EXPECT_EQ(stats().dropped_not_authorized, 2U);
}

TEST_F(AccessRulesTest, RetainedValuesAreJudgedTopicByTopic) {
  for (const std::string_view topic : {"farm/a", "farm/b", "farm/c"}) {
    Client& client = connect({.client_id = "setter"});
    client.publish(topic, topic, kQos1, 1, {.retain = true});
    persist();
  }
  options.limits.inflight = 1;
  rules({reads("reader", {"farm/#"})});
  Client& reader = connect_as("reader");
  reader.subscribe("farm/#", kQos1);
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("SUBACK"), HasSubstr("\"farm/a\"")));
  rules({reads("reader", {"farm/c", "farm/a"})});
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"farm/c\""))) << "set before there were rules, and not for it";
}

TEST_F(AccessRulesTest, OtherIdentityOfTheSameSessionHasOtherRights) {
  rules({{.listeners = {"lan"}, .subscribe = entries({"#"})}, anybody_publishes()});
  const auto come_by = [&](const char* listener) -> Client& {
    return connect({.client_id = "reader", .clean_start = false, .properties = an_hour, .listener = listener});
  };
  Client& lan = come_by("lan");
  lan.subscribe("farm/#", kQos1);
  lan.vanish();
  publish("farm/t", "1");
  Client& wan = come_by("wan");
  publish("farm/t", "2");
  EXPECT_THAT(wan.received(), Not(Contains(StartsWith("PUBLISH"))));
}

// --- shared groups ---

TEST_F(AccessRulesTest, GroupGivesMessagesToMembersThatMayHaveThem) {
  const Rule both = {.subscribe = entries({"farm/#"})};
  rules({both, anybody_publishes()});
  Client& first = connect_as("first");
  Client& second = connect_as("second");
  for (Client* member : {&first, &second}) {
    member->subscribe("$share/g/farm/#", kQos1);
    member->received();
  }
  rules({reads("first", {"farm/#"}), anybody_publishes()});
  for (std::uint16_t i = 0; i < 6; ++i) publish("farm/t", "1", i % 2 == 0 ? kQos0 : kQos1);
  EXPECT_THAT(first.received(), testing::SizeIs(6));
  EXPECT_THAT(second.received(), IsEmpty());
  rules({anybody_publishes()});
  publish("farm/t", "2");
  EXPECT_THAT(first.received(), IsEmpty());
}

TEST_F(AccessRulesTest, GroupDropsWhatWaitsWhenNoMemberMayHaveIt) {
  const Rule all = {.subscribe = entries({"farm/#"})};
  rules({all, anybody_publishes()});
  for (const std::string_view user : {"first", "second"}) leave_reader(user, "$share/g/farm/#");
  publish("farm/a", "1");
  publish("farm/b", "2");
  rules({reads("second", {"farm/b"}), anybody_publishes()});
  EXPECT_EQ(dropped(), 1U);
  Client& first = connect_durable_as("first");
  Client& second = connect_durable_as("second");
  EXPECT_THAT(second.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"2\"")));
  EXPECT_THAT(first.received(), ElementsAre(StartsWith("CONNACK")));
}

// What a member had in flight and may not be sent again goes to another one.
TEST_F(AccessRulesTest, GroupTakesBackWhatAMemberMayNotHaveAgain) {
  const Rule all = {.subscribe = entries({"farm/#"})};
  rules({all, anybody_publishes()});
  Client& first = connect_durable_as("first");
  first.subscribe("$share/g/farm/#", kQos1);
  publish("farm/a", "1");
  EXPECT_THAT(first.received(), Contains(HasSubstr("\"1\"")));
  Client& second = connect_durable_as("second");
  second.subscribe("$share/g/farm/#", kQos1);
  second.received();
  rules({reads("second", {"farm/#"}), anybody_publishes()});
  first.vanish();
  EXPECT_THAT(connect_durable_as("first").received(), Not(Contains(StartsWith("PUBLISH"))));
  advance(seconds(1));
  EXPECT_THAT(second.received(), Contains(HasSubstr("\"1\"")));
  EXPECT_EQ(dropped(), 0U);
}

// --- what rules must not do ---

TEST_F(AccessRulesTest, EqualRulesChangeNothing) {
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  Client& reader = connect_as("reader");
  reader.subscribe("farm/#", kQos1);
  reader.received();
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  publish("farm/a", "1");
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"1\"")));
}

TEST_F(AccessRulesTest, ForbiddenMessageIsNotRefusedForAReaderThatMayNotHaveIt) {
  options.limits.session_queue = {
      .messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  rules({reads("reader", {"farm/#"}), anybody_publishes()});
  leave_reader("reader", "farm/#");
  publish("farm/a", "1");
  rules({reads("reader", {"farm/a"}), anybody_publishes()});
  Client& sensor = connect_as("sensor");
  sensor.publish("farm/b", "2", kQos1, 1);
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre(Not(HasSubstr("reason=97"))));
}

TEST_F(AccessRulesTest, LogHasALineAnHourForAClientAndAnAction) {
  rules({});
  Client& sensor = connect_as("sensor", kV3);
  for (int i = 0; i < 10; ++i) sensor.publish("farm/t", "1");
  const auto is_line = [](const std::string& line) { return line.find("access.refused") != line.npos; };
  EXPECT_EQ(std::ranges::count_if(log.lines, is_line), 1);
  EXPECT_EQ(stats().dropped_not_authorized, 10U);
}

}  // namespace
}  // namespace furrow::test
