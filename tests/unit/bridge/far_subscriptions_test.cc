// The difference between what a bridge wants from its far broker and what that may have of it.
#include "bridge/far_subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace furrow::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Wish = FarSubscriptions::Wish;

Wish down(std::string filter, mqtt::Qos qos = mqtt::Qos::AtLeastOnce) {
  const auto key = static_cast<std::uint32_t>(std::hash<std::string>()(filter));
  return {.key = key, .filters = {std::move(filter)}, .qos = qos};
}

Wish both(std::string filter) {
  Wish wish = down(std::move(filter));
  wish.goes_up = true;
  return wish;
}

// A rule that brings down what is wanted.
Wish wanted(std::vector<std::string> filters, std::uint32_t key = 1) {
  return {.key = key, .filters = std::move(filters), .qos = mqtt::Qos::AtLeastOnce, .only_wanted = true};
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
  void want(const std::vector<Wish>& wishes) { subscriptions_.want(wishes, now_); }
  bool is_spare_copy(std::string_view topic, Instant when) const {
    return subscriptions_.is_spare_copy(0, topic, false, when);
  }
  void online(const std::vector<Wish>& wishes) {
    want(wishes);
    subscriptions_.connect(false, true);
    say();
    grant();
    (void)subscriptions_.poll_change();
  }

  FarSubscriptions subscriptions_;
  Instant now_{};
  std::uint16_t last_id_ = 0;
};

TEST_F(FarSubscriptionsTest, RulesOfOneRemoteFilterAreOneSubscription) {
  want({down("a/#", mqtt::Qos::ExactlyOnce), both("a/#"), down("b")});
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
  want({down("d"), down("c"), down("b", mqtt::Qos::ExactlyOnce)});
  EXPECT_EQ(subscriptions_.rule_of(3), 1U);
  EXPECT_EQ(subscriptions_.rule_of(1), std::nullopt);
  EXPECT_THAT(say(), ElementsAre("+b 2", "+d 4", "-a 1"));
}

TEST_F(FarSubscriptionsTest, RuleThatComesBackBeforeItsEndWasAnsweredIsSubscribedAgain) {
  online({down("a")});
  want({});
  EXPECT_THAT(say(), ElementsAre("-a 1"));
  want({down("a")});
  EXPECT_THAT(say(), ElementsAre("+a 1"));
  EXPECT_EQ(subscriptions_.handle_unsuback(PacketId{2}, true), "");
  EXPECT_EQ(subscriptions_.record().size(), 1U);
}

TEST_F(FarSubscriptionsTest, RuleThatWasNeverSubscribedNeedsNoEnd) {
  online({});
  want({down("a")});
  want({});
  EXPECT_THAT(say(), IsEmpty());
  EXPECT_THAT(subscriptions_.record(), IsEmpty());
}

TEST_F(FarSubscriptionsTest, RefusedAndUnansweredEndsAreSaidAgainAtTheNextConnection) {
  online({down("a"), down("b")});
  want({});
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
  want({down("b")});
  subscriptions_.connect(false, false);
  EXPECT_THAT(say(), ElementsAre("+b 2"));
  EXPECT_EQ(subscriptions_.record().size(), 1U);
}

TEST_F(FarSubscriptionsTest, OnlyWhatWasNotGrantedIsSaidAgainToAResumedSession) {
  want({down("a"), down("b"), down("c")});
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
  want({down("kept"), down("new")});
  EXPECT_TRUE(subscriptions_.poll_change()) << "a new one";
  subscriptions_.connect(true, true);
  EXPECT_THAT(say(), ElementsAre("+kept 7", "+new 2", "-gone 1"));
  EXPECT_EQ(subscriptions_.rule_of(7), 0U);
}

TEST_F(FarSubscriptionsTest, OneIsCompleteOnceItIsGrantedInANewSession) {
  want({down("a/#")});
  subscriptions_.connect(false, true);
  EXPECT_FALSE(is_spare_copy("a/x", now_));
  say();
  grant();
  EXPECT_TRUE(is_spare_copy("a/x", now_));
  subscriptions_.connect(true, true);
  EXPECT_TRUE(is_spare_copy("a/x", now_)) << "the session has it";
  subscriptions_.connect(false, true);
  EXPECT_FALSE(is_spare_copy("a/x", now_));
}

// What waited there before it was added comes by the others alone.
TEST_F(FarSubscriptionsTest, OneThatIsAddedToASessionIsCompleteAfterAWhile) {
  online({down("a/#")});
  want({down("+/x"), down("a/#")});
  subscriptions_.connect(true, true);
  say();
  grant();
  EXPECT_TRUE(subscriptions_.brings(2, 0));
  EXPECT_FALSE(is_spare_copy("a/x", Instant{std::chrono::minutes(9)}));
  EXPECT_TRUE(is_spare_copy("a/x", Instant{std::chrono::minutes(10)}));
}

// A slow link may have kept messages from leaving since the session began.
TEST_F(FarSubscriptionsTest, OneThatIsAddedAfterASessionBeganIsCompleteAfterAWhileToo) {
  online({down("a/#")});
  want({down("+/x"), down("a/#")});
  say();
  grant();
  EXPECT_FALSE(is_spare_copy("a/x", Instant{std::chrono::minutes(9)}));
  EXPECT_TRUE(is_spare_copy("a/x", Instant{std::chrono::minutes(10)}));
}

