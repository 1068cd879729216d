#include "gateway/identity/password_hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using testing::HasSubstr;

std::string hash_fault(std::string_view text) {
  const auto hash = PasswordHash::parse(text);
  return hash ? "none" : hash.error().message();
}

bool fits(std::string_view text, std::string_view password) {
  const auto hash = PasswordHash::parse(text);
  EXPECT_TRUE(hash) << hash_fault(text);
  return hash && hash->matches(as_bytes(password));
}

TEST(PasswordHash, FitsThePasswordItWasMadeOf) {
  const auto made = PasswordHash::make(as_bytes("secret"));
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->matches(as_bytes("secret")));
  EXPECT_FALSE(made->matches(as_bytes("secre")));
  EXPECT_FALSE(made->matches(as_bytes("")));
  EXPECT_TRUE(fits(made->text(), "secret"));
  EXPECT_THAT(made->text(), testing::StartsWith("$scrypt$ln=14,r=8,p=1$"));
  EXPECT_NE(PasswordHash::make(as_bytes("secret"))->text(), made->text()) << "the salt is another one";
}

TEST(PasswordHash, AnEmptyPasswordIsOneAndZeroesAreBytes) {
  const auto empty = PasswordHash::make({});
  EXPECT_TRUE(empty->matches({}));
  EXPECT_FALSE(empty->matches(as_bytes("x")));
  const auto zeroes = PasswordHash::make(as_bytes(std::string_view("a\0b", 3)));
  EXPECT_TRUE(zeroes->matches(as_bytes(std::string_view("a\0b", 3))));
  EXPECT_FALSE(zeroes->matches(as_bytes("a")));
}

TEST(PasswordHash, IsTheScryptOfOthers) {
  // hashlib.scrypt(b"password", salt=b"NaCl", n=1024, r=8, p=1, dklen=32)
  EXPECT_TRUE(fits("$scrypt$ln=10,r=8,p=1$TmFDbA$J7QYxnTHadElAfux9TusMt9lFMDyjQQ4crFIs0iWGnk", "password"));
}

TEST(PasswordHash, ReadsWhatMosquittoPasswdWrites) {
  // PBKDF2-HMAC-SHA512 of "secret", salt 12 bytes, 101 iterations, 64 bytes
  EXPECT_TRUE(
      fits("$7$101$ZnVycm93LXNhbHQh$4b9d0qRxNR+6QcbVv/"
           "WmqWLeykP05n8Fv0b74rSYfJ+ArXptBF06UFmTD1MhfRpVznZzkYPWCd5OQsCEdpPm5Q==",
           "secret"));
  EXPECT_FALSE(
      fits("$7$101$ZnVycm93LXNhbHQh$4b9d0qRxNR+6QcbVv/"
           "WmqWLeykP05n8Fv0b74rSYfJ+ArXptBF06UFmTD1MhfRpVznZzkYPWCd5OQsCEdpPm5Q==",
           "Secret"));
}

TEST(PasswordHash, SaysWhatIsWrong) {
  EXPECT_THAT(hash_fault("secret"), HasSubstr("there is no hash"));
  EXPECT_THAT(hash_fault(""), HasSubstr("there is no hash"));
  EXPECT_THAT(hash_fault("$6$abc$def"), HasSubstr("guessed too fast"));
  EXPECT_THAT(hash_fault("$argon2id$v=19$m=47104,t=1,p=1$x$y"), HasSubstr("does not know this kind"));
  EXPECT_THAT(hash_fault("$7$101$AAAA"), HasSubstr("is not $7$"));
  EXPECT_THAT(hash_fault("$7$0$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("iterations"));
  EXPECT_THAT(hash_fault("$7$-1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("is not $7$"));
  EXPECT_THAT(hash_fault("$7$999999999$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("iterations"));
  EXPECT_THAT(hash_fault("$7$101$AAAA$AAAA"), HasSubstr("cut short"));
  EXPECT_THAT(hash_fault("$7$101$$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("salt"));
  EXPECT_THAT(hash_fault("$7$101$AA!A$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("base64"));
  EXPECT_THAT(hash_fault("$scrypt$ln=15,r=8,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("16 MiB"));
  EXPECT_THAT(hash_fault("$scrypt$ln=14,r=8,p=9$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("16 MiB"));
  EXPECT_THAT(hash_fault("$scrypt$ln=0,r=8,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("no scrypt"));
  EXPECT_THAT(hash_fault("$scrypt$n=14,r=8,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), HasSubstr("is not $scrypt$"));
}

TEST(PasswordHash, OneLikeAnotherFitsNothing) {
  const auto made = PasswordHash::make(as_bytes("secret"));
  EXPECT_FALSE(made->like_this().matches(as_bytes("secret")));
}

}  // namespace
}  // namespace furrow::gateway
