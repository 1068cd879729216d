// Answers by HTTP as their readers get them: status, fields, body.
#include "gateway/status/web_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "gateway/status/json.h"
#include "gateway/status/metrics.h"

namespace furrow::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;
using Answer = broker::Visitors::Answer;

// `200 OK`
std::string status(const std::string& answer) {
  return answer.substr(9, answer.find('\r') - 9);
}
std::string body(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

StatusModel well() {
  StatusModel model;
  model.listeners = {{.name = "lan", .protocol = "mqtt", .address = "0.0.0.0:1883"}};
  BridgeStatus region{.name = "region", .snapshot = {}};
  region.snapshot.state = bridge::State::Online;
  model.bridges = {region};
  return model;
}

TEST(WebHealth, IsOkWhenAllIsWell) {
  const std::string answer = answer_health({.path = "/healthz"}, well());
  EXPECT_EQ(answer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
            "Content-Length: 3\r\nConnection: close\r\nCache-Control: no-store\r\n"
            "Cross-Origin-Resource-Policy: same-origin\r\n\r\nok\n");
  EXPECT_EQ(body(answer_health({.path = "/healthz", .is_head = true}, well())), "");
}

TEST(WebHealth, NamesTheStoreThatTakesNothing) {
  StatusModel model = well();
  for (const auto& [state, is_well] :
       {std::pair{broker::StoreState::Slow, true}, std::pair{broker::StoreState::Salvaging, true},
        std::pair{broker::StoreState::Full, false}, std::pair{broker::StoreState::ReadOnly, false},
        std::pair{broker::StoreState::Failing, false}}) {
    model.store.health = {.state = state, .reason = "because"};
    const std::string answer = answer_health({.path = "/healthz"}, model);
    EXPECT_EQ(status(answer), is_well ? "200 OK" : "503 Service Unavailable") << name(state);
    EXPECT_EQ(body(answer), is_well ? "ok\n" : "store is " + std::string(name(state)) + ": because\n");
  }
}

TEST(WebHealth, NamesEverythingThatIsWrong) {
  StatusModel model = well();
  model.listeners[0].waiting = "there is no interface wlan0";
  model.timing.late_by = std::chrono::milliseconds(1'500);
  const std::string answer = answer_health({.path = "/healthz"}, model);
  EXPECT_EQ(body(answer),
            "listener lan is waiting: there is no interface wlan0\n"
            "loop was late by 1500 ms\n");
  model.listeners[0].waiting.clear();
  model.timing.late_by = std::chrono::seconds(1);
  EXPECT_EQ(body(answer_health({.path = "/healthz"}, model)), "ok\n");
}

TEST(WebHealth, CountsBridgesWhenAsked) {
  using bridge::State;
  for (const auto& [state, is_well] :
       {std::pair{State::Online, true}, std::pair{State::Draining, true}, std::pair{State::Disabled, true},
        std::pair{State::Connecting, false}, std::pair{State::Stalled, false}, std::pair{State::Backoff, false}}) {
    StatusModel model = well();
    model.bridges[0].snapshot.state = state;
    model.bridges[0].snapshot.reason = "10.0.0.7:1883: connection refused";
    EXPECT_EQ(status(answer_health({.path = "/healthz"}, model)), "200 OK") << "no reason to restart a gateway";
    const std::string answer = answer_health({.path = "/healthz", .query = "x=2&bridges=1"}, model);
    EXPECT_EQ(body(answer), is_well ? "ok\n" : "bridge region is " + std::string(bridge::name(state)) + "\n");
    EXPECT_EQ(status(answer_health({.path = "/healthz", .query = "bridges=0"}, model)), "200 OK");
  }
}

TEST(WebStatus, IsTheDocumentsAsData) {
  const StatusModel model = well();
  const std::string answer = answer_status({.path = "/status"}, model);
  EXPECT_EQ(status(answer), "200 OK");
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-store\r\n"));
  EXPECT_EQ(body(answer), status_json(model) + "\n");
}

TEST(WebMetrics, SayTheVersionOfTheirFormat) {
  const StatusModel model = well();
  const std::string answer = answer_metrics({.path = "/metrics"}, model);
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_EQ(body(answer), metrics_text(model));
}

TEST(WebUnwelcome, IsToldWhatToDo) {
  const std::string unknown = answer_unwelcome({.path = "/status"}, Answer::Unknown);
  EXPECT_EQ(status(unknown), "401 Unauthorized");
  EXPECT_THAT(unknown, HasSubstr("\r\nWWW-Authenticate: Basic realm=\"furrow\", charset=\"UTF-8\"\r\n"));
  const std::string refused = answer_unwelcome({.path = "/status"}, Answer::NotAllowed);
  EXPECT_EQ(status(refused), "403 Forbidden");
  EXPECT_THAT(body(refused), HasSubstr("access.rules"));
  EXPECT_THAT(refused, Not(HasSubstr("WWW-Authenticate")));
  const std::string overloaded = answer_unwelcome({.path = "/status"}, Answer::Overloaded);
  EXPECT_EQ(status(overloaded), "503 Service Unavailable");
  EXPECT_THAT(overloaded, HasSubstr("\r\nRetry-After: 5\r\n"));
}

TEST(WebFiles, AreMissingFromAProgramThatWasBuiltWithoutThem) {
  const std::string answer = answer_file({.path = "/"}, {});
  EXPECT_EQ(status(answer), "200 OK");
  for (const char* part : {"without the status page", "/healthz", "/metrics", "/status"}) {
    EXPECT_THAT(body(answer), HasSubstr(part)) << part;
  }
  EXPECT_EQ(status(answer_file({.path = "/index.html"}, {})), "404 Not Found");
}

class WebFilesTest : public testing::Test {
 protected:
  static constexpr std::array<std::uint8_t, 4> kBytes{0x1f, 0x8b, 0x00, 0x41};
  static constexpr std::array<PageFile, 2> kFiles{
      PageFile{.path = "/", .type = "text/html; charset=utf-8", .etag = "\"one\"", .gzip = kBytes},
      PageFile{.path = "/app.js", .type = "text/javascript", .etag = "\"two\"", .gzip = kBytes}};

  static std::string ask(WebQuestion question) {
    question.takes_gzip = true;
    return answer_file(question, kFiles);
  }
};

TEST_F(WebFilesTest, AreSentAsTheyAreCompressed) {
  const std::string answer = ask({.path = "/app.js"});
  EXPECT_EQ(answer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nX-Content-Type-Options: nosniff\r\n"
            "Content-Length: 4\r\nConnection: close\r\nContent-Encoding: gzip\r\nETag: \"two\"\r\n"
            "Cache-Control: no-cache\r\nCross-Origin-Resource-Policy: same-origin\r\nVary: Accept-Encoding\r\n"
            "Referrer-Policy: no-referrer\r\n"
            "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
            "connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "
            "form-action 'none'\r\n\r\n" +
                std::string(as_text(ByteView(kBytes))));
  EXPECT_EQ(body(ask({.path = "/app.js", .is_head = true})), "");
  EXPECT_EQ(status(ask({.path = "/app.jsx"})), "404 Not Found");
  EXPECT_EQ(status(ask({.path = "//"})), "404 Not Found");
}

TEST_F(WebFilesTest, AreNotSentToWhoHasThem) {
  for (const char* known : {"\"one\"", "W/\"one\"", "\"none\", \"one\"", "*"}) {
    const std::string answer = ask({.path = "/", .if_none_match = known});
    EXPECT_EQ(status(answer), "304 Not Modified") << known;
    EXPECT_EQ(body(answer), "");
    EXPECT_THAT(answer, HasSubstr("\r\nETag: \"one\"\r\n"));
  }
  EXPECT_EQ(status(ask({.path = "/", .if_none_match = "\"two\""})), "200 OK");
  EXPECT_EQ(status(ask({.path = "/", .if_none_match = "one"})), "200 OK");
}

TEST_F(WebFilesTest, AreNotForWhoCannotUnpackThem) {
  const std::string answer = answer_file({.path = "/"}, kFiles);
  EXPECT_EQ(status(answer), "406 Not Acceptable");
  EXPECT_THAT(body(answer), HasSubstr("Accept-Encoding: gzip"));
}

TEST(WebCredentials, AreThoseOfBasic) {
  const auto of = [](std::string_view text) {
    const auto credentials = credentials_of(text);
    return credentials.user ? *credentials.user + "|" + *credentials.password : "none";
  };
  EXPECT_EQ(of(""), "none");
  EXPECT_EQ(of("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Aladdin|open sesame");  // RFC 7617 §2
  EXPECT_EQ(of("BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Aladdin|open sesame");
  EXPECT_EQ(of("Basic dGVzdDoxMjPCow=="), "test|123\xC2\xA3");  // §2.1
  EXPECT_EQ(of("Basic YTpiOmM="), "a|b:c");
  EXPECT_EQ(of("Basic Og=="), "|");
}

TEST(WebCredentials, OfAnotherKindAreOfNobodyAndNotNone) {
  for (const char* other : {"Bearer abc", "Basic", "Basic ", "Basic YWJj", "Basic Y!pi", "basically YTpi", "x"}) {
    const auto credentials = credentials_of(other);
    EXPECT_EQ(credentials.user, "") << other;
    EXPECT_EQ(credentials.password, "") << other;
  }
}

}  // namespace
}  // namespace furrow::gateway
