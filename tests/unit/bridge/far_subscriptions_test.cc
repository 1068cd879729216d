// The difference between what a bridge wants from its far broker and what that may have of it.
#include "bridge/far_subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace furrow::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Rule down(std::string filter, mqtt::Qos qos = mqtt::Qos::AtLeastOnce) {
  Rule rule;
  rule.filter = std::move(filter);
  rule.direction = Direction::Down;
  rule.qos_max = qos;
  return rule;
}

Rule both(std::string filter) {
  Rule rule = down(std::move(filter));
  rule.direction = Direction::Both;
  return rule;
}

class FarSubscriptionsTest : public testing::Test {
 protected:
  // Everything that is to be said, as `+filter id` or `-filter id`, and that it was said.
  std::vector<std::string> say() {
    std::vector<std::string> said;
    while (FarSubscriptions::One* const one = subscriptions_.next()) {
      said.push_back((one->rule ? '+' : '-') + one->filter + " " + std::to_string(one->id));
      subscriptions_.note_said(*one, PacketId{++last_id_});
    }
    return said;
  }
  void grant() {
    for (std::uint16_t id = 1; id <= last_id_; ++id) (void)subscriptions_.handle_suback(PacketId{id}, true, Instant{});
  }
  void online(const std::vector<Rule>& rules) {
    subscriptions_.want(rules);
    subscriptions_.connect(false, true);
    say();
    grant();
    (void)subscriptions_.poll_change();
  }

  FarSubscriptions subscriptions_;
  std::uint16_t last_id_ = 0;
};

TEST_F(FarSubscriptionsTest, RulesOfOneRemoteFilterAreOneSubscription) {
  subscriptions_.want({down("a/#", mqtt::Qos::ExactlyOnce), both("a/#"), down("b")});
  const FarSubscriptions::One* const first = subscriptions_.next();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->qos, mqtt::Qos::ExactlyOnce) << "of the first rule";
  EXPECT_TRUE(first->no_local) << "since one of them goes up";
  EXPECT_THAT(say(), ElementsAre("+a/# 1", "+b 2"));
  EXPECT_EQ(subscriptions_.rule_of(1), 0U);
  EXPECT_EQ(subscriptions_.rule_of(2), 2U);
  EXPECT_EQ(subscriptions_.rule_of(3), std::nullopt);
}

TEST_F(FarSubscriptionsTest, ChangedRulesSayTheDifferenceAndKeepTheirIdentifiers) {
  online({down("a"), down("b"), down("c")});
  subscriptions_.want({down("d"), down("c"), down("b", mqtt::Qos::ExactlyOnce)});
  EXPECT_EQ(subscriptions_.rule_of(3), 1U);
  EXPECT_EQ(subscriptions_.rule_of(1), std::nullopt);
  EXPECT_THAT(say(), ElementsAre("+b 2", "+d 4", "-a 1"));
}

TEST_F(FarSubscriptionsTest, RuleThatComesBackBeforeItsEndWasAnsweredIsSubscribedAgain) {
  online({down("a")});
  subscriptions_.want({});
  EXPECT_THAT(say(), ElementsAre("-a 1"));
  subscriptions_.want({down("a")});
  EXPECT_THAT(say(), ElementsAre("+a 1"));
  EXPECT_EQ(subscriptions_.handle_unsuback(PacketId{2}, true), "");
  EXPECT_EQ(subscriptions_.record().size(), 1U);
}

TEST_F(FarSubscriptionsTest, RuleThatWasNeverSubscribedNeedsNoEnd) {
  online({});
  subscriptions_.want({down("a")});
  subscriptions_.want({});
  EXPECT_THAT(say(), IsEmpty());
  EXPECT_THAT(subscriptions_.record(), IsEmpty());
}

