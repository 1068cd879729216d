#include "broker-core/admission.h"

#include <gtest/gtest.h>

namespace furrow::broker {
namespace {

using mqtt::ReasonCode;
using Name = std::optional<std::string_view>;

// What becomes of a client, in a word.
std::string outcome(const ListenerPolicy& listener, const std::optional<std::string>& vouched, Name user, Name password,
                    bool has_users = true) {
  mqtt::Connect packet;
  packet.username = user;
  if (password) packet.password = as_bytes(*password);
  const Admission admission = judge(&listener, vouched, packet, has_users);
  switch (admission.step) {
    case Admission::Step::Admit:
      return "in as " + (admission.user ? "'" + std::string(*admission.user) + "'" : std::string("nobody"));
    case Admission::Step::Ask:
      return "asked";
    case Admission::Step::Refuse:
      break;
  }
  EXPECT_TRUE(admission.reason == ReasonCode::NotAuthorized || admission.reason == ReasonCode::BadUserNameOrPassword);
  EXPECT_FALSE(admission.why.empty());
  return (admission.reason == ReasonCode::NotAuthorized ? "87 " : "86 ") + std::string(admission.word);
}

constexpr Name kNone;
const ListenerPolicy kOpen{.name = "lan", .anonymous = true};
const ListenerPolicy kClosed{.name = "lan", .anonymous = false};
const ListenerPolicy kBoth{.name = "lan", .anonymous = false, .needs_vouched = true, .needs_password = true};
const ListenerPolicy kVouched{.name = "lan", .anonymous = false, .needs_vouched = true};
const ListenerPolicy kPassword{.name = "lan", .anonymous = false, .needs_password = true};

TEST(Admission, CredentialsThatAreSentAreCheckedWhereAnonymousMay) {
  EXPECT_EQ(outcome(kOpen, {}, kNone, kNone), "in as nobody");
  EXPECT_EQ(outcome(kOpen, {}, "ann", "secret"), "asked");
  EXPECT_EQ(outcome(kOpen, {}, "ann", ""), "asked") << "an empty password is one";
  EXPECT_EQ(outcome(kOpen, {}, "", "secret"), "asked") << "an empty name is one";
  EXPECT_EQ(outcome(kOpen, {}, "ann", kNone), "86 no_password");
  EXPECT_EQ(outcome(kOpen, {}, "", kNone), "86 no_password");
  EXPECT_EQ(outcome(kOpen, {}, kNone, "secret"), "86 no_user");
}

TEST(Admission, WithoutAnonymousSomethingHasToBeProved) {
  EXPECT_EQ(outcome(kClosed, {}, kNone, kNone), "87 no_credentials");
  EXPECT_EQ(outcome(kClosed, {}, "ann", kNone), "86 no_password");
  EXPECT_EQ(outcome(kClosed, {}, "ann", "secret"), "asked");
  EXPECT_EQ(outcome(kClosed, "pump", kNone, kNone), "in as 'pump'");
}

TEST(Admission, WhoIsVouchedForKeepsTheirName) {
  EXPECT_EQ(outcome(kOpen, "pump", kNone, kNone), "in as 'pump'");
  EXPECT_EQ(outcome(kOpen, "pump", "?SDK=Python", kNone), "in as 'pump'") << "a name alone proves nothing";
  EXPECT_EQ(outcome(kOpen, "pump", "pump", "secret"), "asked");
  EXPECT_EQ(outcome(kOpen, "pump", "ann", "secret"), "87 other_user");
  EXPECT_EQ(outcome(kOpen, "", kNone, kNone), "in as ''");
}

TEST(Admission, AllOfWhatIsAskedForHasToSucceed) {
  EXPECT_EQ(outcome(kVouched, {}, "ann", "secret"), "87 not_vouched");
  EXPECT_EQ(outcome(kVouched, "pump", kNone, kNone), "in as 'pump'");
  EXPECT_EQ(outcome(kPassword, "pump", kNone, kNone), "87 no_credentials");
  EXPECT_EQ(outcome(kPassword, "pump", "pump", kNone), "86 no_password");
  EXPECT_EQ(outcome(kBoth, "pump", kNone, kNone), "87 no_credentials");
  EXPECT_EQ(outcome(kBoth, {}, "pump", "secret"), "87 not_vouched");
  EXPECT_EQ(outcome(kBoth, "pump", "ann", "secret"), "87 other_user");
  EXPECT_EQ(outcome(kBoth, "pump", "pump", "secret"), "asked");
}

TEST(Admission, WithoutUsersThereIsNothingToCheck) {
  EXPECT_EQ(outcome(kOpen, {}, "ann", "secret", false), "in as nobody");
  EXPECT_EQ(outcome(kOpen, "pump", "ann", "secret", false), "in as 'pump'");
  EXPECT_EQ(outcome(kClosed, {}, "ann", "secret", false), "87 no_credentials");
  EXPECT_EQ(outcome(kPassword, {}, "ann", "secret", false), "87 no_credentials");
}

TEST(Admission, NobodyComesByAListenerThatIsGone) {
  const Admission admission = judge(nullptr, "pump", {}, true);
  EXPECT_EQ(admission.step, Admission::Step::Refuse);
  EXPECT_EQ(admission.word, "listener_gone");
}

}  // namespace
}  // namespace furrow::broker
