// How a client logs in: what it proves, the wait for the verdict, and what its user may have.
#include "broker-core/failed_logins.h"
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using broker::ClientIdPolicy;
using broker::ListenerPolicy;
using broker::Verdict;
using mqtt::Qos;
using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// Knows the password of everybody: `secret`. Answers when it is told to.
class LateAuthenticator final : public broker::Authenticator {
 public:
  bool has_users() const override { return true; }
  std::optional<Verdict> ask(const Login& login, Instant) override {
    const bool is_right = as_text(login.password) == "secret";
    const Verdict verdict = login.user == "stranger" ? Verdict::UnknownUser
                            : is_right               ? Verdict::Good
                                                     : Verdict::WrongPassword;
    if (remembers && verdict == Verdict::Good) return verdict;
    asked.emplace_back(login.connection, verdict);
    return std::nullopt;
  }
  void cancel(ConnectionId connection) override {
    std::erase_if(asked, [&](const auto& one) { return one.first == connection; });
    ++cancelled;
  }

  std::vector<std::pair<ConnectionId, Verdict>> asked;
  bool remembers = false;
  int cancelled = 0;
};

class ConnectionLogin : public BrokerFixture {
 protected:
  ConnectionLogin() { options.listeners = {{.name = "", .anonymous = false}, {.name = "open", .anonymous = true}}; }

  Client& log_in(const ConnectOptions& asked) {
    broker().set_authenticator(&authenticator);
    return open(asked);
  }
  void answer() {
    for (const auto& [connection, verdict] : std::exchange(authenticator.asked, {})) {
      broker().handle_login(connection, verdict, now);
    }
    settle();
  }

  LateAuthenticator authenticator;
};

TEST_F(ConnectionLogin, ARightPasswordIsLetInWhenTheVerdictComes) {
  Client& client = log_in({.username = "ann", .password = "secret"});
  EXPECT_THAT(client.received(), IsEmpty());
  answer();
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00")));
  EXPECT_EQ(broker().identity_for_test("client").user, "ann");
  EXPECT_EQ(stats().logins_checked, 1U);
  EXPECT_EQ(stats().logins_failed, 0U);
}

TEST_F(ConnectionLogin, ARememberedOneIsLetInAtOnce) {
  authenticator.remembers = true;
  EXPECT_THAT(log_in({.username = "ann", .password = "secret"}).received(),
              ElementsAre(StartsWith("CONNACK reason=00")));
}

TEST_F(ConnectionLogin, WhatComesBehindTheConnectWaitsWithIt) {
  Client& client = log_in({.username = "ann", .password = "secret"});
  client.subscribe("farm/1");
  client.publish("farm/1", "on");
  EXPECT_TRUE(broker().reading_paused(client.id()));
  EXPECT_THAT(client.received(), IsEmpty());
  answer();
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK"), StartsWith("SUBACK"), StartsWith("PUBLISH")));
  EXPECT_FALSE(broker().reading_paused(client.id()));
}

TEST_F(ConnectionLogin, AllOfTheConnectCountsAfterTheWait) {
  Properties will_properties;
  will_properties.user("why", "power").number(mqtt::PropertyId::WillDelayInterval, 0);
  mqtt::Will will;
  will.topic = "farm/gone";
  will.payload = as_bytes("gone");
  will.properties = will_properties;
  Client& reader = connect({.client_id = "reader", .listener = "open"});
  reader.subscribe("farm/#");
  (void)reader.received();
  Client& client = log_in(
      {.client_id = "pump", .keep_alive_s = 30, .will = will, .properties = an_hour, .username = "", .password = ""});
  authenticator.asked[0].second = Verdict::Good;
  answer();
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00")));
  client.vanish();
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("farm/gone")));
  EXPECT_EQ(broker().sessions(), 2U) << "its session stays";
  EXPECT_EQ(broker().identity_for_test("pump").user, "");
}