TEST_F(FarSubscriptionsTest, RefusedAndUnansweredEndsAreSaidAgainAtTheNextConnection) {
  online({down("a"), down("b")});
  subscriptions_.want({});
  EXPECT_THAT(say(), ElementsAre("-a 1", "-b 2"));
  EXPECT_EQ(subscriptions_.handle_unsuback(PacketId{3}, false), "a");
  EXPECT_THAT(say(), IsEmpty());
  EXPECT_EQ(subscriptions_.record().size(), 2U);
  subscriptions_.connect(true, false);
  EXPECT_THAT(say(), ElementsAre("-a 1", "-b 2"));
  EXPECT_EQ(subscriptions_.handle_unsuback(PacketId{5}, true), "");
  EXPECT_EQ(subscriptions_.record().size(), 1U);
  EXPECT_TRUE(subscriptions_.poll_change());
}

TEST_F(FarSubscriptionsTest, FarBrokerThatLostItsSessionHasNothingToEnd) {
  online({down("a"), down("b")});
  subscriptions_.want({down("b")});
  subscriptions_.connect(false, false);
  EXPECT_THAT(say(), ElementsAre("+b 2"));
  EXPECT_EQ(subscriptions_.record().size(), 1U);
}

TEST_F(FarSubscriptionsTest, OnlyWhatWasNotGrantedIsSaidAgainToAResumedSession) {
  subscriptions_.want({down("a"), down("b"), down("c")});
  subscriptions_.connect(false, false);
  say();
  (void)subscriptions_.handle_suback(PacketId{1}, true, Instant{});
  EXPECT_EQ(subscriptions_.handle_suback(PacketId{2}, false, Instant{}), "b");
  subscriptions_.connect(true, false);
  EXPECT_THAT(say(), ElementsAre("+b 2", "+c 3"));
  grant();
  subscriptions_.connect(true, true);
  EXPECT_THAT(say(), ElementsAre("+a 1", "+b 2", "+c 3"));
}

TEST_F(FarSubscriptionsTest, WhatWasStoredIsEndedUnlessARuleWantsIt) {
  subscriptions_.restore({{"gone", {.qos = mqtt::Qos::AtLeastOnce, .subscription_id = 1}},
                          {"kept", {.qos = mqtt::Qos::AtLeastOnce, .subscription_id = 7}}});
  subscriptions_.want({down("kept"), down("new")});
  EXPECT_TRUE(subscriptions_.poll_change()) << "a new one";
  subscriptions_.connect(true, true);
  EXPECT_THAT(say(), ElementsAre("+kept 7", "+new 2", "-gone 1"));
  EXPECT_EQ(subscriptions_.rule_of(7), 0U);
}

TEST_F(FarSubscriptionsTest, OneIsCompleteOnceItIsGrantedInANewSession) {
  subscriptions_.want({down("a/#")});
  subscriptions_.connect(false, true);
  EXPECT_FALSE(subscriptions_.is_complete(1, Instant{}));
  say();
  grant();
  EXPECT_TRUE(subscriptions_.is_complete(subscriptions_.id_of(0), Instant{}));
  subscriptions_.connect(true, true);
  EXPECT_TRUE(subscriptions_.is_complete(1, Instant{})) << "the session has it";
  subscriptions_.connect(false, true);
  EXPECT_FALSE(subscriptions_.is_complete(1, Instant{}));
}

// What waited there before it was added comes by the others alone.
TEST_F(FarSubscriptionsTest, OneThatIsAddedToASessionIsCompleteAfterAWhile) {
  online({down("a/#")});
  subscriptions_.want({down("+/x"), down("a/#")});
  subscriptions_.connect(true, true);
  say();
  grant();
  const std::uint32_t added = subscriptions_.id_of(0);
  EXPECT_EQ(added, 2U);
  EXPECT_FALSE(subscriptions_.is_complete(added, Instant{std::chrono::minutes(9)}));
  EXPECT_TRUE(subscriptions_.is_complete(added, Instant{std::chrono::minutes(10)}));
}

TEST_F(FarSubscriptionsTest, RefusedOneIsNeverComplete) {
  subscriptions_.want({down("a/#")});
  subscriptions_.connect(false, true);
  say();
  (void)subscriptions_.handle_suback(PacketId{last_id_}, false, Instant{});
  EXPECT_FALSE(subscriptions_.is_complete(1, Instant{std::chrono::hours(1)}));
}

}  // namespace
}  // namespace furrow::bridge