TEST_F(FarSubscriptionsTest, RefusedOneIsNeverComplete) {
  want({down("a/#")});
  subscriptions_.connect(false, true);
  say();
  (void)subscriptions_.handle_suback(PacketId{last_id_}, false, Instant{});
  EXPECT_FALSE(is_spare_copy("a/x", Instant{std::chrono::hours(1)}));
}

// --- what is wanted ---

TEST_F(FarSubscriptionsTest, RuleHasASubscriptionForEachFilterThatIsWanted) {
  online({wanted({"a/1", "a/2"}), down("b")});
  EXPECT_TRUE(subscriptions_.brings(1, 0));
  EXPECT_TRUE(subscriptions_.brings(2, 0));
  EXPECT_FALSE(subscriptions_.brings(3, 0));
  EXPECT_EQ(subscriptions_.rule_of(2), 0U);
  want({wanted({"a/2", "a/3"}), down("b")});
  EXPECT_THAT(say(), ElementsAre("+a/3 4", "-a/1 1"));
  want({wanted({}), down("b")});
  EXPECT_THAT(say(), ElementsAre("-a/2 2", "-a/3 4"));
}

// A crash would leave it there, and nobody would know.
TEST_F(FarSubscriptionsTest, WhatBecomesWantedIsSaidOnceItIsStored) {
  online({down("b")});
  want({wanted({"a/1"}), down("c")});
  EXPECT_EQ(subscriptions_.next(false)->filter, "c") << "the configuration has it, whatever comes";
  subscriptions_.note_said(*subscriptions_.next(false), PacketId{90});
  EXPECT_EQ(subscriptions_.next(false), nullptr) << "what takes the place of others comes before their end";
  EXPECT_THAT(say(), ElementsAre("+a/1 2", "-b 1"));
}

TEST_F(FarSubscriptionsTest, WhatTheFarBrokerMayHaveIsSaidWithoutTheStore) {
  online({wanted({"a/1"})});
  subscriptions_.connect(true, true);
  EXPECT_EQ(subscriptions_.next(false)->filter, "a/1");
}

// The crash came while one took the place of the other.
TEST_F(FarSubscriptionsTest, MessageThatWaitedForAnotherFilterOverACrashIsNotTakenForACopy) {
  subscriptions_.restore({{"a/7", {.qos = mqtt::Qos::AtLeastOnce, .subscription_id = 1}},
                          {"a/#", {.qos = mqtt::Qos::AtLeastOnce, .subscription_id = 2}}});
  want({wanted({"a/#"})});
  subscriptions_.connect(true, true);
  EXPECT_THAT(say(), ElementsAre("+a/# 2", "-a/7 1"));
  EXPECT_FALSE(is_spare_copy("a/7", now_)) << "it names what has gone";
  EXPECT_TRUE(is_spare_copy("a/7", Instant{std::chrono::minutes(10)}));
}

TEST_F(FarSubscriptionsTest, WhatIsBeingEndedCountsAsThereNoMore) {
  subscriptions_.restore({{"stored", {.qos = mqtt::Qos::AtLeastOnce, .subscription_id = 9}}});
  EXPECT_THAT(subscriptions_.filters(), ElementsAre("stored"));
  online({wanted({"a/1", "a/2"})});
  want({wanted({"a/1"})});
  EXPECT_THAT(subscriptions_.filters(), ElementsAre("a/1", "a/2")) << "nothing was said yet";
  say();
  EXPECT_THAT(subscriptions_.filters(), ElementsAre("a/1")) << "a reload does not take it up again";
}

TEST_F(FarSubscriptionsTest, IdentifierIsNotGivenAgainSoon) {
  online({wanted({"a/1"})});
  want({wanted({})});
  say();
  EXPECT_EQ(subscriptions_.handle_unsuback(PacketId{last_id_}, true), "");
  want({wanted({"a/2"})});
  EXPECT_THAT(say(), ElementsAre("+a/2 2"));
}

TEST_F(FarSubscriptionsTest, CopyForAnotherRuleIsSpareWhereNobodyWantsThatOfTheFirst) {
  online({wanted({"a/1"}), down("#")});
  EXPECT_TRUE(subscriptions_.is_spare_copy(0, "a/2", true, now_));
  EXPECT_FALSE(subscriptions_.is_spare_copy(0, "a/2", false, now_)) << "it waited for what was wanted before";
  want({wanted({"a/1", "a/2"}), down("#")});
  say();
  EXPECT_TRUE(subscriptions_.is_spare_copy(0, "a/2", true, now_)) << "its own copy comes, or it was nobody's";
  (void)subscriptions_.handle_suback(PacketId{last_id_}, false, now_);
  EXPECT_FALSE(subscriptions_.is_spare_copy(0, "a/2", true, now_)) << "refused: the next rule has it";
}

TEST_F(FarSubscriptionsTest, RuleThatIsAddedToASessionDecidesAfterAWhile) {
  online({down("#")});
  now_ = Instant{std::chrono::minutes(1)};
  want({wanted({}), down("#")});
  subscriptions_.connect(true, true);
  EXPECT_FALSE(subscriptions_.is_spare_copy(0, "a/2", true, now_));
  now_ = Instant{std::chrono::minutes(11)};
  want({wanted({"a/1"}), down("#")});
  EXPECT_TRUE(subscriptions_.is_spare_copy(0, "a/2", true, now_));
}

}  // namespace
}  // namespace furrow::bridge
