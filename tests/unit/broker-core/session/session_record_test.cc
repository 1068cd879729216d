#include "broker-core/session/session_record.h"

#include <gtest/gtest.h>

#include "broker-core/base/random.h"
#include "broker-core/mqtt/properties.h"
#include "tests/unit/broker-core/session/row_parts.h"

namespace furrow::broker {
namespace {

SessionRecord full_record() {
  SessionRecord record;
  record.client_id = "pump-7";
  record.queue = QueueId{300};
  record.expiry_s = kExpiryNever;
  record.disconnected =
      std::make_unique<Disconnected>(Disconnected{ClockStamp{.boot = 9,
                                                             .monotonic = Instant(std::chrono::hours(2)),
                                                             .wall = WallTime(std::chrono::hours(400'000)),
                                                             .trusted = true}});
  record.will = std::make_unique<Will>();
  record.will->topic = "farm/pump-7/state";
  record.will->payload = {'o', 'f', 'f', 0};
  record.will->properties = user_property("reason", "power");
  record.will->expiry_s = 0xFFFF'FFFF;
  record.will->delay_s = 30;
  record.will->qos = mqtt::Qos::ExactlyOnce;
  record.will->retain = true;
  record.subscriptions.push_back({"farm/+/valve", {.qos = mqtt::Qos::AtLeastOnce}});
  record.subscriptions.push_back({"$share/pumps/farm/#",
                                  {.qos = mqtt::Qos::ExactlyOnce,
                                   .no_local = true,
                                   .retain_as_published = true,
                                   .subscription_id = kSubscriptionIdMax}});
  return record;
}

TEST(SessionRecord, GivesBackWhatWasStored) {
  const SessionRecord record = full_record();
  const auto restored = decode_session("pump-7", encode(record));
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->client_id, "pump-7");
  EXPECT_EQ(restored->queue, record.queue);
  EXPECT_EQ(restored->expiry_s, kExpiryNever);
  EXPECT_FALSE(restored->connected());
  EXPECT_EQ(restored->disconnected->boot, 9U);
  EXPECT_EQ(restored->disconnected->monotonic, record.disconnected->monotonic);
  ASSERT_TRUE(restored->will);
  EXPECT_EQ(*restored->will, *record.will);
  EXPECT_EQ(restored->subscriptions, record.subscriptions);
}

TEST(SessionRecord, ConnectedSessionWithoutWillHasNeitherStampNorWill) {
  SessionRecord record;
  record.queue = QueueId{1};
  record.disconnected.reset();
  const Bytes bytes = encode(record);
  EXPECT_EQ(bytes.size(), 5U);
  const auto restored = decode_session("pump-7", bytes);
  ASSERT_TRUE(restored);
  EXPECT_TRUE(restored->connected());
  EXPECT_FALSE(restored->will);
}

TEST(SessionRecord, ReadsWhatTheFirstVersionHasStored) {
  const Bytes bytes = {1, 7, 60, 3, 5, 0, 0, 1, 't', 2, 'o', 'n', 0, 1, 1, 1, 'a', 0};
  const auto restored = decode_session("pump-7", bytes);
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->queue, QueueId{7});
  EXPECT_EQ(restored->expiry_s, 60U);
  EXPECT_TRUE(restored->connected());
  EXPECT_EQ(restored->will->topic, "t");
  EXPECT_EQ(restored->will->qos, mqtt::Qos::AtLeastOnce);
  EXPECT_TRUE(restored->will->retain);
  EXPECT_EQ(restored->subscriptions[0].filter(), "a");
  EXPECT_EQ(encode(*restored), bytes);
}

TEST(SessionRecord, RowsWithoutAnOwnerBelongToAnonymousByNoKnownListener) {
  Identity owner{.user = "not overwritten yet"};
  ASSERT_TRUE(decode_session("pump-7", encode(full_record()), nullptr, &owner));
  EXPECT_EQ(owner, Identity{});
}

TEST(SessionRecord, KeepsItsOwner) {
  for (const Identity& stored : {Identity{.user = "pump", .listener = "lan"}, Identity{.user = ""},
                                 Identity{.listener = "lan"}, Identity{.user = std::string(300, 'u')}}) {
    Identity owner;
    ASSERT_TRUE(decode_session("pump-7", encode(full_record(), stored), nullptr, &owner));
    EXPECT_EQ(owner, stored);
  }
}

TEST(SessionRecord, WillAloneHasNoQueue) {
  const SessionRecord full = full_record();
  Identity owner;
  const auto restored = decode_session("pump-7", encode_will_alone(*full.will, {.user = "pump"}), nullptr, &owner);
  ASSERT_TRUE(restored);
  EXPECT_FALSE(restored->queue);
  EXPECT_EQ(*restored->will, *full.will);
  EXPECT_TRUE(restored->subscriptions.empty());
  EXPECT_EQ(owner.user, "pump");
}

TEST(SessionRecord, SaysWhichSubscriptionsHaveNotBeenSentAllRetainedMessages) {
  SessionRecord record = full_record();
  record.subscriptions.push_back({"farm/#", {.qos = mqtt::Qos::AtLeastOnce}});
  const std::vector<std::uint32_t> unsent = {0, 2};
  std::vector<std::uint32_t> read;
  const auto restored = decode_session("pump-7", encode(record, {}, unsent), &read);
  ASSERT_TRUE(restored);
  EXPECT_EQ(read, unsent);
  EXPECT_EQ(restored->subscriptions, record.subscriptions);
  read.clear();
  ASSERT_TRUE(decode_session("pump-7", encode(record), &read));
  EXPECT_TRUE(read.empty());
}

TEST(SessionRecord, WillWithoutExpiryStaysWithout) {
  SessionRecord record = full_record();
  record.will->expiry_s.reset();
  EXPECT_EQ(decode_session("pump-7", encode(record))->will->expiry_s, std::nullopt);
  record.will->expiry_s = 0;
  EXPECT_EQ(decode_session("pump-7", encode(record))->will->expiry_s, 0U);
}

TEST(SessionRecord, RefusesWhatIsCutShortOrTooLong) {
  Bytes bytes = encode(full_record(), {.user = "pump", .listener = "lan"});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_session("pump-7", ByteView(bytes).first(size))) << size;
  }
  bytes.push_back(0);
  EXPECT_FALSE(decode_session("pump-7", bytes));
}

