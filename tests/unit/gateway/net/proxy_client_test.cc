// The way through a proxy, of both kinds: at every split of what it answers, and what it may refuse.
#include "gateway/net/proxy_client.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

using namespace std::string_literals;

const ProxyTarget kTarget{"far.example.org", 8883};
const std::optional<ProxyLogin> kNobody;
const std::optional<ProxyLogin> kAnn = ProxyLogin{"ann", "secret"};

// A layer, what it has said to the proxy, and what came through it.
class ProxyEnd {
 public:
  explicit ProxyEnd(std::unique_ptr<Layer> layer) : layer_(std::move(layer)) { EXPECT_TRUE(layer_->begin(below_)); }

  // What came through, or what is wrong.
  std::string read(std::string raw) {
    MutableBytes bytes = mutable_bytes(raw);
    std::string text;
    while (true) {
      const auto piece = layer_->read(bytes, below_);
      if (!piece) return text + "!" + piece.error().message();
      if (piece->empty()) break;
      text += as_text(*piece);
    }
    EXPECT_TRUE(bytes.empty());
    return text;
  }
  std::string said() {
    std::string text(as_text(below_.view()));
    below_.clear();
    return text;
  }
  bool is_open() const { return layer_->phase() == Layer::Phase::Through; }

 private:
  std::unique_ptr<Layer> layer_;
  ByteBuffer below_;
};

ProxyEnd http(const std::optional<ProxyLogin>& login = kNobody, ProxyTarget target = kTarget) {
  return ProxyEnd(std::make_unique<HttpProxyLayer>(std::move(target), login));
}
ProxyEnd socks(const std::optional<ProxyLogin>& login = kNobody, ProxyTarget target = kTarget) {
  return ProxyEnd(std::make_unique<SocksProxyLayer>(std::move(target), login));
}

TEST(HttpProxy, AsksForTheFarSideByItsName) {
  EXPECT_EQ(http().said(), "CONNECT far.example.org:8883 HTTP/1.1\r\nHost: far.example.org:8883\r\n\r\n");
  EXPECT_EQ(http(kNobody, {"fe80::1%eth0", 1883}).said(),
            "CONNECT [fe80::1]:1883 HTTP/1.1\r\nHost: [fe80::1]:1883\r\n\r\n");
}

TEST(HttpProxy, SaysWhoWeAre) {
  EXPECT_NE(http(kAnn).said().find("\r\nProxy-Authorization: Basic YW5uOnNlY3JldA==\r\n"), std::string::npos);
}

TEST(HttpProxy, OpensAtEverySplitAndLeavesWhatFollows) {
  const std::string answer = "HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\nbytes\r\n";
  for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
    ProxyEnd end = http();
    const std::string through = end.read(answer.substr(0, cut)) + end.read(answer.substr(cut));
    EXPECT_EQ(through, "bytes\r\n") << cut;
    EXPECT_TRUE(end.is_open());
  }
}

TEST(HttpProxy, ARefusalNamesTheKeysToLookAt) {
  const auto refused = [](const std::string& status, const std::optional<ProxyLogin>& login = kNobody) {
    return http(login).read("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n");
  };
  EXPECT_EQ(
      refused("407 Proxy Authentication Required"),
      "!it asks who we are (407): name a user in proxy (http://USER@HOST:PORT), and the file with its password in "
      "proxy_password_from");
  EXPECT_EQ(refused("407 Proxy Authentication Required", kAnn),
            "!it does not let user ann in (407): look at proxy and proxy_password_from");
  EXPECT_EQ(refused("403 Forbidden"),
            "!it answers HTTP 403 Forbidden: its rules do not allow connections to far.example.org:8883");
  EXPECT_EQ(refused("502 Bad Gateway"), "!it answers HTTP 502 Bad Gateway: it cannot reach far.example.org:8883");
  EXPECT_EQ(refused("301 Moved"), "!it answers HTTP 301 Moved to CONNECT: look at proxy");
}

TEST(HttpProxy, WhoeverSpeaksSomethingElseIsNoProxy) {
  EXPECT_EQ(http().read("SSH-2.0-OpenSSH_9.2\r\n").substr(0, 26), "!it does not speak HTTP (n");
  EXPECT_EQ(http().read("\x05\x00"s).substr(0, 26), "!it does not speak HTTP (n");
}

