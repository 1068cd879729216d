// Who may ask for what: every part of a request left out or made wrong, and origins compared as a whole.
#include "gateway/net/web_request.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

// A request as a browser sends it, with some fields changed; an empty text leaves one out.
struct Asked {
  std::string method = "GET";
  std::string target = "/mqtt";
  std::string version = "1.1";
  std::map<std::string, std::string> fields = {{"Host", "127.0.0.1:8083"},
                                               {"Upgrade", "websocket"},
                                               {"Connection", "Upgrade"},
                                               {"Sec-WebSocket-Version", "13"},
                                               {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                               {"Sec-WebSocket-Protocol", "mqtt"}};
  std::string more;  // of lines

  Asked with(const std::string& name, const std::string& value) const {
    Asked changed = *this;
    changed.fields[name] = value;
    return changed;
  }
  std::string text() const {
    std::string all = method + " " + target + " HTTP/" + version + "\r\n" + more;
    for (const auto& [name, value] : fields) {
      if (!value.empty()) all += name + ": " + value + "\r\n";
    }
    return all + "\r\n";
  }
};

WebJudgement judged(const Asked& asked, const WebSite& site = {}) {
  std::string text = asked.text();
  MutableBytes bytes = mutable_bytes(text);
  HttpHeadReader reader(HttpHeadReader::Kind::Request);
  EXPECT_EQ(reader.read(bytes), HttpHeadReader::State::Whole) << text;
  return judge_web_request(reader.head(), site);
}

// 101, or the status of the refusal.
unsigned status(const Asked& asked, const WebSite& site = {}) {
  const WebJudgement judgement = judged(asked, site);
  return judgement.request ? 101 : judgement.refusal.status;
}

// A listener for a network, with a dashboard that is somewhere else.
WebSite open_site() {
  WebSite site;
  site.is_loopback = false;
  site.own_names = {"barn", "barn.local"};
  site.origins = {*WebOrigin::parse("https://dash.example.com"), *WebOrigin::parse("http://dash.example.com:3000")};
  return site;
}

TEST(WebRequest, AsksForMqttByWebSocket) {
  const WebJudgement judgement = judged(Asked());
  ASSERT_TRUE(judgement.request);
  EXPECT_EQ(judgement.request->subprotocol, "mqtt");
  EXPECT_EQ(judgement.request->key, "dGhlIHNhbXBsZSBub25jZQ==");
  Asked with_query;
  with_query.target = "/mqtt?site=7";
  EXPECT_EQ(status(with_query), 101);
}

TEST(WebRequest, NeedsEveryPartOfTheUpgrade) {
  EXPECT_EQ(status(Asked().with("Upgrade", "")), 426);
  EXPECT_EQ(status(Asked().with("Upgrade", "h2c")), 426);
  EXPECT_EQ(status(Asked().with("Upgrade", "h2c, WebSocket")), 101);
  EXPECT_EQ(status(Asked().with("Connection", "")), 400);
  EXPECT_EQ(status(Asked().with("Connection", "keep-alive, Upgrade")), 101);
  EXPECT_EQ(status(Asked().with("Sec-WebSocket-Key", "")), 400);
  EXPECT_EQ(status(Asked().with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=")), 400);
  EXPECT_EQ(status(Asked().with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j!Q==")), 400);
  for (const std::string version : {"", "8", "14", "1", "130", "13, 8"}) {
    const WebJudgement judgement = judged(Asked().with("Sec-WebSocket-Version", version));
    EXPECT_EQ(judgement.refusal.status, 426) << version;
    EXPECT_NE(judgement.more_fields.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos);
  }
  Asked old;
  old.version = "1.0";
  EXPECT_EQ(status(old), 400);
}

TEST(WebRequest, NeedsASubProtocolOfMqtt) {
  EXPECT_EQ(judged(Asked().with("Sec-WebSocket-Protocol", "mqttv3.1")).request->subprotocol, "mqttv3.1");
  EXPECT_EQ(judged(Asked().with("Sec-WebSocket-Protocol", "mqtt, mqttv3.1")).request->subprotocol, "mqtt");
  EXPECT_EQ(judged(Asked().with("Sec-WebSocket-Protocol", "chat,mqttv3.1 , mqtt")).request->subprotocol, "mqtt");
  for (const std::string offered : {"", "chat", "mqt", "mqttv", "mqttv3.1.1", "mqtt mqttv3.1", "MQTT"}) {
    EXPECT_EQ(status(Asked().with("Sec-WebSocket-Protocol", offered)), 400) << offered;
  }
  Asked in_two = Asked().with("Sec-WebSocket-Protocol", "chat");
  in_two.more = "Sec-WebSocket-Protocol: mqtt\r\n";
  EXPECT_EQ(status(in_two), 101);
}

TEST(WebRequest, OfAnotherPathIsAQuestion) {
  for (const std::string path : {"/", "/mqt", "/mqtt/", "/mqttx", "//mqtt", "/MQTT", "/status", "/?/mqtt"}) {
    Asked asked;
    asked.target = path;
    const WebJudgement judgement = judged(asked);
    ASSERT_TRUE(judgement.question) << path;
    EXPECT_FALSE(judgement.request);
    EXPECT_EQ(judgement.question->path, path.substr(0, path.find('?')));
    EXPECT_FALSE(judgement.question->is_head);
    EXPECT_EQ(judgement.question->authorization, "");
  }
  Asked absolute;
  absolute.target = "http://127.0.0.1:8083/mqtt";
  EXPECT_EQ(status(absolute), 404);
}

TEST(WebRequest, GivesTheQuestionWhatItsFieldsSay) {
  Asked asked = Asked().with("Authorization", "Basic YTpi").with("If-None-Match", "\"7\"");
  asked.method = "HEAD";
  asked.target = "/healthz?bridges=1?";
  asked.version = "1.0";
  const WebQuestion question = judged(asked).question.value();
  EXPECT_EQ(question.path, "/healthz");
  EXPECT_EQ(question.query, "bridges=1?");
  EXPECT_EQ(question.authorization, "Basic YTpi");
  EXPECT_EQ(question.if_none_match, "\"7\"");
  EXPECT_TRUE(question.is_head);
  asked.more = "Authorization: Basic YTpj\r\n";
  EXPECT_EQ(status(asked), 400);
}

TEST(WebRequest, SaysWhetherTheAnswerMayBeCompressed) {
  const auto takes_gzip = [](const std::string& coding) {
    Asked asked = Asked().with("Accept-Encoding", coding);
    asked.target = "/";
    return judged(asked).question->takes_gzip;
  };
  for (const std::string coding : {"gzip", "deflate, GZIP", "br;q=1.0, gzip;q=0.8", "*", "gzip;q=1"}) {
    EXPECT_TRUE(takes_gzip(coding)) << coding;
  }
  for (const std::string coding : {"", "identity", "gzip;q=0", "x-gzip", "deflate"}) {
    EXPECT_FALSE(takes_gzip(coding)) << coding;
  }
}

TEST(WebRequest, ForMqttIsNoHead) {
  Asked asked;
  asked.method = "HEAD";
  EXPECT_EQ(status(asked), 405);
}

TEST(WebRequest, HasOneHost) {
  EXPECT_EQ(status(Asked().with("Host", "")), 400);
  EXPECT_EQ(status(Asked().with("Host", "a b")), 400);
  EXPECT_EQ(status(Asked().with("Host", "user@127.0.0.1")), 400);
  EXPECT_EQ(status(Asked().with("Host", "[::1")), 400);
  Asked twice;
  twice.more = "Host: 127.0.0.1\r\n";
  EXPECT_EQ(status(twice), 400);
}

TEST(WebOrigins, WithoutOneClientsAreNoBrowsers) {
  EXPECT_EQ(status(Asked()), 101);
  EXPECT_EQ(status(Asked().with("Host", "whatever.example"), open_site()), 101);
}

TEST(WebOrigins, AreComparedAsAWhole) {
  const WebSite site = open_site();
  const auto from = [&](const std::string& origin) { return status(Asked().with("Origin", origin), site); };
  EXPECT_EQ(from("https://dash.example.com"), 101);
  EXPECT_EQ(from("HTTPS://Dash.Example.COM"), 101);
  EXPECT_EQ(from("https://dash.example.com:443"), 101);
  EXPECT_EQ(from("http://dash.example.com:3000"), 101);
  for (const std::string wrong :
       {"https://dash.example.co", "https://dash.example.comm", "https://dash.example.com.evil.example",
        "https://evil.example/https://dash.example.com", "https://xdash.example.com", "https://dash.example.com:444",
        "https://dash.example.com:", "https://dash.example.com/", "https://dash.example.com@evil.example",
        "https://dash.example.com:443@evil.example", "http://dash.example.com", "http://dash.example.com:300", "https",
        "https://", "://dash.example.com", "null", "file://", "*", "https://dash.example.com, null"}) {
    EXPECT_EQ(from(wrong), 403) << wrong;
  }
  Asked twice = Asked().with("Origin", "https://evil.example");
  twice.more = "Origin: https://dash.example.com\r\n";
  EXPECT_EQ(status(twice, site), 403);
  Asked empty;
  empty.more = "Origin:\r\n";
  EXPECT_EQ(status(empty, site), 403);
}

TEST(WebOrigins, OfTheListenerItselfAreAllowed) {
  const auto same = [](const std::string& host, const std::string& origin, const WebSite& site) {
    return status(Asked().with("Host", host).with("Origin", origin), site);
  };
  WebSite plain;
  EXPECT_EQ(same("127.0.0.1:8083", "http://127.0.0.1:8083", plain), 101);
  EXPECT_EQ(same("LocalHost:8083", "http://localhost:8083", plain), 101);
  EXPECT_EQ(same("[::1]:8083", "http://[::1]:8083", plain), 101);
  EXPECT_EQ(same("127.0.0.1", "http://127.0.0.1:80", plain), 101);
  EXPECT_EQ(same("127.0.0.1:8083", "http://127.0.0.1:8084", plain), 403);
  EXPECT_EQ(same("127.0.0.1:8083", "http://127.0.0.1", plain), 403);
  EXPECT_EQ(same("127.0.0.1:8083", "https://127.0.0.1:8083", plain), 101) << "paho-mqtt says so in any case";
  EXPECT_EQ(same("127.0.0.1:8083", "ftp://127.0.0.1:8083", plain), 403);
  EXPECT_EQ(same("127.0.0.1:8083", "http://localhost:8083", plain), 403);
  EXPECT_EQ(same("127.0.0.1", "https://127.0.0.1", plain), 101);
  EXPECT_EQ(same("127.0.0.1:443", "https://127.0.0.1", plain), 101);
  EXPECT_EQ(same("127.0.0.1:443", "http://127.0.0.1", plain), 403);
}

// A page of evil.example, whose name server says that evil.example is 192.168.4.20, or 127.0.0.1.
TEST(WebOrigins, OfARebornNameAreRefused) {
  const Asked reborn = Asked().with("Host", "evil.example:8083").with("Origin", "http://evil.example:8083");
  EXPECT_EQ(status(reborn), 403);
  EXPECT_EQ(status(reborn, open_site()), 403);
  // On loopback no page is asked for under such a name either, though a browser sends no Origin for that.
  EXPECT_EQ(status(Asked().with("Host", "evil.example:8083")), 403);
  for (const std::string own : {"barn:8083", "Barn.local:8083", "dash.example.com:8083", "barn.local.:8083"}) {
    EXPECT_EQ(status(Asked().with("Host", own).with("Origin", "http://" + own), open_site()), 101) << own;
  }
  for (const std::string other : {"bar", "barn.locale", "xbarn", "127.0.0.1.evil.example", "localhost.evil.example"}) {
    EXPECT_EQ(status(Asked().with("Host", other).with("Origin", "http://" + other), open_site()), 403) << other;
  }
}

// No Origin is sent by a page that asks its own site; and a page that was given a new address asks for data at once.
TEST(WebOrigins, QuestionsAreAskedUnderAnOwnNameAlone) {
  for (const std::string path : {"/", "/status", "/metrics", "/healthz", "/nothing"}) {
    for (const std::string method : {"GET", "HEAD"}) {
      Asked asked;
      asked.method = method;
      asked.target = path;
      for (const WebSite& site : {WebSite{}, open_site()}) {
        EXPECT_TRUE(judged(asked, site).question);
        EXPECT_TRUE(judged(asked.with("Host", "localhost:8083"), site).question);
        EXPECT_TRUE(judged(asked.with("Origin", "http://127.0.0.1:8083"), site).question);
        EXPECT_EQ(status(asked.with("Host", "evil.example"), site), 403);
        EXPECT_EQ(status(asked.with("Host", "evil.example").with("Origin", "http://evil.example"), site), 403);
        EXPECT_EQ(status(asked.with("Origin", "https://evil.example"), site), 403);
        EXPECT_EQ(status(asked.with("Origin", "null"), site), 403);
      }
      EXPECT_TRUE(judged(asked.with("Host", "barn.local"), open_site()).question);
      EXPECT_TRUE(judged(asked.with("Host", "dash.example.com"), open_site()).question);
      EXPECT_EQ(status(asked.with("Host", "evil.example").with("Origin", "https://dash.example.com"), open_site()),
                403);
    }
  }
}

TEST(WebStranger, IsNamedByItsFirstBytes) {
  EXPECT_STREQ(judge_web_stranger("\x10\x0c", false), "speaks MQTT without WebSocket: this listener takes WebSocket");
  EXPECT_STREQ(judge_web_stranger("\x16", false), "speaks TLS: this listener takes WebSocket without it (ws://)");
  EXPECT_NE(judge_web_stranger("PROXY ", false), nullptr);
  EXPECT_EQ(judge_web_stranger("GET /", false), nullptr);
  EXPECT_EQ(judge_web_stranger("", false), nullptr);
}

}  // namespace
}  // namespace furrow::gateway
