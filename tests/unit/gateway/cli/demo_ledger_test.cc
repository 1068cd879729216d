#include "gateway/cli/demo_ledger.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

TEST(DemoLedger, ExactlyOnceIsWhenEachArrivesOnce) {
  DemoLedger ledger(2);
  const DemoLedger::Message one = ledger.send(0);
  const DemoLedger::Message two = ledger.send(1);
  EXPECT_EQ(one.topic, "farm/field-1/moisture");
  EXPECT_EQ(two.topic, "farm/field-2/moisture");
  EXPECT_TRUE(ledger.arrive(two.topic, two.payload));
  EXPECT_FALSE(ledger.sums().exactly_once());
  EXPECT_EQ(ledger.sums().lost(), 1U);
  EXPECT_TRUE(ledger.arrive(one.topic, one.payload));
  EXPECT_TRUE(ledger.sums().exactly_once());
}

TEST(DemoLedger, WhatComesTwiceDoesNotMakeUpForWhatIsLost) {
  DemoLedger ledger(1);
  const DemoLedger::Message first = ledger.send(0);
  ledger.send(0);
  ledger.arrive(first.topic, first.payload);
  ledger.arrive(first.topic, first.payload);
  EXPECT_EQ(ledger.sums().arrived, 1U);
  EXPECT_EQ(ledger.sums().duplicated, 1U);
  EXPECT_EQ(ledger.sums().lost(), 1U);
  EXPECT_FALSE(ledger.sums().exactly_once());
}

TEST(DemoLedger, WhatNobodySentIsForeign) {
  DemoLedger ledger(1);
  ledger.send(0);
  for (const auto& [topic, payload] : {std::pair("farm/field-1/moisture", "2"), std::pair("farm/field-2/moisture", "1"),
                                       std::pair("farm/field-0/moisture", "1"), std::pair("farm/field-1/moisture", "x"),
                                       std::pair("farm/field-", "1"), std::pair("other", "1")}) {
    EXPECT_FALSE(ledger.arrive(topic, payload)) << topic << ' ' << payload;
  }
  EXPECT_EQ(ledger.sums().foreign, 6U);
  EXPECT_EQ(ledger.sums().arrived, 0U);
}

}  // namespace
}  // namespace furrow::gateway
