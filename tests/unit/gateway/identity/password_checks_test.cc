#include "gateway/identity/password_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gateway/net/event_loop.h"
#include "tests/support/line_log.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

using broker::Verdict;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

// Cheap to check, as one of Mosquitto's: the password is `secret`.
const std::string kSecret =
    "$7$101$ZnVycm93LXNhbHQh$4b9d0qRxNR+6QcbVv/WmqWLeykP05n8Fv0b74rSYfJ+ArXptBF06UFmTD1MhfRpVznZzkYPWCd5OQsCEdpPm5Q==";

class PasswordChecksTest : public testing::Test {
 protected:
  PasswordChecksTest() { write("ann:" + kSecret + "\nbob:" + kSecret + "\n"); }

  void write(const std::string& text) {
    const std::filesystem::path fresh = place / "fresh";
    std::ofstream(fresh) << text;
    std::filesystem::permissions(fresh, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::filesystem::rename(fresh, file);
  }
  Status use(PasswordChecks& one, const std::filesystem::path& name) {
    auto loaded = PasswordChecks::load(name);
    if (!loaded) return loaded.error();
    one.use(*std::move(loaded));
    return {};
  }
  std::optional<Verdict> ask(std::uint64_t connection, std::string_view user, std::string_view password) {
    return checks.ask({ConnectionId{connection}, user, as_bytes(password)}, now);
  }
  // What is told until nothing more comes.
  std::vector<std::pair<std::uint64_t, Verdict>> verdicts() {
    std::vector<std::pair<std::uint64_t, Verdict>> all;
    do {
      checks.deliver([&](ConnectionId connection, Verdict verdict) { all.emplace_back(connection.value, verdict); });
    } while (uv_run(&loop.uv(), UV_RUN_ONCE) != 0 || checks.has_verdicts());
    return all;
  }

  TemporaryDirectory place;
  const std::filesystem::path file = place / "passwords";
  EventLoop loop;
  test::LineLog log;
  PasswordChecks checks{loop.uv(), log};
  Instant now{seconds(1000)};
};

TEST_F(PasswordChecksTest, WithoutAFileNobodyHasAPassword) {
  EXPECT_FALSE(checks.has_users());
  EXPECT_TRUE(use(checks, file));
  EXPECT_TRUE(checks.has_users());
  EXPECT_TRUE(use(checks, {}));
  EXPECT_FALSE(checks.has_users());
}

TEST_F(PasswordChecksTest, TellRightFromWrongInALaterTurn) {
  ASSERT_TRUE(use(checks, file));
  EXPECT_EQ(ask(1, "ann", "secret"), std::nullopt);
  EXPECT_EQ(ask(2, "ann", "guess"), std::nullopt);
  EXPECT_EQ(ask(3, "eve", "secret"), std::nullopt);
  EXPECT_EQ(ask(4, "", ""), std::nullopt);
  EXPECT_THAT(verdicts(), UnorderedElementsAre(Pair(1, Verdict::Good), Pair(2, Verdict::WrongPassword),
                                               Pair(3, Verdict::UnknownUser), Pair(4, Verdict::UnknownUser)));
}

TEST_F(PasswordChecksTest, RememberForAnHourWhatWasRightOnly) {
  ASSERT_TRUE(use(checks, file));
  (void)ask(1, "ann", "secret");
  (void)ask(2, "bob", "guess");
  (void)verdicts();
  EXPECT_EQ(ask(3, "ann", "secret"), Verdict::Good);
  EXPECT_EQ(ask(4, "bob", "guess"), std::nullopt);
  EXPECT_EQ(ask(5, "bob", "secret"), std::nullopt) << "of somebody else";
  (void)verdicts();
  now += minutes(60);
  EXPECT_EQ(ask(6, "ann", "secret"), std::nullopt);
  (void)verdicts();
}

TEST_F(PasswordChecksTest, CheckOnceWhatManyWaitFor) {
  ASSERT_TRUE(use(checks, file));
  for (std::uint64_t i = 1; i <= 300; ++i) (void)ask(i, "ann", "secret");
  EXPECT_EQ(verdicts().size(), 300U);
  EXPECT_EQ(checks.remembered(), 1U);
}

TEST_F(PasswordChecksTest, BeyondTheQueueTheOldestIsToldToComeAgain) {
  ASSERT_TRUE(use(checks, file));
  const std::size_t many = PasswordChecks::kWaitingMax + PasswordChecks::kAtOnce + 1;
  for (std::uint64_t i = 1; i <= many; ++i) (void)ask(i, "ann", "guess " + std::to_string(i));
  EXPECT_EQ(checks.waiting(), PasswordChecks::kWaitingMax);
  const auto all = verdicts();
  EXPECT_EQ(all.size(), many);
  EXPECT_THAT(all, Contains(Pair(PasswordChecks::kAtOnce + 1, Verdict::Overloaded)));
  EXPECT_EQ(std::ranges::count(all, Verdict::Overloaded, &std::pair<std::uint64_t, Verdict>::second), 1);
  EXPECT_THAT(log.lines, ElementsAre(HasSubstr("login.overloaded")));
}

TEST_F(PasswordChecksTest, WhoIsGoneIsNotAnswered) {
  ASSERT_TRUE(use(checks, file));
  for (std::uint64_t i = 1; i <= 4; ++i) (void)ask(i, "ann", std::to_string(i));
  for (std::uint64_t i = 1; i <= 3; ++i) checks.cancel(ConnectionId{i});
  EXPECT_THAT(verdicts(), ElementsAre(Pair(4, Verdict::WrongPassword)));
}

TEST_F(PasswordChecksTest, AFileThatHasChangedHoldsAtOnce) {
  ASSERT_TRUE(use(checks, file));
  (void)ask(1, "ann", "secret");
  (void)verdicts();
  write("bob:" + kSecret + "\n");
  now += PasswordChecks::kLookInterval;
  EXPECT_EQ(ask(2, "ann", "secret"), std::nullopt) << "what was right is forgotten";
  EXPECT_THAT(verdicts(), ElementsAre(Pair(2, Verdict::UnknownUser)));
  EXPECT_THAT(log.lines, ElementsAre(HasSubstr("users.read")));
}

TEST_F(PasswordChecksTest, ABrokenFileChangesNothingAndIsSaidOnce) {
  ASSERT_TRUE(use(checks, file));
  write("ann:" + kSecret + "\nbob\n");
  for (std::uint64_t i = 1; i <= 3; ++i) {
    now += PasswordChecks::kLookInterval;
    (void)ask(i, "ann", "secret");
    EXPECT_THAT(verdicts().size(), i == 1 ? 1U : 0U) << "remembered after the first";
  }
  EXPECT_THAT(log.lines, ElementsAre(HasSubstr("passwords:2: the line is not USER:HASH")));
  std::filesystem::remove(file);
  now += PasswordChecks::kLookInterval;
  EXPECT_EQ(ask(4, "ann", "secret"), Verdict::Good);
  EXPECT_THAT(log.lines, ElementsAre(HasSubstr("passwords:2"), HasSubstr("No such file")));
}

TEST_F(PasswordChecksTest, AFileThatOthersMayReadIsRefusedWithTheCommand) {
  std::filesystem::permissions(file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  const Status status = use(checks, file);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message(), HasSubstr("chmod 600"));
  EXPECT_FALSE(checks.has_users());
}

TEST_F(PasswordChecksTest, AFileWithoutUsersLetsNobodyIn) {
  write("");
  ASSERT_TRUE(use(checks, file));
  EXPECT_TRUE(checks.has_users());
  (void)ask(1, "ann", "secret");
  EXPECT_THAT(verdicts(), ElementsAre(Pair(1, Verdict::UnknownUser)));
}

TEST_F(PasswordChecksTest, EndWhileAThreadStillChecks) {
  auto own = std::make_unique<PasswordChecks>(loop.uv(), log);
  ASSERT_TRUE(use(*own, file));
  (void)own->ask({ConnectionId{1}, "ann", as_bytes("secret")}, now);
  own.reset();
  while (uv_run(&loop.uv(), UV_RUN_ONCE) != 0) {
  }
}

}  // namespace
}  // namespace furrow::gateway
