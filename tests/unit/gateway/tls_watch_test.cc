// Certificates whose files change while the gateway runs, and those that come to their end.
#include "gateway/tls_watch.h"

#include <gtest/gtest.h>

#include "tests/support/line_log.h"
#include "tests/unit/gateway/net/tls_ends.h"

namespace furrow::gateway {
namespace {

class TlsWatchTest : public TlsTest {
 protected:
  TlsWatchTest() {
    auto opened = TlsEntrance::open("lan", listener_, today_);
    EXPECT_TRUE(opened);
    entrance_ = *opened;
    watch_.set({entrance_}, {});
  }

  // What is logged of a look a minute later.
  std::string look() {
    log_.lines.clear();
    now_ += std::chrono::minutes(1);
    watch_.look(now_, today_);
    std::string all;
    for (const std::string& line : log_.lines) all += line + "\n";
    return all;
  }
  const std::string& subject() const { return entrance_->context()->certificate()->subject; }
  test::Identity renewed(WallTime until = test::kToday + std::chrono::days(400)) {
    return issue({.common_names = {"renewed"}, .alternative_names = "DNS:a.example.org", .until = until});
  }

  test::LineLog log_;
  TlsWatch watch_{log_};
  std::shared_ptr<TlsEntrance> entrance_;
  Instant now_ = Instant(std::chrono::hours(1));
};

TEST_F(TlsWatchTest, NewFilesAreTakenOnceTheyFitTogether) {
  EXPECT_EQ(look(), "");
  const test::Identity next = renewed();
  write("server.crt", next.pem());
  EXPECT_NE(look().find("warning tls.not_reloaded listener=lan why=the key "), std::string::npos);
  EXPECT_EQ(subject(), "CN=gateway");
  EXPECT_EQ(look(), "");  // said once
  write("server.key", next.key_pem());
  EXPECT_NE(look().find("info tls.reloaded listener=lan certificate=CN=renewed"), std::string::npos);
  EXPECT_EQ(subject(), "CN=renewed");
}

TEST_F(TlsWatchTest, TheSameContentsAgainAreNoNews) {
  write("server.crt", server_.pem());
  EXPECT_EQ(look(), "");
}

TEST_F(TlsWatchTest, LooksOnceAMinute) {
  (void)look();
  EXPECT_EQ(watch_.next_look(), now_ + std::chrono::minutes(1));
  watch_.set({}, {});
  EXPECT_EQ(watch_.next_look(), kNever);
}

TEST_F(TlsWatchTest, AnEndThatComesNearIsSaidOnceAtEachStep) {
  const std::string near = "warning certificate.expires name=listener lan";
  const auto at = [&](int days) {
    today_ = test::kToday + std::chrono::days(30 - days);
    const std::string said = look();
    return said.empty() ? "" : said.substr(0, said.find(" name="));
  };
  EXPECT_EQ(at(30), "");
  EXPECT_EQ(at(29), "warning certificate.expires");
  EXPECT_EQ(at(20), "");
  EXPECT_EQ(at(6), "warning certificate.expires");
  EXPECT_EQ(at(0), "warning certificate.expires");
  EXPECT_EQ(at(0), "");
  EXPECT_EQ(at(-1), "error certificate.expired");
  EXPECT_EQ(at(-2), "");
  // A new one begins anew.
  const test::Identity next = renewed(today_ + std::chrono::days(5));
  write("server.crt", next.pem());
  write("server.key", next.key_pem());
  const std::string said = look();
  EXPECT_NE(said.find("tls.reloaded"), std::string::npos);
  EXPECT_NE(said.find(near), std::string::npos);
}

TEST_F(TlsWatchTest, TheStatusHasThoseOfBridgesToo) {
  bridge_.name = "region";
  show(issue({.common_names = {"barn"}, .until = test::kToday + std::chrono::days(3)}));
  watch_.set({entrance_}, {bridge_});
  const std::vector<CertificateStatus> all = watch_.certificates(today_);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "listener lan");
  EXPECT_EQ(all[0].days, 30);
  EXPECT_EQ(all[1].name, "bridge region");
  EXPECT_EQ(all[1].subject, "CN=barn");
  EXPECT_EQ(all[1].days, 3);
}

}  // namespace
}  // namespace furrow::gateway