TEST_F(ConnectionLogin, AWrongPasswordIsToldAfterAWhileLikeAnUnknownUser) {
  for (const char* user : {"ann", "stranger"}) {
    Client& client = log_in({.username = user, .password = "guess"});
    answer();
    EXPECT_THAT(client.received(), IsEmpty()) << "guessing takes time";
    advance(seconds(1));
    EXPECT_THAT(client.received(), ElementsAre("CONNACK reason=86 {1f=\"the user name or the password is wrong\"}"));
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(stats().logins_failed, 2U);
  EXPECT_THAT(log.lines, Contains("warning login.failed listener= address=192.0.2.1 user=ann reason=wrong_password "
                                  "unlogged=0"));
  EXPECT_THAT(log.lines, Contains(HasSubstr("user=stranger reason=unknown_user")));
  EXPECT_THAT(log.lines, Not(Contains(HasSubstr("guess"))));
  EXPECT_THAT(log.lines, Not(Contains(HasSubstr("connection.refused")))) << "one line is enough";
}

TEST_F(ConnectionLogin, AWrongPasswordIsRefusedWhereAnonymousMay) {
  Client& client = log_in({.username = "ann", .password = "guess", .listener = "open"});
  answer();
  advance(seconds(1));
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=86")));
  EXPECT_THAT(log_in({.listener = "open"}).received(), ElementsAre(StartsWith("CONNACK reason=00")));
}

TEST_F(ConnectionLogin, RefusalsOfMqtt311Are4And5) {
  Client& wrong = log_in({.version = Version::V3_1_1, .username = "ann", .password = "guess"});
  answer();
  advance(seconds(1));
  EXPECT_THAT(wrong.received(), ElementsAre("CONNACK reason=86"));  // return code 4
  Client& none = log_in({.version = Version::V3_1_1});
  EXPECT_THAT(none.received(), ElementsAre("CONNACK reason=87"));  // return code 5
  EXPECT_THAT(log.lines, Contains(HasSubstr("user= reason=no_credentials")));
}

TEST_F(ConnectionLogin, EnhancedAuthenticationIsRefusedBeforeAnythingIsChecked) {
  const Properties method = std::move(Properties().text(mqtt::PropertyId::AuthenticationMethod, "SCRAM-SHA-1"));
  Client& client = log_in({.properties = method, .username = "ann", .password = "secret"});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=8c")));
  EXPECT_THAT(authenticator.asked, IsEmpty());
}

TEST_F(ConnectionLogin, AClientThatVanishesIsNotWaitedFor) {
  Client& client = log_in({.username = "ann", .password = "secret"});
  const auto verdicts = authenticator.asked;
  client.vanish();
  EXPECT_EQ(authenticator.cancelled, 1);
  broker().handle_login(verdicts[0].first, verdicts[0].second, now);  // was on its way
  settle();
  EXPECT_EQ(broker().connections(), 0U);
  EXPECT_EQ(broker().sessions(), 0U);
}

TEST_F(ConnectionLogin, OneThatVanishesWhileItsRefusalIsHeldBackIsNotCancelled) {
  Client& client = log_in({.username = "ann", .password = "guess"});
  answer();
  client.vanish();
  EXPECT_EQ(authenticator.cancelled, 0);
}

TEST_F(ConnectionLogin, TheTimeForConnectGoesOnMeanwhile) {
  Client& client = log_in({.username = "ann", .password = "secret"});
  advance(seconds(9));
  client.send_raw("c0 00");  // bytes that come do not buy time
  EXPECT_FALSE(client.closed());
  advance(seconds(1));
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=97")));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(authenticator.cancelled, 1);
  answer();
  EXPECT_EQ(stats().logins_overloaded, 1U);
}

TEST_F(ConnectionLogin, TooManyThatWaitMayTryAgain) {
  Client& client = log_in({.username = "ann", .password = "secret"});
  authenticator.asked[0].second = Verdict::Overloaded;
  answer();
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=97")));
  EXPECT_EQ(stats().logins_failed, 0U) << "nobody is to be banned for it";
}

TEST_F(ConnectionLogin, AnotherListenerIsNotTakenForThisOne) {
  EXPECT_THAT(log_in({.listener = "gone"}).received(), ElementsAre(StartsWith("CONNACK reason=87")));
  EXPECT_THAT(log.lines, Contains(HasSubstr("reason=listener_gone")));
}

TEST_F(ConnectionLogin, LimitsThatChangeMeanwhileDoNotLetItIn) {
  Client& client = log_in({.username = "ann", .password = "secret"});
  client.publish("farm/1", "on");
  broker().apply(options, now);
  settle();
  EXPECT_THAT(client.received(), IsEmpty());
  answer();
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00")));
}

// --- client identifiers ---

TEST_F(ConnectionLogin, ClientIdentifiersMayHaveToBeTheUser) {
  options.client_id = ClientIdPolicy::User;
  authenticator.remembers = true;
  const auto try_id = [&](std::string_view client_id) {
    return log_in({.client_id = client_id, .username = "ann", .password = "secret"}).received().at(0);
  };
  EXPECT_THAT(try_id("ann"), StartsWith("CONNACK reason=00"));
  EXPECT_THAT(try_id("ann-1"), StartsWith("CONNACK reason=85"));
  EXPECT_THAT(try_id(""), HasSubstr("12=\"ann\"")) << "is given its name";
  EXPECT_THAT(log_in({.client_id = "x", .listener = "open"}).received(), ElementsAre(StartsWith("CONNACK reason=00")))
      << "anonymous clients have no user";
}

TEST_F(ConnectionLogin, ClientIdentifiersMayHaveToStartWithTheUser) {
  options.client_id = ClientIdPolicy::StartsWithUser;
  authenticator.remembers = true;
  const auto try_id = [&](std::string_view client_id) {
    return log_in({.client_id = client_id, .username = "ann", .password = "secret"}).received().at(0);
  };
  EXPECT_THAT(try_id("ann"), StartsWith("CONNACK reason=00"));
  EXPECT_THAT(try_id("ann-1"), StartsWith("CONNACK reason=00"));
  EXPECT_THAT(try_id("an"), StartsWith("CONNACK reason=85"));
  EXPECT_THAT(try_id("bob-ann"), StartsWith("CONNACK reason=85"));
  EXPECT_THAT(try_id(""), HasSubstr("12=\"ann-"));
}

// --- limits of what a user may have ---

TEST_F(ConnectionLogin, AUserHasALimitedNumberOfSessions) {
  options.limits.sessions_per_user = 2;
  authenticator.remembers = true;
  const auto try_id = [&](std::string_view client_id, std::string_view user = "ann") -> Client& {
    return log_in({.client_id = client_id, .username = user, .password = "secret"});
  };
  Client& first = try_id("1");
  EXPECT_THAT(try_id("2").received(), ElementsAre(StartsWith("CONNACK reason=00")));
  EXPECT_THAT(try_id("3").received(), ElementsAre("CONNACK reason=97 {1f=\"limits.sessions_per_user is reached\"}"));
  EXPECT_THAT(try_id("2").received(), ElementsAre(StartsWith("CONNACK reason=00"))) << "has one already";
  EXPECT_THAT(try_id("4", "bob").received(), ElementsAre(StartsWith("CONNACK reason=00")));
  EXPECT_EQ(stats().sessions_over_user_limit, 1U);
  first.disconnect();
  EXPECT_THAT(try_id("3").received(), ElementsAre(StartsWith("CONNACK reason=00")));
}

}  // namespace
}  // namespace furrow::test
