// Channels over real sockets: who is told what, and that nothing breaks when the owner goes in the middle.
#include "gateway/net/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <string>

#include "gateway/net/event_loop.h"
#include "gateway/net/layer_stack.h"
#include "gateway/net/proxy_header.h"
#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

const std::string kHello = "hello near\n";

class Near final : public Channel::Owner {
 public:
  void on_opened(const LayerStack& layers) override {
    Introduction introduction;
    layers.introduce(introduction);
    events += "opened" + introduction.peer + ";";
    if (then) then();
  }
  void on_read(MutableBytes bytes, bool dry) override {
    received += as_text(bytes);
    was_dry = dry;
    if (then) then();
  }
  void on_written(std::size_t bytes) override { written += bytes; }
  void on_ended(const Error& why) override { events += why.message() + ";"; }
  void on_failed(const Error& why) override { events += why.message() + ";"; }

  std::function<void()> then;  // in every call that may destroy the channel
  std::string events;
  std::string received;
  std::size_t written = 0;
  bool was_dry = false;
};

class Far final : public TcpStream::Owner {
 public:
  void on_read(MutableBytes bytes, bool) override { received += as_text(bytes); }
  void on_written(std::size_t) override {}
  void on_ended(const Error& why) override { ended = why.message(); }

  std::string received;
  std::string ended;
};

// One channel, with `layers` upon it, and a plain stream at its other end.
class ChannelTest : public testing::Test {
 protected:
  void open(std::vector<std::unique_ptr<Layer>> layers) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    TcpStream stream(loop.uv(), nullptr);
    ASSERT_TRUE(stream.adopt(ends[0]));
    channel = Channel(std::move(stream), std::move(layers));
    channel.set_owner(near);
    channel.set_reading(true);
    ASSERT_TRUE(other_end.adopt(ends[1]));
    other_end.set_reading(true);
  }

  // The far end sends `text`; until nothing more happens.
  void send(std::string_view text) {
    ByteBuffer bytes;
    bytes.append(text);
    ASSERT_TRUE(other_end.write(bytes));
    settle();
  }
  std::size_t write(std::string_view text) {
    ByteBuffer bytes;
    bytes.append(text);
    const auto taken = channel.write(bytes);
    EXPECT_TRUE(taken);
    EXPECT_TRUE(bytes.empty());
    return taken ? *taken : 0;
  }
  // A job on the pool takes an unknown while; sockets do not.
  void settle() {
    for (int turn = 0; turn < 20; ++turn) uv_run(&loop.uv(), UV_RUN_NOWAIT);
  }
  void wait_for(const std::function<bool()>& condition) {
    while (!condition()) uv_run(&loop.uv(), UV_RUN_ONCE);
  }

  EventLoop loop;
  Near near;
  Far far;
  Channel channel;
  TcpStream other_end{loop.uv(), &far};
};

TEST_F(ChannelTest, WithoutLayersIsItsStream) {
  open({});
  EXPECT_TRUE(channel.is_open());
  send("CONNECT");
  EXPECT_EQ(near.received, "CONNECT");
  EXPECT_TRUE(near.was_dry);
  EXPECT_EQ(write("CONNACK"), 7U);
  settle();
  EXPECT_EQ(far.received, "CONNACK");
  EXPECT_EQ(near.events, "");
}

TEST_F(ChannelTest, SaysThatItsLayersAreOpenAndOnlyThenWhatComes) {
  open(layers(std::make_unique<TestLayer>("near")));
  EXPECT_FALSE(channel.is_open());
  EXPECT_EQ(channel.opening(), "near");
  send(kHello.substr(0, 5));
  EXPECT_EQ(near.events, "");
  send(kHello.substr(5) + framed("CONNECT"));
  EXPECT_TRUE(channel.is_open());
  EXPECT_EQ(near.events, "opened by near;");
  EXPECT_EQ(near.received, "CONNECT");
  EXPECT_TRUE(near.was_dry);
  EXPECT_EQ(far.received, "welcome near\n");
}

TEST_F(ChannelTest, WrapsWhatItWritesAndCountsTheBytesOfItsOwner) {
  open(layers(std::make_unique<TestLayer>("near")));
  send(kHello);
  EXPECT_EQ(write("a long CONNACK"), 14U);
  settle();
  EXPECT_EQ(far.received, "welcome near\n" + framed("a long CONNACK"));
}

TEST_F(ChannelTest, CountsTheBytesOfItsOwnerOnceTheSocketHasThem) {
  open(layers(std::make_unique<TestLayer>("near")));
  send(kHello);
  other_end.set_reading(false);
  const std::string much(1 * MiB, 'x');
  EXPECT_EQ(write(much), 0U);
  EXPECT_TRUE(channel.writing());
  other_end.set_reading(true);
  wait_for([this] { return near.written > 0; });
  EXPECT_EQ(near.written, much.size());
  EXPECT_FALSE(channel.writing());
}

