// Links on their way in over real sockets, at times that the test says.
#include "gateway/net/opening_links.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "gateway/net/event_loop.h"
#include "gateway/net/parting_links.h"
#include "gateway/net/proxy_header.h"
#include "tests/support/line_log.h"
#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

using std::chrono::seconds;

// The other end of a connection.
class OpeningClient final : public TcpStream::Owner {
 public:
  OpeningClient(EventLoop& loop, int descriptor) : stream_(loop.uv(), this) {
    EXPECT_TRUE(stream_.adopt(descriptor));
    stream_.set_reading(true);
  }
  void send(std::string_view text) {
    ByteBuffer bytes;
    bytes.append(text);
    EXPECT_TRUE(stream_.write(bytes));
  }
  void on_read(MutableBytes bytes, bool) override { received += as_text(bytes); }
  void on_written(std::size_t) override {}
  void on_ended(const Error&) override { is_closed = true; }

  std::string received;
  bool is_closed = false;

 private:
  TcpStream stream_;
};

// An owner that keeps what opened, and reads from it.
class Arrived final : public OpeningLinks::Owner, public Channel::Owner {
 public:
  void handle_opened(Channel channel, const Introduction& introduction, Instant accepted) override {
    channel_ = std::move(channel);
    channel_.set_owner(*this);
    peer = introduction.peer;
    address = introduction.address;
    listener = introduction.listener;
    since = accepted;
  }
  void handle_failed(Channel channel) override { parting.add(std::move(channel), time); }
  Instant now() const override { return time; }

  void on_read(MutableBytes bytes, bool) override { received += as_text(bytes); }
  void on_written(std::size_t) override {}
  void on_ended(const Error&) override {}
  void on_failed(const Error&) override {}

  Instant time{seconds(1000)};
  std::string peer;
  std::optional<IpAddress> address;
  std::string listener;
  Instant since;
  std::string received;
  PartingLinks parting;

 private:
  Channel channel_;
};

class OpeningLinksTest : public testing::Test {
 protected:
  // A client whose connection has `layers` upon it.
  std::unique_ptr<OpeningClient> connect(std::vector<std::unique_ptr<Layer>> layers) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    TcpStream stream(loop.uv(), nullptr);
    EXPECT_TRUE(stream.adopt(ends[0]));
    auto client = std::make_unique<OpeningClient>(loop, ends[1]);
    opening.add(Channel(std::move(stream), std::move(layers)), {.peer = "10.0.0.2:9", .listener = "lan"});
    settle();
    return client;
  }
  std::unique_ptr<OpeningClient> connect() { return connect(layers(std::make_unique<ProxyHeaderLayer>())); }
  void settle() {
    for (int turn = 0; turn < 20; ++turn) uv_run(&loop.uv(), UV_RUN_NOWAIT);
  }
  void send(OpeningClient& client, std::string_view text) {
    client.send(text);
    settle();
  }

  EventLoop loop;
  test::LineLog log;
  LinkStats stats;
  RefusalLog refusals{log};
  Arrived arrived;
  OpeningLinks opening{{.max = 3, .patience = seconds(10)}, arrived, stats, refusals};
};

TEST_F(OpeningLinksTest, HandsALinkOnWithThePeerOfItsHeaderAndTheTimeOfAccept) {
  const auto client = connect();
  EXPECT_EQ(opening.size(), 1U);
  arrived.time += seconds(3);
  send(*client, "PROXY TCP4 203.0.113.9 192.0.2.1 40000 1883\r\nCONNECT");
  EXPECT_EQ(opening.size(), 0U);
  EXPECT_EQ(arrived.peer, "203.0.113.9:40000");
  EXPECT_EQ(arrived.address, IpAddress::parse("203.0.113.9"));
  EXPECT_EQ(arrived.listener, "lan");
  EXPECT_EQ(arrived.since, Instant(seconds(1000)));
  EXPECT_EQ(arrived.received, "CONNECT");
  EXPECT_TRUE(log.lines.empty());
}