TEST(SessionRecord, RefusesPropertiesThatCannotBeWalked) {
  SessionRecord record = full_record();
  record.will->properties = {0x26, 0xFF, 0xFF, 'x'};  // a user property longer than what is there
  EXPECT_FALSE(decode_session("pump-7", encode(record)));
}

TEST(SessionRecord, RefusesNamesAndFiltersThatNobodyCouldHaveGiven) {
  SessionRecord record = full_record();
  record.will->topic = "farm/#";
  EXPECT_FALSE(decode_session("pump-7", encode(record)));
  record = full_record();
  record.subscriptions[0] = {"farm/#/valve", {}};
  EXPECT_FALSE(decode_session("pump-7", encode(record)));
}

TEST(SessionRecord, SurvivesAnyDamage) {
  const Bytes bytes = encode(full_record(), {.user = "pump", .listener = "lan"});
  Random random(1);
  int refused = 0;
  for (int i = 0; i < 5'000; ++i) {
    Bytes damaged = bytes;
    damaged[random.below(damaged.size())] = static_cast<std::uint8_t>(random.below(256));
    const auto restored = decode_session("pump-7", damaged);
    if (!restored) ++refused;
    // Whatever is accepted can be stored again and means the same.
    if (restored) {
      const Bytes again = encode(*restored);
      ASSERT_TRUE(decode_session("pump-7", again));
    }
  }
  EXPECT_GT(refused, 500);
}

// `$share/GROUP` is a filter like any other, but names no filter of a group.
TEST(SessionRecord, GroupWithoutAFilterIsDamage) {
  SessionRecord record;
  record.queue = QueueId{1};
  record.subscriptions.push_back({"$share/pumps", {}});
  EXPECT_FALSE(decode_session("pump-7", encode(record)));
}

}  // namespace
}  // namespace furrow::broker
