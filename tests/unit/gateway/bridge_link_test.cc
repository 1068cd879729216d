// A real bridge with real sockets, and name servers that the test plays.
#include "gateway/bridge_link.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gateway/clock.h"
#include "gateway/control/traces.h"
#include "gateway/net/event_loop.h"
#include "tests/support/broker_fixture.h"
#include "tests/unit/gateway/net/far_ends.h"

namespace furrow::gateway {
namespace {

class BridgeLinkTest : public furrow::test::BrokerFixture {
 protected:
  void TearDown() override {
    links_.clear();
    bridges_.clear();
    resolver_.reset();
    EXPECT_TRUE(loop_.close());
  }

  void use(Resolver::LookUp look_up) { resolver_.emplace(loop_.uv(), std::move(look_up)); }

  // A bridge that has begun to connect.
  bridge::Bridge& add(const bridge::Address& address) {
    bridge::Options bridge_options;
    bridge_options.name = "bridge" + std::to_string(bridges_.size());
    bridge_options.client_id = bridge_options.name;
    bridge_options.addresses = {address};
    if (!buffers_) buffers_.emplace(store.restored(), broker());
    bridges_.push_back(std::make_unique<bridge::Bridge>(bridge_options, buffers_->of(bridge_options.name), broker(),
                                                        log, clock_.now()));
    links_.push_back(
        std::make_unique<BridgeLink>(loop_.uv(), *resolver_, clock_, traces_, *bridges_.back(), config::Bridge(),
                                     [] {}));
    links_.back()->flush();
    return *bridges_.back();
  }

  template <typename Condition>
  void turn_until(Condition condition) {
    while (!condition()) {
      uv_run(&loop_.uv(), UV_RUN_ONCE);
      for (const auto& link : links_) link->flush();
    }
  }

  Clock clock_;
  Traces traces_{broker(), [this] { return clock_.wall(); }};
  EventLoop loop_;
  std::optional<Resolver> resolver_;
  std::optional<bridge::Buffers> buffers_;
  std::vector<std::unique_ptr<bridge::Bridge>> bridges_;
  std::vector<std::unique_ptr<BridgeLink>> links_;
};

TEST_F(BridgeLinkTest, ABridgeToAnAddressConnectsWhileTheNamesOfOthersAreNotAnswered) {
  SilentServers servers;
  use(servers.look_up());
  for (int i = 0; i < 5; ++i) add({"region" + std::to_string(i) + ".example", 1883});
  const Port port;
  add({"127.0.0.1", port.number()});
  turn_until([&] { return static_cast<bool>(port.accept()); });
}

TEST_F(BridgeLinkTest, AStopDoesNotWaitForLookUps) {
  SilentServers servers;
  use(servers.look_up());
  bridge::Bridge& bridge = add({"region.example", 1883});
  bridge.shut_down(clock_.now());
  links_.back()->flush();
  EXPECT_TRUE(links_.back()->disconnected());
}

TEST_F(BridgeLinkTest, TheAddressThatWorkedLastIsTriedFirst) {
  const Port one;
  const Port other;
  bool both = false;  // the name has `other` only at first
  use([&](const std::string&, std::uint16_t) {
    return both ? Resolver::Addresses{one.address(), other.address()} : Resolver::Addresses{other.address()};
  });
  bridge::Bridge& bridge = add({"region.example", 1883});
  turn_until([&] { return static_cast<bool>(other.accept()); });  // which is closed then
  turn_until([&] { return bridge.snapshot().state == bridge::State::Backoff; });
  both = true;
  bridge.handle_timeout(bridge.next_deadline());
  links_.back()->flush();
  bool other_is_first = false;
  turn_until([&] { return (other_is_first = static_cast<bool>(other.accept())) || one.accept(); });
  EXPECT_TRUE(other_is_first);
}

}  // namespace
}  // namespace furrow::gateway
