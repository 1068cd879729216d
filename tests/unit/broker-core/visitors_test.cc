// Who may read the status without MQTT: each line of the table in visitors.h.
#include "broker-core/visitors.h"

#include "broker-core/failed_logins.h"
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using access::Entry;
using access::Rule;
using broker::Verdict;
using broker::Visitors;
using Answer = broker::Visitors::Answer;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Is told what to answer, and to whom.
class Passwords final : public broker::Authenticator {
 public:
  bool has_users() const override { return true; }
  std::optional<Verdict> ask(const Login& login, Instant) override {
    asked.push_back(login.connection);
    return at_once;
  }
  void cancel(ConnectionId connection) override { std::erase(asked, connection); }

  std::vector<ConnectionId> asked;
  std::optional<Verdict> at_once;
};

class VisitorsTest : public BrokerFixture {
 protected:
  VisitorsTest() {
    options.listeners = {{.name = "closed", .anonymous = false},
                         {.name = "open", .anonymous = true},
                         {.name = "vouched", .anonymous = false, .needs_vouched = true}};
  }

  Visitors& visitors() {
    broker().set_authenticator(&passwords);
    return broker().visitors();
  }
  ConnectionId visit(const std::string& listener, const Visitors::Credentials& credentials = {},
                     std::optional<std::string> vouched = std::nullopt) {
    return visitors().handle_visit({.address = IpAddress::parse("192.0.2.9"),
                                    .port = 7,
                                    .listener = listener,
                                    .vouched_user = std::move(vouched)},
                                   credentials, now);
  }
  // The answer that is due to this visitor now, and to nobody else.
  std::optional<Answer> answer(ConnectionId visitor) {
    ConnectionId who;
    Answer answer{};
    if (!visitors().poll(who, answer, now)) return std::nullopt;
    EXPECT_EQ(who, visitor);
    EXPECT_FALSE(visitors().poll(who, answer, now));
    return answer;
  }
  void let_read(const std::string& user) {
    Rule rule;
    rule.users = {user};
    rule.subscribe = {Entry("$SYS/#")};
    options.access_rules = std::make_shared<const access::Rules>(std::vector{rule});
  }

  const Visitors::Credentials ann{.user = "ann", .password = "secret"};
  Passwords passwords;
};

TEST_F(VisitorsTest, AreNoConnections) {
  const ConnectionId first = visit("open");
  EXPECT_TRUE(broker::is_visitor(first));
  EXPECT_NE(visit("open"), first);
  EXPECT_FALSE(broker::is_visitor(connect({.listener = "open"}).id()));
  EXPECT_EQ(broker().connections(), 1U);
}

TEST_F(VisitorsTest, ComeInAsNobodyWhereClientsMay) {
  EXPECT_EQ(answer(visit("open")), Answer::Welcome);
  EXPECT_EQ(answer(visit("closed")), Answer::Unknown);
  EXPECT_EQ(answer(visit("gone")), Answer::Unknown);
  EXPECT_EQ(stats().logins_failed, 0U) << "a browser comes without credentials at first";
  EXPECT_THAT(log.lines, IsEmpty());
}

TEST_F(VisitorsTest, ReadWhatAClientOfTheirNameMaySubscribeTo) {
  let_read("ann");
  EXPECT_EQ(answer(visit("open")), Answer::Unknown);
  passwords.at_once = Verdict::Good;
  EXPECT_EQ(answer(visit("open", ann)), Answer::Welcome);
  EXPECT_EQ(answer(visit("open", {.user = "bob", .password = "secret"})), Answer::NotAllowed);
  EXPECT_EQ(answer(visit("vouched", {}, "ann")), Answer::Welcome);
  EXPECT_EQ(answer(visit("vouched", {}, "bob")), Answer::NotAllowed);
  EXPECT_EQ(answer(visit("vouched")), Answer::Unknown);
}

TEST_F(VisitorsTest, WaitForTheVerdict) {
  const ConnectionId visitor = visit("closed", ann);
  EXPECT_EQ(answer(visitor), std::nullopt);
  EXPECT_EQ(visitors().next_deadline(), kNever);
  ASSERT_EQ(passwords.asked.size(), 1U);
  broker().handle_login(passwords.asked[0], Verdict::Good, now);
  EXPECT_EQ(answer(visitor), Answer::Welcome);
  EXPECT_EQ(stats().logins_checked, 1U);
  broker().handle_login(visitor, Verdict::WrongPassword, now);
  EXPECT_EQ(stats().logins_failed, 0U) << "a second verdict is for nobody";
}

TEST_F(VisitorsTest, AreToldOfAWrongPasswordLaterAndLater) {
  Instant last = now;
  Duration delay{};
  for (const Verdict verdict : {Verdict::WrongPassword, Verdict::UnknownUser}) {
    passwords.at_once = verdict;
    const ConnectionId visitor = visit("open", ann);
    EXPECT_EQ(answer(visitor), std::nullopt) << "what is wrong never gets in, also where anybody may";
    EXPECT_GT(visitors().next_deadline() - now, delay);
    delay = visitors().next_deadline() - now;
    last = visitors().next_deadline();
    now = last;
    EXPECT_EQ(answer(visitor), Answer::Unknown);
  }
  EXPECT_EQ(stats().logins_failed, 2U);
  EXPECT_THAT(log.lines, Contains("warning login.failed listener=open address=192.0.2.9 user=ann "
                                  "reason=wrong_password unlogged=0"));
  EXPECT_THAT(log.lines, Contains(HasSubstr("reason=unknown_user")));
  EXPECT_THAT(log.lines, Not(Contains(HasSubstr("secret"))));
}

TEST_F(VisitorsTest, FailAsSomebodyElseThanIsVouchedFor) {
  const ConnectionId visitor = visit("vouched", ann, "bob");
  EXPECT_THAT(passwords.asked, IsEmpty());
  EXPECT_THAT(log.lines, Contains(HasSubstr("user=ann reason=other_user")));
  now = visitors().next_deadline();
  EXPECT_EQ(answer(visitor), Answer::Unknown);
}

TEST_F(VisitorsTest, AreTurnedAwayWhenTooManyWait) {
  passwords.at_once = Verdict::Overloaded;
  EXPECT_EQ(answer(visit("closed", ann)), Answer::Overloaded);
  EXPECT_EQ(stats().logins_overloaded, 1U);
}

TEST_F(VisitorsTest, ThatAreGoneGetNoAnswer) {
  const ConnectionId waiting = visit("closed", ann);
  visitors().handle_closed(waiting);
  EXPECT_THAT(passwords.asked, IsEmpty()) << "no verdict is wanted";
  const ConnectionId known = visit("open");
  visitors().handle_closed(known);
  visitors().handle_closed(known);
  broker().handle_login(waiting, Verdict::Good, now);
  EXPECT_EQ(answer(waiting), std::nullopt);
  EXPECT_EQ(visitors().waiting(), 0U);
}

}  // namespace
}  // namespace furrow::test
