// A session belongs to the user that made it: another one can neither take it over, read it, nor end it.
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using broker::ListenerPolicy;
using mqtt::Qos;
using mqtt::Version;
using testing::ElementsAre;
using testing::IsEmpty;

class SessionOwner : public BrokerFixture {
 protected:
  Client& open_as(std::optional<std::string> user, Version version = Version::V5, bool clean_start = false,
                  std::string listener = {}) {
    return open({.client_id = "pump",
                 .version = version,
                 .clean_start = clean_start,
                 .properties = version == Version::V5 ? mqtt::PropertyView(an_hour) : mqtt::PropertyView(),
                 .vouched_user = std::move(user),
                 .listener = std::move(listener)});
  }
  // A session of this user that has a message waiting.
  void leave_waiting(std::optional<std::string> user) {
    Client& client = open_as(std::move(user));
    client.subscribe("farm/1", Qos::AtLeastOnce);
    client.disconnect();
    connect({.client_id = "publisher"}).publish("farm/1", "secret", Qos::AtLeastOnce, 1);
    settle();
  }
};

bool is_refused(Client& client) {
  const std::vector<std::string> received = client.received();
  return client.closed() && received.size() == 1 && received[0].starts_with("CONNACK reason=87");
}

TEST_F(SessionOwner, AnotherUserIsRefusedAndTheConnectionStays) {
  Client& owner = open_as("ann");
  (void)owner.received();
  EXPECT_TRUE(is_refused(open_as("bob")));
  EXPECT_TRUE(is_refused(open_as(std::nullopt)));
  EXPECT_TRUE(is_refused(open_as(""))) << "an empty name is a name";
  EXPECT_FALSE(owner.closed());
  EXPECT_THAT(owner.received(), IsEmpty());
  EXPECT_EQ(stats().takeovers, 0U);
  EXPECT_EQ(stats().sessions_of_others, 3U);
}

TEST_F(SessionOwner, RefusalOfMqtt311Is5) {
  open_as("ann", Version::V3_1_1);
  Client& other = open_as("bob", Version::V3_1_1);
  EXPECT_THAT(other.received(), ElementsAre("CONNACK reason=87"));  // as the client of the test reads return code 5
  EXPECT_TRUE(other.closed());
}

TEST_F(SessionOwner, CleanStartOfAnotherUserEndsNothing) {
  leave_waiting("ann");
  EXPECT_TRUE(is_refused(open_as("bob", Version::V5, true)));
  Client& owner = open_as("ann");
  EXPECT_THAT(owner.received(), ElementsAre(testing::HasSubstr(" session "), testing::HasSubstr("secret")));
}

TEST_F(SessionOwner, TheSameUserTakesOver) {
  Client& before = open_as("ann");
  Client& after = open_as("ann");
  EXPECT_TRUE(before.closed());
  EXPECT_FALSE(after.closed());
}

TEST_F(SessionOwner, AnonymousSessionsBelongToAnonymous) {
  leave_waiting(std::nullopt);
  EXPECT_TRUE(is_refused(open_as("ann")));
  EXPECT_THAT(open_as(std::nullopt).received(), testing::Contains(testing::HasSubstr("secret")));
}

TEST_F(SessionOwner, OutlivesARestart) {
  leave_waiting("ann");
  advance(std::chrono::minutes(2));
  restart();
  EXPECT_TRUE(is_refused(open_as("bob")));
  EXPECT_TRUE(is_refused(open_as(std::nullopt)));
  EXPECT_THAT(open_as("ann").received(), testing::Contains(testing::HasSubstr("secret")));
}

// Nobody could claim these any more, and their devices would be kept out until they expire.
TEST_F(SessionOwner, UsersHaveTheAnonymousSessionsOfATimeBeforeThereWereUsers) {
  leave_waiting(std::nullopt);
  options.listeners = {ListenerPolicy{.anonymous = false}};
  broker().apply(options, now);
  EXPECT_THAT(open_as("ann").received(), testing::Contains(testing::HasSubstr("secret")));
  EXPECT_TRUE(is_refused(open_as("bob"))) << "from then on it is hers";
  advance(std::chrono::minutes(2));
  restart();
  EXPECT_TRUE(is_refused(open_as("bob")));
}

TEST_F(SessionOwner, AWillThatWaitsAfterARestartIsNotTakenAwayByAnother) {
  mqtt::Will will;
  will.topic = "farm/gone";
  will.payload = as_bytes("gone");
  open({.client_id = "pump", .will = will, .vouched_user = "ann"});
  advance(std::chrono::seconds(2));
  restart();
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("farm/gone");
  (void)reader.received();
  EXPECT_TRUE(is_refused(open({.client_id = "pump", .vouched_user = "bob"})));
  advance(std::chrono::minutes(2));
  EXPECT_THAT(reader.received(), ElementsAre(testing::HasSubstr("farm/gone")));
  EXPECT_FALSE(open({.client_id = "pump", .vouched_user = "bob"}).closed()) << "nothing is left of it";
}

TEST_F(SessionOwner, ASessionHasTheListenerThatItsClientCameByLast) {
  options.listeners = {{.name = "lan"}, {.name = "wan"}};
  open_as("ann", Version::V5, false, "lan");
  EXPECT_EQ(broker().identity_for_test("pump").listener, "lan");
  open_as("ann", Version::V5, false, "wan");
  EXPECT_EQ(broker().identity_for_test("pump").listener, "wan");
  advance(std::chrono::minutes(2));
  restart();
  EXPECT_EQ(broker().identity_for_test("pump").listener, "wan");
  EXPECT_EQ(broker().identity_for_test("pump").user, "ann");
}

}  // namespace
}  // namespace furrow::test
