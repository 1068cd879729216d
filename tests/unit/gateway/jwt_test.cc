#include "gateway/jwt.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <string>

namespace furrow::gateway {
namespace {

constexpr WallTime kEnd{std::chrono::seconds(1'900'000'000)};

std::string base64url(std::string_view text) {
  std::string made((text.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(made.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  made.resize(static_cast<std::size_t>(size));
  while (made.ends_with('=')) made.pop_back();
  for (char& c : made) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return made;
}

std::optional<WallTime> end_of(std::string_view claims) {
  return jwt_end(base64url(R"({"alg":"RS256"})") + "." + base64url(claims) + ".c2lnbmF0dXJl");
}

TEST(Jwt, TheEndIsThatOfItsClaim) {
  EXPECT_EQ(end_of(R"({"exp":1900000000})"), kEnd);
  EXPECT_EQ(end_of(R"( { "iat" : 1, "exp" : 1900000000.7 } )"), kEnd);
  EXPECT_EQ(end_of(R"({"aud":["a","b}"],"x":{"exp":1},"n":null,"s":"\"exp\":2","exp":1.9e9})"), kEnd);
  EXPECT_EQ(end_of(R"({"ü?>":"~~~","exp":1900000000})"), kEnd);
}

TEST(Jwt, WithoutTheClaimThereIsNoEnd) {
  for (const char* claims :
       {"{}", R"({"sub":"exp"})", R"({"x":{"exp":1900000000}})", R"({"exp":"1900000000"})", R"({"exp":-1})",
        R"({"exp":1e300})", R"([{"exp":1}])", R"({"a":]},"exp":1})", R"({"a)", ""}) {
    EXPECT_EQ(end_of(claims), std::nullopt) << claims;
  }
}

TEST(Jwt, APasswordIsNoToken) {
  for (const char* password : {"", "secret", "a.b", "a.b.c.d", "..", "a.!.c", "my.pass.word"}) {
    EXPECT_EQ(jwt_end(password), std::nullopt) << password;
  }
}

}  // namespace
}  // namespace furrow::gateway
