// The stack over layers that tests can see through: an outer one that shifts every byte, and an inner one in its
// frames.
#include "gateway/net/layer_stack.h"

#include <gtest/gtest.h>

#include "gateway/net/proxy_header.h"
#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {
namespace {

// A stack, what came out of it above, and what it has said below.
struct Stacked {
  explicit Stacked(std::vector<std::unique_ptr<Layer>> layers) : stack(std::move(layers)) {
    EXPECT_TRUE(stack.begin());
  }

  std::string read(std::string raw) {
    MutableBytes bytes = mutable_bytes(raw);
    std::string text;
    while (true) {
      const auto piece = stack.read(bytes);
      if (!piece) return piece.error().message();
      if (piece->empty()) break;
      text += as_text(*piece);
    }
    EXPECT_TRUE(bytes.empty());
    return text;
  }

  std::string said() {
    std::string text(as_text(stack.output().view()));
    stack.output().clear();
    return text;
  }

  std::string write(std::string_view text) {
    ByteBuffer plain;
    plain.append(text);
    EXPECT_TRUE(stack.write(plain));
    EXPECT_TRUE(plain.empty());
    return said();
  }

  LayerStack stack;
};

std::unique_ptr<TestLayer> outer() {
  return std::make_unique<TestLayer>("outer", 1);
}
std::unique_ptr<TestLayer> inner() {
  return std::make_unique<TestLayer>("inner");
}

// What the other side of outer and inner sends for `text`: each frame of the inner in frames of the outer.
std::string wrapped(std::string_view text) {
  std::string all;
  for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), 9))) {
    all += framed(framed(text.substr(0, 9)), 1);
  }
  return all;
}
const std::string kHellos = shifted("hello outer\n", 1) + framed("hello inner\n", 1);

TEST(LayerStack, OpensFromTheSocketUp) {
  Stacked stacked(layers(outer(), inner()));
  EXPECT_EQ(stacked.stack.opening(), "outer");
  EXPECT_EQ(stacked.read(shifted("hello outer\n", 1)), "");
  EXPECT_EQ(stacked.said(), shifted("welcome outer\n", 1));
  EXPECT_EQ(stacked.stack.opening(), "inner");
  EXPECT_FALSE(stacked.stack.is_open());
  EXPECT_EQ(stacked.read(framed("hello inner\n", 1)), "");
  EXPECT_EQ(stacked.said(), framed("welcome inner\n", 1));
  EXPECT_TRUE(stacked.stack.is_open());
}

TEST(LayerStack, UnwrapsWhatComesInOnePieceWithTheHandshakes) {
  Stacked stacked(layers(outer(), inner()));
  EXPECT_EQ(stacked.read(kHellos + wrapped("a message of MQTT")), "a message of MQTT");
}

TEST(LayerStack, UnwrapsAtEverySplit) {
  const std::string all = kHellos + wrapped("a message of MQTT");
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Stacked stacked(layers(outer(), inner()));
    ASSERT_EQ(stacked.read(all.substr(0, cut)) + stacked.read(all.substr(cut)), "a message of MQTT") << cut;
  }
}

TEST(LayerStack, WrapsFromTheOwnerDown) {
  Stacked stacked(layers(outer(), inner()));
  (void)stacked.read(kHellos);
  (void)stacked.said();
  EXPECT_EQ(stacked.write("an answer of MQTT"), wrapped("an answer of MQTT"));
}

TEST(LayerStack, WrapsWhatALayerSaysByItself) {
  Stacked stacked(layers(outer(), inner()));
  (void)stacked.read(kHellos);
  (void)stacked.said();
  EXPECT_EQ(stacked.read(framed("0", 1)), "");
  EXPECT_EQ(stacked.said(), framed("!", 1));
}

TEST(LayerStack, AMistakeHasTheNameOfItsLayerAndItsLastWords) {
  Stacked stacked(layers(outer(), inner()));
  (void)stacked.read(kHellos);
  (void)stacked.said();
  EXPECT_EQ(stacked.read(framed("x", 1)), "inner: not a frame");
  EXPECT_EQ(stacked.said(), framed("alert", 1));
  Stacked other(layers(outer(), inner()));
  EXPECT_EQ(other.read("GET / HTTP/1.1\r\n"), "outer: not a hello");
}

TEST(LayerStack, EveryOpenLayerSaysGoodbyeTheUppermostFirst) {
  Stacked stacked(layers(outer(), inner()));
  (void)stacked.read(shifted("hello outer\n", 1));
  (void)stacked.said();
  stacked.stack.end();
  EXPECT_EQ(stacked.said(), shifted("bye outer\n", 1));
  (void)stacked.read(framed("hello inner\n", 1));
  (void)stacked.said();
  stacked.stack.end();
  EXPECT_EQ(stacked.said(), framed("bye inner\n", 1) + shifted("bye outer\n", 1));
}

TEST(LayerStack, EveryLayerIntroducesThePeer) {
  Stacked stacked(layers(outer(), inner()));
  (void)stacked.read(kHellos);
  Introduction introduction{.peer = "192.0.2.1:9"};
  stacked.stack.introduce(introduction);
  EXPECT_EQ(introduction.peer, "192.0.2.1:9 by outer by inner");
}

TEST(LayerStack, AJobHoldsTheHandshakeUpUntilItIsGivenBack) {
  Stacked stacked(layers(std::make_unique<TestLayer>("outer", 1, true), inner()));
  EXPECT_EQ(stacked.read(kHellos + wrapped("early")), "");
  EXPECT_EQ(stacked.said(), "");
  std::unique_ptr<Layer::Job> job = stacked.stack.take_job();
  ASSERT_TRUE(job);
  EXPECT_TRUE(stacked.stack.busy());
  job->run();
  EXPECT_TRUE(stacked.stack.give_back(std::move(job)));
  EXPECT_FALSE(stacked.stack.busy());
  EXPECT_EQ(stacked.read(""), "early");
  EXPECT_EQ(stacked.said(), shifted("welcome outer\n", 1) + framed("welcome inner\n", 1));
  EXPECT_FALSE(stacked.stack.take_job());
}

TEST(LayerStack, LetsGoOfAHeaderOnceItIsRead) {
  Stacked stacked(layers(std::make_unique<ProxyHeaderLayer>(), inner()));
  EXPECT_EQ(stacked.read("PROXY TCP4 203.0.113.9 192.0.2.1 40000 1883\r\nhello inner\n" + framed("first")), "first");
  Introduction introduction{.peer = "10.0.0.2:9"};
  stacked.stack.introduce(introduction);
  EXPECT_EQ(introduction.peer, "203.0.113.9:40000 by inner");
  stacked.stack.shed();
  EXPECT_FALSE(stacked.stack.empty());
  (void)stacked.said();
  EXPECT_EQ(stacked.read(framed("second")), "second");
  EXPECT_EQ(stacked.write("answer"), framed("answer"));
}

TEST(LayerStack, OfAHeaderAloneIsEmptyOnceThatIsRead) {
  Stacked stacked(layers(std::make_unique<ProxyHeaderLayer>()));
  EXPECT_FALSE(stacked.stack.is_open());
  EXPECT_EQ(stacked.read("PROXY UNKNOWN\r\nCONNECT"), "CONNECT");
  EXPECT_EQ(stacked.write("CONNACK"), "CONNACK");
  stacked.stack.shed();
  EXPECT_TRUE(stacked.stack.empty());
}

}  // namespace
}  // namespace furrow::gateway