TEST_F(ChannelTest, AfterAHeaderItIsItsStream) {
  open(layers(std::make_unique<ProxyHeaderLayer>()));
  EXPECT_EQ(channel.opening(), "PROXY header");
  send("PROXY TCP4 203.0.113.9 192.0.2.1 40000 1883\r\nCONNECT");
  EXPECT_EQ(near.events, "opened203.0.113.9:40000;");
  EXPECT_EQ(near.received, "CONNECT");
  send("PINGREQ");
  EXPECT_EQ(near.received, "CONNECTPINGREQ");
  EXPECT_EQ(write("PINGRESP"), 8U);
  settle();
  EXPECT_EQ(far.received, "PINGRESP");
}

TEST_F(ChannelTest, MayGetAnotherOwnerAndAnotherPlaceAsItOpens) {
  open(layers(std::make_unique<ProxyHeaderLayer>(), std::make_unique<TestLayer>("near")));
  Near heir;
  Channel inherited;
  near.then = [&] {
    inherited = std::move(channel);
    inherited.set_owner(heir);
  };
  send("PROXY UNKNOWN\r\n" + kHello + framed("CONNECT"));
  EXPECT_EQ(near.received, "");
  EXPECT_EQ(heir.received, "CONNECT");
  send(framed("PINGREQ"));
  EXPECT_EQ(heir.received, "CONNECTPINGREQ");
}

TEST_F(ChannelTest, MayBeDestroyedAsItOpens) {
  open(layers(std::make_unique<TestLayer>("near")));
  near.then = [this] { channel = {}; };
  send(kHello + framed("CONNECT"));
  EXPECT_EQ(near.events, "opened by near;");
  EXPECT_EQ(near.received, "");
  settle();
  EXPECT_EQ(far.ended, "closed by the peer");
}

TEST_F(ChannelTest, MayBeDestroyedByAPieceOfWhatItReads) {
  open(layers(std::make_unique<TestLayer>("near")));
  send(kHello);
  near.then = [this] { channel = {}; };
  send(framed("a message in several frames"));
  EXPECT_EQ(near.received, "a message");
}

TEST_F(ChannelTest, SendsTheLastWordsOfALayerThatGivesUp) {
  open(layers(std::make_unique<TestLayer>("near")));
  send(kHello + framed("CONNECT") + "x");
  EXPECT_EQ(near.received, "CONNECT");
  EXPECT_EQ(near.events, "opened by near;near: not a frame;");
  EXPECT_EQ(far.received, "welcome near\nalert");
}

TEST_F(ChannelTest, PartsWithTheGoodbyeOfItsLayers) {
  open(layers(std::make_unique<TestLayer>("near")));
  send(kHello);
  write("bye");
  channel.begin_parting();
  send(framed("too late"));
  EXPECT_EQ(far.received, "welcome near\n" + framed("bye") + "bye near\n");
  EXPECT_EQ(far.ended, "closed by the peer");
}

TEST_F(ChannelTest, PartsOnceEverythingIsWritten) {
  open({});
  other_end.set_reading(false);
  const std::string much(8 * MiB, 'x');
  write(much);
  ASSERT_TRUE(channel.writing());
  channel.begin_parting();
  other_end.set_reading(true);
  wait_for([this] { return near.written > 0; });
  channel.finish_parting();
  wait_for([this] { return !far.ended.empty(); });
  EXPECT_EQ(far.received.size(), much.size());
}

TEST_F(ChannelTest, ReadsNothingWhileWordsOfALayerWaitForTheSocket) {
  open(layers(std::make_unique<TestLayer>("near")));
  send(kHello);
  other_end.set_reading(false);
  // Each of these asks for an answer, and nobody reads the answers.
  const std::string questions(16 * KiB, '0');
  std::size_t asked = 0;
  while (!other_end.writing() && asked < 1000) {
    send(questions);
    ++asked;
  }
  EXPECT_LT(asked, 1000U) << "what nobody reads has to pile up at the sender";
  other_end.set_reading(true);
  wait_for([&] { return far.received.size() == std::string("welcome near\n").size() + asked * questions.size(); });
}

TEST_F(ChannelTest, AJobRunsElsewhereAndNothingIsReadMeanwhile) {
  open(layers(std::make_unique<TestLayer>("near", 0, true)));
  send(kHello + framed("CONNECT"));
  wait_for([this] { return near.received == "CONNECT"; });
  EXPECT_EQ(near.events, "opened by near;");
}

TEST_F(ChannelTest, MayBeDestroyedWhileAJobRuns) {
  open(layers(std::make_unique<TestLayer>("near", 0, true)));
  ByteBuffer bytes;
  bytes.append(kHello);
  ASSERT_TRUE(other_end.write(bytes));
  uv_run(&loop.uv(), UV_RUN_ONCE);
  channel = {};
  other_end = {};
  loop.run();  // the job ends, and nobody is told
  EXPECT_EQ(near.events, "");
}

}  // namespace
}  // namespace furrow::gateway
