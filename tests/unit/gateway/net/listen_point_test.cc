// Listeners whose addresses come and go, over real sockets of loopback: all of 127.0.0.0/8 is this machine's.
#include "gateway/net/listen_point.h"

#include <gtest/gtest.h>

#include "gateway/net/event_loop.h"
#include "tests/support/line_log.h"

namespace furrow::gateway {
namespace {

// Nobody's (RFC 5737), so that no machine has it.
constexpr const char* kNowhere = "203.0.113.7";

config::Listener listener_on(std::string_view bind) {
  config::Listener listener;
  listener.bind = *config::parse_bind(bind);
  return listener;
}

class ListenPointTest : public testing::Test {
 protected:
  ~ListenPointTest() override {
    point.reset();
    EXPECT_TRUE(loop.close());
  }

  // Takes what is there, and begins.
  void open(const config::Listener& listener) {
    auto bound = ListenPoint::bind(listener, "field", [this](const std::string&) { return addresses; });
    ASSERT_TRUE(bound) << bound.error().message();
    point = *std::move(bound);
    point->accept(
        loop.uv(), log, stats, [](Descriptor, const SocketAddress&) { return Duration::zero(); },
        [this] { ++changes; });
  }

  // The interface has these now.
  void set(std::vector<std::string> now) {
    addresses = std::move(now);
    point->look();
  }
  // Without the ports.
  std::string hosts() const {
    std::string text;
    std::string all = point->address();
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t comma = std::min(all.find(',', at), all.size());
      text += all.substr(at, all.rfind(':', comma) - at) + ";";
      at = std::min(comma + 2, all.size());
    }
    return text;
  }

  EventLoop loop;
  test::LineLog log;
  LinkStats stats;
  std::vector<std::string> addresses;
  std::unique_ptr<ListenPoint> point;
  int changes = 0;
};

TEST_F(ListenPointTest, ListensOnEveryAddressOfAnInterface) {
  addresses = {"127.0.0.2", "127.0.0.3"};
  open(listener_on("field0:0"));
  EXPECT_EQ(hosts(), "127.0.0.2;127.0.0.3;");
  EXPECT_EQ(point->waiting(), "");
}

TEST_F(ListenPointTest, FollowsAnInterface) {
  open(listener_on("field0:0"));
  EXPECT_EQ(point->waiting(), "the network interface field0 is not there, or has no address");
  EXPECT_EQ(point->address(), "field0:0");
  set({"127.0.0.2"});
  EXPECT_EQ(hosts(), "127.0.0.2;");
  EXPECT_EQ(point->waiting(), "");
  EXPECT_EQ(changes, 1);
  set({"127.0.0.2"});
  EXPECT_EQ(changes, 1) << "nothing has changed";
  const std::string before = point->address();
  set({"127.0.0.2", "127.0.0.3"});
  EXPECT_TRUE(point->address().starts_with(before)) << "what was there stays";
  set({"127.0.0.3"});
  EXPECT_EQ(hosts(), "127.0.0.3;");
  set({});
  EXPECT_NE(point->waiting(), "");
  EXPECT_EQ(changes, 4);
}

TEST_F(ListenPointTest, WaitsForAnAddress) {
  open(listener_on(std::string(kNowhere) + ":0"));
  EXPECT_NE(point->waiting().find("this machine does not have it now"), std::string::npos) << point->waiting();
  EXPECT_EQ(point->address(), "203.0.113.7:0");
  point->look();
  EXPECT_EQ(changes, 0);
}

TEST_F(ListenPointTest, WithoutWaitWhatIsMissingIsAnError) {
  for (const std::string& bind : {std::string(kNowhere) + ":0", std::string("field0:0")}) {
    config::Listener listener = listener_on(bind);
    listener.wait = false;
    EXPECT_FALSE(ListenPoint::bind(listener, "field", [](const auto&) { return std::vector<std::string>(); })) << bind;
  }
}

TEST_F(ListenPointTest, APortThatIsTakenIsAnErrorInAnyCase) {
  open(listener_on("127.0.0.1:0"));
  const auto second = ListenPoint::bind(listener_on(point->address()), "second");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::InUse);
}

TEST_F(ListenPointTest, AnAddressOfAnInterfaceThatCannotBeHadLeavesTheOthers) {
  addresses = {"127.0.0.2", kNowhere};
  open(listener_on("field0:0"));
  EXPECT_EQ(hosts(), "127.0.0.2;");
  EXPECT_EQ(point->waiting(), "");
}

}  // namespace
}  // namespace furrow::gateway
