#include "gateway/cli/secret_scrubber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string scrubbed(std::string_view text) {
  return SecretScrubber().scrub(text);
}

TEST(SecretScrubber, KnownSecretIsReplacedWhereverItStands) {
  SecretScrubber scrubber;
  scrubber.add("hunter2-long");
  EXPECT_EQ(scrubber.scrub("a hunter2-long b\n{\"x\":\"hunter2-long\"}"), "a (redacted) b\n{\"x\":\"(redacted)\"}");
}

TEST(SecretScrubber, SecretIsKnownAlsoAsJsonAndTheLogEscapeIt) {
  SecretScrubber scrubber;
  scrubber.add("pass\"word\x1b");
  EXPECT_EQ(scrubber.scrub(R"(pass\"word\u001b)"), "(redacted)");
  EXPECT_EQ(scrubber.scrub("pass\"word\\u001b"), "(redacted)");
}

TEST(SecretScrubber, LongerSecretGoesFirst) {
  SecretScrubber scrubber;
  scrubber.add("abcd");
  scrubber.add("abcdefgh");
  EXPECT_EQ(scrubber.scrub("abcdefgh abcd"), "(redacted) (redacted)");
}

TEST(SecretScrubber, BeginningOfASecretThatAMessageHasCutGoes) {
  SecretScrubber scrubber;
  scrubber.add("a-very-long-token-that-nobody-shows-whole");
  EXPECT_EQ(scrubber.scrub("a.yaml:3:1: 'a-very-long-tok…' is no address"), "a.yaml:3:1: '(redacted)…' is no address");
  EXPECT_EQ(scrubber.scrub("wait… and see…"), "wait… and see…");
}

TEST(SecretScrubber, TenThousandSecretsTakeOnePass) {
  SecretScrubber scrubber;
  for (int i = 0; i < 10'000; ++i) scrubber.add("word-" + std::to_string(i) + "-of-a-user");
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += "a line of a log with word-7777-of-a-user in it\n";
  const std::string clean = scrubber.scrub(text);
  EXPECT_THAT(clean, ::testing::StartsWith("a line of a log with (redacted) in it\n"));
  EXPECT_EQ(clean.find("word-"), std::string::npos);
}

TEST(SecretScrubber, FilesOfSecretsAreReadLineByLine) {
  SecretScrubber scrubber;
  scrubber.add_lines("ann:$7$101$salt$hash\nbob:0011aabb\n", true);
  EXPECT_EQ(scrubber.scrub("ann $7$101$salt$hash bob 0011aabb"), "ann (redacted) bob (redacted)");
  SecretScrubber keys;
  keys.add_lines("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n", false);
  EXPECT_EQ(keys.scrub("a line of it: MIGHAgEAMBMGByqGSM49"), "a line of it: (redacted)");
}

TEST(SecretScrubber, TooShortToBeToldFromOtherText) {
  SecretScrubber scrubber;
  scrubber.add("abc");
  scrubber.add("");
  EXPECT_EQ(scrubber.known(), 0U);
}

TEST(SecretScrubber, CredentialsOfAUrlGoWhateverTheyAre) {
  EXPECT_EQ(scrubbed("connect: mqtts://ann:p@ss@region.example:8883/mqtt"),
            "connect: mqtts://(redacted)@region.example:8883/mqtt");
  EXPECT_EQ(scrubbed("http://region.example/a@b and mqtt://[::1]:1883"),
            "http://region.example/a@b and mqtt://[::1]:1883");
}

TEST(SecretScrubber, ValueOfAKeyThatIsCalledAfterASecretGoes) {
  EXPECT_EQ(scrubbed("password: hunter2\nx: 1"), "password: (redacted)\nx: 1");
  EXPECT_EQ(scrubbed("{user: a, password: \"hun ter2\", port: 1}"), "{user: a, password: \"(redacted)\", port: 1}");
  EXPECT_EQ(scrubbed(R"({"api_token":"abc","qos":1})"), R"_({"api_token":"(redacted)","qos":1})_");
  EXPECT_EQ(scrubbed("MQTT_PASSWORD=hunter2 next"), "MQTT_PASSWORD=(redacted) next");
}

TEST(SecretScrubber, NamesOfFilesAndUsersStay) {
  for (const std::string_view text :
       {"password_file: passwords", "password_from: region.password", "psk_from: a.psk", "psk_file: sensors.psk",
        "psk_identity: barn-7", "username: ann", "login.failed user=ann reason=wrong_password unlogged=0"}) {
    EXPECT_EQ(scrubbed(text), text);
  }
}

TEST(SecretScrubber, BodyOfAPrivateKeyGoesAndACertificateStays) {
  EXPECT_EQ(scrubbed("a\n-----BEGIN EC PRIVATE KEY-----\nMIGH\nAgEA\n-----END EC PRIVATE KEY-----\nb\n"),
            "a\n-----BEGIN EC PRIVATE KEY-----(redacted)-----END EC PRIVATE KEY-----\nb\n");
  EXPECT_EQ(scrubbed("-----BEGIN PRIVATE KEY-----\nMIGH"), "-----BEGIN PRIVATE KEY-----(redacted)");
  EXPECT_EQ(scrubbed("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"),
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----");
}

TEST(SecretScrubber, WhatIsWrittenByMistakeIsKnownEverywhere) {
  SecretScrubber scrubber;
  scrubber.add_written("bridges:\n  - connect: mqtt://ann:hunter2@far\n    password: s3cret-word\n");
  const std::string clean = scrubber.scrub("furrow.yaml:3:5: unknown key with s3cret-word, and hunter2 of ann");
  EXPECT_THAT(clean, Not(HasSubstr("s3cret-word")));
  EXPECT_THAT(clean, Not(HasSubstr("hunter2")));
  EXPECT_THAT(clean, HasSubstr("of ann"));
}

TEST(SecretScrubber, CommentsAreTakenAwayAndLinesStay) {
  EXPECT_EQ(without_comments("# old password was hunter2\na: \"#1\" # hunter2\nb: c#d\n"), "\na: \"#1\" \nb: c#d\n");
  EXPECT_EQ(without_comments("it's: 1\nx: 2 # gone\n"), "it's: 1\nx: 2 \n");
}

}  // namespace
}  // namespace furrow::gateway