TEST_F(OpeningLinksTest, PartsWithAMalformedHeaderAndSaysWhoAndWhy) {
  const auto client = connect();
  send(*client, "PROXY TCP4 203.0.113.9 192.0.2.1 40000 65536\r\nCONNECT");
  EXPECT_EQ(opening.size(), 0U);
  EXPECT_EQ(arrived.parting.size(), 1U);
  EXPECT_TRUE(client->is_closed);
  EXPECT_EQ(stats.openings_failed, 1U);
  ASSERT_EQ(log.lines.size(), 1U);
  EXPECT_EQ(log.lines.front(),
            "warning connection.refused listener=lan peer=10.0.0.2:9 why=PROXY header: a port is not a number from 0 "
            "to 65535 "
            "then=closed unlogged=0");
}

TEST_F(OpeningLinksTest, SendsTheLastWordsOfALayerThatGivesUp) {
  const auto client = connect(layers(std::make_unique<TestLayer>("outer"), std::make_unique<TestLayer>("inner")));
  send(*client, "hello outer\n" + framed("GET /"));
  EXPECT_EQ(client->received, "welcome outer\n" + framed("alert") + "bye outer\n");
  EXPECT_TRUE(client->is_closed);
}

TEST_F(OpeningLinksTest, GivesUpAfterItsPatienceWhateverDripsInMeanwhile) {
  const auto client = connect();
  for (const char byte : {'P', 'R', 'O', 'X', 'Y', ' ', 'T', 'C', 'P'}) {
    arrived.time += seconds(1);
    send(*client, std::string(1, byte));
    opening.handle_timeout(arrived.time);
  }
  EXPECT_FALSE(client->is_closed);
  EXPECT_EQ(opening.next_deadline(), Instant(seconds(1010)));
  opening.handle_timeout(Instant(seconds(1010)));
  settle();
  EXPECT_TRUE(client->is_closed);
  EXPECT_EQ(stats.openings_timed_out, 1U);
  EXPECT_EQ(opening.next_deadline(), kNever);
  ASSERT_EQ(log.lines.size(), 1U);
  EXPECT_NE(log.lines.front().find("why=PROXY header: not there in time"), std::string::npos);
}

TEST_F(OpeningLinksTest, TheOldestGivesWayToOneMore) {
  const auto first = connect();
  const auto second = connect();
  const auto third = connect();
  const auto fourth = connect();
  settle();
  EXPECT_EQ(opening.size(), 3U);
  EXPECT_TRUE(first->is_closed);
  EXPECT_FALSE(second->is_closed);
  EXPECT_FALSE(fourth->is_closed);
  EXPECT_EQ(stats.openings_over_limit, 1U);
}

TEST_F(OpeningLinksTest, ForgetsAPeerThatGoesAway) {
  auto client = connect();
  client.reset();
  settle();
  EXPECT_EQ(opening.size(), 0U);
  EXPECT_EQ(stats.openings_failed + stats.openings_timed_out, 0U);
}

TEST_F(OpeningLinksTest, MayOpenAsItIsAdded) {
  // A layer that has nothing to wait for.
  class Ready final : public Layer {
   public:
    std::string_view name() const override { return "ready"; }
    Phase phase() const override { return Phase::Through; }
    Result<MutableBytes> read(MutableBytes& bytes, ByteBuffer&) override { return std::exchange(bytes, {}); }
    Status write(ByteBuffer&, ByteBuffer&) override { return {}; }
  };
  const auto client = connect(layers(std::make_unique<Ready>()));
  EXPECT_EQ(opening.size(), 0U);
  EXPECT_EQ(arrived.peer, "10.0.0.2:9");
}

TEST_F(OpeningLinksTest, ClosesAllOfThemAtAStop) {
  const auto client = connect();
  opening.clear();
  settle();
  EXPECT_TRUE(client->is_closed);
}

}  // namespace
}  // namespace furrow::gateway