TEST(SocksProxy, AsksForTheFarSideByItsName) {
  ProxyEnd end = socks();
  EXPECT_EQ(end.said(), "\x05\x01\x00"s);
  EXPECT_EQ(end.read("\x05\x00"s), "");
  EXPECT_EQ(end.said(), "\x05\x01\x00\x03\x0f"s + "far.example.org" + "\x22\xb3"s);
}

TEST(SocksProxy, AsksForAnAddressAsSuch) {
  const auto asked = [](const std::string& host) {
    ProxyEnd end = socks(kNobody, {host, 258});
    (void)end.said();
    (void)end.read("\x05\x00"s);
    return end.said();
  };
  EXPECT_EQ(asked("192.0.2.1"), "\x05\x01\x00\x01\xc0\x00\x02\x01\x01\x02"s);
  EXPECT_EQ(asked("fe80::1%eth0"), "\x05\x01\x00\x04\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x02"s);
}

TEST(SocksProxy, LogsInWhereItIsAskedTo) {
  ProxyEnd end = socks(kAnn);
  EXPECT_EQ(end.said(), "\x05\x02\x00\x02"s);
  EXPECT_EQ(end.read("\x05\x02"s), "");
  EXPECT_EQ(end.said(), "\x01\x03"s + "ann" + "\x06" + "secret");
  EXPECT_EQ(end.read("\x01\x00"s), "");
  EXPECT_EQ(end.said().substr(0, 4), "\x05\x01\x00\x03"s);
}

TEST(SocksProxy, OpensAtEverySplitAndLeavesWhatFollows) {
  for (const std::string& address : {"\x01\x00\x00\x00\x00"s, "\x04"s + std::string(16, 'a'), "\x03\x02hi"s}) {
    const std::string answer = "\x05\x00"s + "\x05\x00\x00"s + address + "\x00\x50"s + "bytes";
    for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
      ProxyEnd end = socks();
      const std::string through = end.read(answer.substr(0, cut)) + end.read(answer.substr(cut));
      EXPECT_EQ(through, "bytes") << cut;
      EXPECT_TRUE(end.is_open());
    }
  }
}

TEST(SocksProxy, ARefusalNamesTheKeysToLookAt) {
  EXPECT_EQ(
      socks().read("\x05\xff"s),
      "!it asks who we are (no method of SOCKS5 that it takes): name a user in proxy (http://USER@HOST:PORT), and "
      "the file with its password in proxy_password_from");
  EXPECT_EQ(socks(kAnn).read("\x05\x02\x01\x01"s),
            "!it does not let user ann in (status 1): look at proxy and proxy_password_from");
  EXPECT_EQ(socks().read("\x05\x02"s), "!it chose a way to log in that was not offered: look at proxy");
  EXPECT_EQ(socks().read("\x05\x00\x05\x05"s), "!it does not connect to far.example.org:8883: connection refused (5)");
  EXPECT_EQ(socks().read("\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"s),
            "!it does not connect to far.example.org:8883: not allowed by its rules (2)");
}

TEST(SocksProxy, WhoeverSpeaksSomethingElseIsNoProxy) {
  EXPECT_EQ(socks().read("HTTP/1.1 400 Bad Request\r\n"), "!it does not speak SOCKS5: look at proxy");
  EXPECT_EQ(socks().read("\x05\x00\x05\x00\x00\x07\x01"s), "!it does not speak SOCKS5: look at proxy");
  EXPECT_EQ(socks(kAnn).read("\x05\x02\x05\x00"s), "!it does not speak SOCKS5: look at proxy");
}

TEST(SocksProxy, ALongPasswordIsRefusedBeforeAnythingIsSaid) {
  ByteBuffer below;
  SocksProxyLayer layer(kTarget, ProxyLogin{"ann", std::string(256, 'x')});
  EXPECT_FALSE(layer.begin(below));
  EXPECT_TRUE(below.empty());
}

}  // namespace
}  // namespace furrow::gateway
