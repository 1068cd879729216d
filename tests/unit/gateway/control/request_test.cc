#include "gateway/control/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using namespace std::chrono_literals;

using ::testing::HasSubstr;

std::string why_refused(std::string_view line) {
  const auto request = parse_request(line);
  return request ? "taken" : request.error().message();
}

TEST(Request, IsReadAsItWasWritten) {
  const ControlRequest request{.command = ControlCommand::BridgePause, .bridge = "region \"1\"\n", .length = 7200s};
  const std::string line = write_request(request);
  EXPECT_EQ(line, R"({"command":"bridge.pause","bridge":"region \"1\"\u000a","for_s":7200})");
  const auto read = parse_request(line);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->command, ControlCommand::BridgePause);
  EXPECT_EQ(read->bridge, "region \"1\"\n");
  EXPECT_EQ(read->length, 7200s);
}

TEST(Request, FieldOfAnotherCommandIsRefused) {
  EXPECT_THAT(why_refused(R"({"command":"retained.delete","filter":"#","newer_s":5})"),
              HasSubstr("retained.delete does not know 'newer_s'"));
  EXPECT_THAT(why_refused(R"({"command":"clients.list","older_s":5})"),
              HasSubstr("clients.list does not know 'older_s'"));
}

TEST(Request, MissingFieldIsNamed) {
  EXPECT_THAT(why_refused(R"({"command":"clients.kick"})"), HasSubstr("needs 'client'"));
  EXPECT_THAT(why_refused(R"({"command":"bridge.use","bridge":"region"})"), HasSubstr("needs 'address'"));
  EXPECT_THAT(why_refused(R"({"command":"retained.delete"})"), HasSubstr("needs 'filter'"));
}

TEST(Request, WrongValuesAreRefused) {
  EXPECT_THAT(why_refused(R"({"command":"clients.kick","client":7})"), HasSubstr("client: is to be a text"));
  EXPECT_THAT(why_refused(R"({"command":"clients.kick","client":""})"), HasSubstr("client: is empty"));
  EXPECT_THAT(why_refused(R"({"command":"bridge.pause","bridge":"r","for_s":0})"), HasSubstr("for_s: is out of range"));
  EXPECT_THAT(why_refused(R"({"command":"bridge.pause","bridge":"r","for_s":-1})"),
              HasSubstr("for_s: is to be a whole"));
  EXPECT_THAT(why_refused(R"({"command":"bridge.pause","bridge":"r","for_s":1e9})"),
              HasSubstr("for_s: is to be a whole"));
  EXPECT_THAT(why_refused(R"({"command":"retained.list","filter":"a/#/b"})"),
              HasSubstr("'a/#/b' is not a topic filter"));
}

TEST(Request, LineThatIsNoRequestIsRefused) {
  for (const std::string_view line : {"", "hello", "[]", "7", "{", "{\"command\":\"clients.list\"", "\xff"}) {
    EXPECT_THAT(why_refused(line), HasSubstr("JSON object")) << line;
  }
  EXPECT_THAT(why_refused("{}"), HasSubstr("has no 'command'"));
  EXPECT_THAT(why_refused(R"({"command":"reboot\u001b"})"), HasSubstr("there is no command 'reboot\\u001b'"));
}

TEST(Request, TraceSaysOnlyWhatItIsAbout) {
  const std::string line = write_request({.command = ControlCommand::Trace, .client = "sensor", .payload = true});
  EXPECT_EQ(line, R"({"command":"trace","client":"sensor","filter":"#","payload":true})");
  const auto read = parse_request(line);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->client, "sensor");
  EXPECT_TRUE(read->bridge.empty());
  EXPECT_TRUE(read->payload);
  EXPECT_THAT(why_refused(R"({"command":"trace","payload":1})"), HasSubstr("payload: is to be true or false"));
  EXPECT_THAT(why_refused(R"({"command":"clients.list","payload":true})"), HasSubstr("does not know 'payload'"));
}

}  // namespace
}  // namespace furrow::gateway
