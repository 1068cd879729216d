#include "broker-core/access/rights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/random.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::access {
namespace {

using Why = Decision::Why;

std::vector<Entry> entries(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

IpNetwork network(std::string_view text) {
  return *IpNetwork::parse(text);
}

class RightsTest : public testing::Test {
 protected:
  // Of `who`, whose name is also its client identifier.
  Rights& rights_of(std::optional<std::string_view> who) {
    return rights_of({.user = who, .client = who.value_or("c1"), .listener = "lan"});
  }
  Rights& rights_of(const Subject& subject) {
    rules_.emplace(list_);
    return rights_.emplace(*rules_, subject, key_);
  }

  std::vector<Rule> list_;

 private:
  const broker::HashKey key_ = broker::HashKey::from_seed(1);
  std::optional<Rules> rules_;
  std::optional<Rights> rights_;
};

TEST_F(RightsTest, NoRuleCoversMeansRefused) {
  list_ = {Rule{.users = {"a"}, .publish = entries({"farm/#"})}};
  EXPECT_TRUE(rights_of("a").may_publish("farm/x", false));
  EXPECT_EQ(rights_of("a").publish("barn/x", false).why, Why::NoRuleCovers);
  EXPECT_EQ(rights_of("a").receive("farm/x").why, Why::NoRuleCovers);
  EXPECT_EQ(rights_of("b").publish("farm/x", false).why, Why::NoRuleCovers);
}

TEST_F(RightsTest, EmptyListRefusesEverything) {
  EXPECT_FALSE(rights_of("a").may_publish("farm/x", false));
  EXPECT_FALSE(rights_of("a").may_subscribe("farm/x"));
  EXPECT_FALSE(rights_of("a").may_subscribe("$SYS/#"));
  EXPECT_FALSE(rights_of("a").may_receive("farm/x"));
}

TEST_F(RightsTest, FirstRuleThatCoversDecides) {
  list_ = {Rule{.users = {"a"}, .publish = entries({"farm/a/#"})}, Rule{.deny_publish = entries({"farm/#"})},
           Rule{.publish = entries({"#"})}};
  EXPECT_EQ(rights_of("a").publish("farm/a/1", false).rule, 0U);
  EXPECT_EQ(rights_of("a").publish("farm/b/1", false).why, Why::Denied);
  EXPECT_EQ(rights_of("a").publish("farm/b/1", false).rule, 1U);
  EXPECT_EQ(rights_of("a").publish("barn", false).rule, 2U);
  EXPECT_EQ(rights_of("b").publish("farm/a/1", false).why, Why::Denied);
}

TEST_F(RightsTest, EntriesThatDenyComeFirstInTheirRule) {
  list_ = {Rule{.publish = entries({"farm/#"}), .deny_publish = entries({"farm/secret/#"})}};
  EXPECT_TRUE(rights_of("a").may_publish("farm/x", false));
  EXPECT_EQ(rights_of("a").publish("farm/secret/x", false).entry, "farm/secret/#");
}

TEST_F(RightsTest, SubjectKindsAllHaveToFit) {
  list_ = {Rule{.users = {"sensor-*"},
                .members = {{"sensor-1", "sensor-2"}},
                .clients = {"dev?"},
                .listeners = {"lan"},
                .publish = entries({"#"})}};
  const Subject fits{.user = "sensor-1", .client = "dev1", .listener = "lan"};
  EXPECT_TRUE(rights_of(fits).may_publish("x", false));
  Subject other = fits;
  other.user = "sensor-3";
  EXPECT_FALSE(rights_of(other).may_publish("x", false));
  other = fits;
  other.client = "dev12";
  EXPECT_FALSE(rights_of(other).may_publish("x", false));
  other = fits;
  other.listener = "wan";
  EXPECT_FALSE(rights_of(other).may_publish("x", false));
}

TEST_F(RightsTest, GroupWithoutMembersIsNobody) {
  list_ = {Rule{.members = std::vector<std::string>{}, .publish = entries({"#"})}};
  EXPECT_FALSE(rights_of("a").may_publish("x", false));
  EXPECT_FALSE(rights_of(std::nullopt).may_publish("x", false));
}

TEST_F(RightsTest, AnonymousIsNobodysName) {
  list_ = {Rule{.users = {"*"}, .publish = entries({"named"})}, Rule{.anonymous = true, .publish = entries({"open"})}};
  EXPECT_FALSE(rights_of(std::nullopt).may_publish("named", false));
  EXPECT_TRUE(rights_of(std::nullopt).may_publish("open", false));
  EXPECT_TRUE(rights_of("").may_publish("named", false)) << "an empty name is a name";
  EXPECT_FALSE(rights_of("").may_publish("open", false));
  EXPECT_FALSE(rights_of("anonymous").may_publish("open", false));
}

TEST_F(RightsTest, NetworksAreOfTheAddress) {
  list_ = {Rule{.from = {network("192.168.4.0/24")}, .publish = entries({"#"})}};
  EXPECT_TRUE(rights_of({.client = "c", .address = IpAddress::parse("192.168.4.9")}).may_publish("x", false));
  EXPECT_FALSE(rights_of({.client = "c", .address = IpAddress::parse("192.168.5.9")}).may_publish("x", false));
  EXPECT_FALSE(rights_of({.client = "c"}).may_publish("x", false)) << "a unix socket has none";
}

// A message that waits for a client that is away is neither lost nor given away by not knowing where it was.
TEST_F(RightsTest, ForgottenAddressGrantsAndDeniesNothing) {
  list_ = {Rule{.from = {network("10.0.0.0/8")}, .deny_subscribe = entries({"farm/#"})},
           Rule{.from = {network("192.168.0.0/16")}, .subscribe = entries({"farm/#"})}};
  EXPECT_TRUE(rights_of({.client = "c", .address_forgotten = true}).may_receive("farm/x"));
  EXPECT_FALSE(rights_of({.client = "c", .address = IpAddress::parse("10.1.1.1")}).may_receive("farm/x"));
}

TEST_F(RightsTest, SubscriptionIsGrantedOnlyAsAWhole) {
  list_ = {Rule{.subscribe = entries({"farm/a/#", "farm/+/temperature"})}};
  EXPECT_TRUE(rights_of("a").may_subscribe("farm/a/+"));
  EXPECT_TRUE(rights_of("a").may_subscribe("farm/+/temperature"));
  EXPECT_FALSE(rights_of("a").may_subscribe("farm/#"));
  EXPECT_FALSE(rights_of("a").may_subscribe("farm/+/#"));
  EXPECT_FALSE(rights_of("a").may_subscribe("#"));
  EXPECT_FALSE(rights_of("a").may_subscribe("+/a/x"));
}

TEST_F(RightsTest, SubscriptionThatOverlapsWhatIsDeniedIsRefused) {
  list_ = {Rule{.subscribe = entries({"farm/#"}), .deny_subscribe = entries({"farm/+/secret"})}};
  EXPECT_TRUE(rights_of("a").may_subscribe("farm/a/open"));
  EXPECT_EQ(rights_of("a").subscribe("farm/#").why, Why::Denied);
  EXPECT_EQ(rights_of("a").subscribe("farm/a/+").entry, "farm/+/secret");
  EXPECT_FALSE(rights_of("a").may_receive("farm/a/secret"));
  EXPECT_TRUE(rights_of("a").may_receive("farm/a/open"));
}

TEST_F(RightsTest, WildcardDoesNotOpenTopicsOfTheGateway) {
  list_ = {Rule{.publish = entries({"#", "$SYS/#", "+/x"}), .subscribe = entries({"#"})}};
  EXPECT_EQ(rights_of("a").publish("$SYS/x", false).why, Why::Reserved);
  EXPECT_EQ(rights_of("a").publish("$CONTROL/x", true).why, Why::Reserved);
  EXPECT_FALSE(rights_of("a").may_subscribe("$SYS/#"));
  EXPECT_FALSE(rights_of("a").may_receive("$SYS/x"));
  list_[0].subscribe = entries({"$SYS/#"});
  EXPECT_TRUE(rights_of("a").may_subscribe("$SYS/broker/+"));
  EXPECT_TRUE(rights_of("a").may_receive("$SYS/x"));
}

TEST_F(RightsTest, RetainIsPartOfTheGrant) {
  list_ = {Rule{.publish = entries({"farm/#"}), .may_retain = false}, Rule{.publish = entries({"#"})}};
  EXPECT_TRUE(rights_of("a").may_publish("farm/x", false));
  EXPECT_FALSE(rights_of("a").may_publish("farm/x", true)) << "the first rule that covers the topic decides";
  EXPECT_TRUE(rights_of("a").may_publish("barn/x", true));
  Rights& once = rights_of("a");
  EXPECT_TRUE(once.may_publish("farm/x", false));
  EXPECT_FALSE(once.may_publish("farm/x", true)) << "what is remembered of the topic is not for the flag";
}

TEST_F(RightsTest, NameStandsForTheClientsOwn) {
  list_ = {Rule{.publish = entries({"farm/{user}/#", "dev-{client}/x"}), .subscribe = entries({"command/{user}/#"})}};
  Rights& rights = rights_of({.user = "sensor-1", .client = "7"});
  EXPECT_TRUE(rights.may_publish("farm/sensor-1/t", false));
  EXPECT_FALSE(rights.may_publish("farm/sensor-2/t", false));
  EXPECT_TRUE(rights.may_publish("dev-7/x", false));
  EXPECT_FALSE(rights.may_publish("dev-8/x", false));
  EXPECT_TRUE(rights.may_subscribe("command/sensor-1/#"));
  EXPECT_FALSE(rights.may_subscribe("command/+/#"));
  EXPECT_EQ(rights.publish("farm/sensor-1/t", false).entry, "farm/{user}/#");
}

// The next rule is there for others: a name that opens the topics of others does not get past the first.
TEST_F(RightsTest, UnfitNameIsARefusal) {
  list_ = {Rule{.publish = entries({"farm/{user}/#"}), .subscribe = entries({"farm/{user}/#"})},
           Rule{.publish = entries({"#"}), .subscribe = entries({"#"})}};
  for (const std::string& name : {std::string("a+"), std::string("+"), std::string("#"), std::string("a/b"),
                                  std::string("a\0b", 3), std::string()}) {
    Rights& rights = rights_of(name);
    EXPECT_EQ(rights.publish("farm/sensor-1/t", false).why, Why::NameUnfit) << name;
    EXPECT_EQ(rights.publish("farm/a/b", false).why, Why::NameUnfit) << name;
    EXPECT_EQ(rights.publish("farm", false).why, Why::NameUnfit) << name;
    EXPECT_EQ(rights.subscribe("farm/#").why, Why::NameUnfit) << name;
    EXPECT_EQ(rights.subscribe("#").why, Why::NameUnfit) << name;
    EXPECT_EQ(rights.receive("farm/x").why, Why::NameUnfit) << name;
    EXPECT_EQ(rights.publish("barn", false).rule, 1U) << name << ": the name would not stand there";
  }
  EXPECT_EQ(rights_of(std::nullopt).publish("farm/sensor-1/t", false).why, Why::NameUnfit);
}

TEST_F(RightsTest, UnfitNameDeniesWhereItWouldDeny) {
  list_ = {Rule{.deny_subscribe = entries({"private/{client}/#"})}, Rule{.subscribe = entries({"#"})}};
  EXPECT_TRUE(rights_of({.client = "b"}).may_receive("private/a/x"));
  EXPECT_FALSE(rights_of({.client = "a"}).may_receive("private/a/x"));
  EXPECT_FALSE(rights_of({.client = "+"}).may_receive("private/a/x"));
}

TEST_F(RightsTest, OtherEntriesOfTheRuleStillGrant) {
  list_ = {Rule{.publish = entries({"farm/{user}/#", "farm/common/#"})}};
  EXPECT_TRUE(rights_of(std::nullopt).may_publish("farm/common/x", false));
  EXPECT_FALSE(rights_of(std::nullopt).may_publish("farm/other/x", false));
}

TEST_F(RightsTest, NameCannotReachTopicsOfTheGateway) {
  list_ = {Rule{.publish = entries({"{user}/#"}), .subscribe = entries({"{user}/#", "{client}"})}};
  EXPECT_FALSE(rights_of("$SYS").may_subscribe("$SYS/#"));
  EXPECT_FALSE(rights_of("$SYS").may_receive("$SYS/furrow/gateway"));
  EXPECT_FALSE(rights_of("$share").may_subscribe("$share/g/x"));
  EXPECT_TRUE(rights_of("a$b").may_subscribe("a$b/#"));
}

TEST_F(RightsTest, NameThatIsTooLongForATopicIsUnfit) {
  list_ = {Rule{.publish = entries({"farm/{user}"})}};
  EXPECT_EQ(rights_of(std::string(65'535, 'a')).publish("farm/x", false).why, Why::NameUnfit);
}

TEST_F(RightsTest, RemembersNoMoreThanItForgets) {
  list_ = {Rule{.publish = entries({"farm/+"})}};
  Rights& rights = rights_of("a");
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(rights.may_publish("farm/" + std::to_string(i), false));
    ASSERT_FALSE(rights.may_publish("barn/" + std::to_string(i), false));
    ASSERT_FALSE(rights.may_receive("farm/" + std::to_string(i)));
  }
}

// --- rules drawn at random ---

class RandomRules {
 public:
  explicit RandomRules(std::uint64_t seed) : random_(seed) {}

  std::string text(std::initializer_list<const char*> words, std::size_t levels_max) {
    std::string text;
    for (std::size_t i = 0, levels = 1 + random_.below(levels_max); i < levels; ++i) {
      text += (i == 0 ? "" : "/") + std::string(words.begin()[random_.below(words.size())]);
    }
    return text;
  }
  std::string filter() {
    for (;;) {
      if (std::string made = text({"a", "b", "+", "#"}, 3); mqtt::is_valid_filter(made)) return made;
    }
  }
  std::vector<Entry> some() {
    std::vector<Entry> made;
    for (std::size_t i = random_.below(3); i > 0; --i) {
      std::string entry = text({"a", "b", "+", "#", "{user}"}, 3);
      if (Entry::is_valid(entry)) made.emplace_back(std::move(entry));
    }
    return made;
  }
  Rule rule() {
    return {.users = random_.chance(50) ? std::vector<std::string>{"a"} : std::vector<std::string>{},
            .publish = some(),
            .subscribe = some(),
            .deny_publish = some(),
            .deny_subscribe = some(),
            .may_retain = random_.chance(50)};
  }

 private:
  Random random_;
};

// What a subscription was granted for is not refused when it comes, and is what some rule grants.
TEST_F(RightsTest, SubscriptionsAreGrantedMessageByMessage) {
  RandomRules random(7);
  int granted = 0;
  for (int round = 0; round < 700; ++round) {
    list_ = {random.rule(), random.rule(), random.rule()};
    for (const std::string_view user : {"a", "b", "#", ""}) {
      Rights& rights = rights_of(user);
      const std::string filter = random.filter();
      const std::string topic = random.text({"a", "b", "c"}, 4);
      if (!rights.may_subscribe(filter) || !mqtt::matches(filter, topic)) continue;
      ++granted;
      ASSERT_TRUE(rights.may_receive(topic)) << filter << " and " << topic << " in round " << round;
    }
  }
  EXPECT_GT(granted, 30);
}

// The decisions against the rules read one by one, as the head of rules.h says it.
TEST_F(RightsTest, DecidesAsTheRulesRead) {
  RandomRules random(11);
  const auto any = [](const std::vector<Entry>& list, std::string_view topic) {
    return std::ranges::any_of(list, [&](const Entry& entry) {
      const std::optional<std::string> filter = entry.expand({.user = "a"});
      return mqtt::matches(*filter, topic);
    });
  };
  for (int round = 0; round < 700; ++round) {
    list_ = {random.rule(), random.rule(), random.rule()};
    const std::string topic = random.text({"a", "b", "c"}, 4);
    const bool retain = round % 2 == 0;
    bool may_publish = false;
    for (const Rule& rule : list_) {
      const bool denies = any(rule.deny_publish, topic);
      if (!denies && !any(rule.publish, topic)) continue;
      may_publish = !denies && (!retain || rule.may_retain);
      break;
    }
    bool may_receive = false;
    for (const Rule& rule : list_) {
      const bool denies = any(rule.deny_subscribe, topic);
      if (!denies && !any(rule.subscribe, topic)) continue;
      may_receive = !denies;
      break;
    }
    Rights& rights = rights_of("a");
    ASSERT_EQ(rights.may_publish(topic, retain), may_publish) << topic << " in round " << round;
    ASSERT_EQ(rights.may_publish(topic, retain), may_publish) << "again, as remembered";
    ASSERT_EQ(rights.may_receive(topic), may_receive) << topic << " in round " << round;
  }
}

}  // namespace
}  // namespace furrow::access
