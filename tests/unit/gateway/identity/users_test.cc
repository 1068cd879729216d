#include "gateway/identity/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

const std::string kHash = "$7$101$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::string users_fault(std::string_view text) {
  const auto users = Users::parse(text, "passwords");
  return users ? "none" : users.error().message();
}

TEST(Users, AreReadWithCommentsAndEmptyLines) {
  const auto users = Users::parse("# those of the barn\r\n\r\nann:" + kHash + "\r\nsensor 7:" + kHash, "passwords");
  ASSERT_TRUE(users) << users.error().message();
  EXPECT_EQ(users->size(), 2U);
  EXPECT_NE(users->find("ann"), nullptr);
  EXPECT_NE(users->find("sensor 7"), nullptr);
  EXPECT_EQ(users->find(""), nullptr);
  EXPECT_EQ(users->find("Ann"), nullptr);
}

TEST(Users, AnEmptyFileHasNone) {
  EXPECT_EQ(Users::parse("", "passwords")->size(), 0U);
  EXPECT_EQ(Users::parse("", "passwords")->any(7), nullptr);
}

TEST(Users, AnEmptyNameIsAName) {
  EXPECT_NE(Users::parse(":" + kHash, "passwords")->find(""), nullptr);
}

// In a peer, lines like these once became users without a password.
TEST(Users, ABadLineIsAnErrorOfTheWholeFile) {
  const std::string good = "ann:" + kHash + "\n";
  EXPECT_EQ(users_fault(good + "\nbob\n"), "passwords:3: the line is not USER:HASH, as 'furrow passwd' writes it");
  EXPECT_EQ(users_fault(good + "bob:\n"),
            "passwords:2: user 'bob': there is no hash; passwords are set with 'furrow passwd'");
  EXPECT_EQ(users_fault(good + "bob:secret\n"),
            "passwords:2: user 'bob': there is no hash; passwords are set with 'furrow passwd'");
  EXPECT_EQ(users_fault(good + " \n"), "passwords:2: the line is not USER:HASH, as 'furrow passwd' writes it");
  EXPECT_EQ(users_fault(good + good), "passwords:2: user 'ann': is there twice; take one of the lines away");
  EXPECT_EQ(users_fault("a\x1b[2Jb:" + kHash),
            "passwords:1: user 'a\\u001b[2Jb': the name has a control character in it");
  EXPECT_EQ(users_fault("a\xff:" + kHash), "passwords:1: user 'a\\ufffd': the name is not UTF-8");
}

TEST(Users, MessagesDoNotTellHashesOrPasswords) {
  EXPECT_THAT(users_fault("ann:$6$geheim$geheim"), testing::Not(testing::HasSubstr("geheim")));
  EXPECT_THAT(users_fault("ann:geheim"), testing::Not(testing::HasSubstr("geheim")));
}

TEST(Users, NamesThatCannotStandInTheFileAreTold) {
  EXPECT_EQ(Users::fault_of_name("ann"), "");
  EXPECT_EQ(Users::fault_of_name(""), "");
  EXPECT_NE(Users::fault_of_name("a:b"), "");
  EXPECT_NE(Users::fault_of_name("#a"), "");
  EXPECT_NE(Users::fault_of_name("a\nb"), "");
  EXPECT_NE(Users::fault_of_name(std::string(70'000, 'u')), "");
}

}  // namespace
}  // namespace furrow::gateway
