// Real sockets on loopback, and look-ups that never answer.
#include "gateway/net/tcp_connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/net/event_loop.h"
#include "tests/unit/gateway/net/far_ends.h"

namespace furrow::gateway {
namespace {

using ::testing::StartsWith;

// Somebody who wants a connection.
class Caller {
 public:
  explicit Caller(EventLoop& loop) : loop_(loop) {}

  void connect(Resolver& resolver, const std::string& host, std::uint16_t port, TcpConnector::Options options = {}) {
    connector_ = std::make_unique<TcpConnector>(loop_.uv(), resolver, host, port, std::move(options), done());
  }
  void give_up() { connector_.reset(); }

  // What came of it: "connected", or why not.
  std::string outcome;
  std::optional<SocketAddress> reached;

 private:
  TcpConnector::Done done() {
    return [this](Result<std::unique_ptr<TcpStream>> stream) {
      if (stream) reached = connector_->reached();
      outcome = stream ? "connected" : stream.error().message();
      connector_.reset();  // allowed from within
      loop_.stop();
    };
  }

  EventLoop& loop_;
  std::unique_ptr<TcpConnector> connector_;
};

TEST(TcpConnector, AddressesAreNeverLookedUp) {
  SilentServers servers;
  EventLoop loop;
  Resolver resolver(loop.uv(), servers.look_up());
  const Port port;
  const auto outcome = [&](const std::string& host) {
    Caller caller(loop);
    caller.connect(resolver, host, port.number());
    loop.run();
    return caller.outcome;
  };
  EXPECT_EQ(outcome("127.0.0.1"), "connected");
  EXPECT_THAT(outcome("::1"), StartsWith("connect to [::1]:"));
  EXPECT_THAT(outcome("fe80::1%lo"), StartsWith("connect to [fe80::1%lo]:"));
  EXPECT_EQ(outcome("fe80::1%nowhere"), "connect to fe80::1%nowhere: no such address or network interface");
  EXPECT_EQ(servers.asked(), 0);
}

TEST(TcpConnector, ConnectsFromTheAddressThatItIsTold) {
  EventLoop loop;
  Resolver resolver(loop.uv());
  const Port port;
  const auto outcome = [&](const std::string& source) {
    Caller caller(loop);
    caller.connect(resolver, "127.0.0.1", port.number(), {.source = source});
    loop.run();
    return caller.outcome;
  };
  const std::string target = "127.0.0.1:" + std::to_string(port.number());
  EXPECT_EQ(outcome("127.0.0.9"), "connected");
  EXPECT_EQ(outcome("lo"), "connected");
  EXPECT_EQ(outcome("192.0.2.1"),
            "connect from 192.0.2.1 to " + target + ": source 192.0.2.1: this machine does not have that address");
  EXPECT_EQ(outcome("nowhere0"), "connect from nowhere0 to " + target +
                                     ": source nowhere0: there is no network interface or address of that name");
  EXPECT_EQ(outcome("::1"), "connect from ::1 to " + target + ": source ::1: it is of the other family of addresses");
}

TEST(TcpConnector, NamesAreLookedUp) {
  EventLoop loop;
  Resolver resolver(loop.uv());
  const Port port;
  Caller caller(loop);
  caller.connect(resolver, "localhost", port.number());
  loop.run();
  EXPECT_EQ(caller.outcome, "connected");
}

TEST(TcpConnector, SilentNameServersHoldUpNobodyElse) {
  SilentServers silent;
  const Port port;
  EventLoop loop;
  const auto look_up = [waits = silent.look_up(), &port](const std::string& host, std::uint16_t number) {
    return host == "answered.example" ? Resolver::Addresses{port.address()} : waits(host, number);
  };
  Resolver resolver(loop.uv(), look_up);
  std::vector<std::unique_ptr<Caller>> waiting;
  for (int i = 0; i < 8; ++i) {  // libuv's pool has four threads
    waiting.push_back(std::make_unique<Caller>(loop));
    waiting.back()->connect(resolver, "silent" + std::to_string(i) + ".example", 1883);
  }
  for (int i = 0; i < 3; ++i) waiting[static_cast<std::size_t>(i)]->give_up();

  Caller to_name(loop);
  to_name.connect(resolver, "answered.example", port.number());
  loop.run();
  EXPECT_EQ(to_name.outcome, "connected");
  Caller to_address(loop);
  to_address.connect(resolver, "127.0.0.1", port.number());
  loop.run();
  EXPECT_EQ(to_address.outcome, "connected");
}

TEST(TcpConnector, LookUpsUnderWayDoNotKeepTheLoopFromClosing) {
  SilentServers servers;
  EventLoop loop;
  {
    Resolver resolver(loop.uv(), servers.look_up());
    Caller caller(loop);
    caller.connect(resolver, "region.example", 1883);
  }
  EXPECT_TRUE(loop.close());
  EXPECT_TRUE(Resolver::any_under_way());
}

TEST(TcpConnector, AskingAgainForAnAbandonedNameJoinsItsLookUp) {
  SilentServers servers;
  const Port port;
  EventLoop loop;
  Resolver resolver(loop.uv(), servers.look_up());
  Caller caller(loop);
  for (int i = 0; i < 5; ++i) caller.connect(resolver, "region.example", port.number());
  Caller other(loop);
  other.connect(resolver, "region.example", port.number());
  servers.answer(Resolver::Addresses{port.address()});
  while (caller.outcome.empty() || other.outcome.empty()) loop.run();
  EXPECT_EQ(caller.outcome, "connected");
  EXPECT_EQ(other.outcome, "connected");
  EXPECT_EQ(servers.asked(), 1);
}

TEST(TcpConnector, LookUpsAreBoundedInNumber) {
  SilentServers servers;
  EventLoop loop;
  Resolver resolver(loop.uv(), servers.look_up());
  std::vector<std::unique_ptr<Caller>> waiting;
  for (std::size_t i = 0; i < Resolver::kLookUpsMax; ++i) {
    waiting.push_back(std::make_unique<Caller>(loop));
    waiting.back()->connect(resolver, "silent" + std::to_string(i) + ".example", 1883);
  }
  Caller one_more(loop);
  one_more.connect(resolver, "region.example", 1883);
  loop.run();
  EXPECT_EQ(one_more.outcome, "look up region.example: 64 names are being looked up, and none is answered");
}

// A name with several addresses, and a caller who connects to it.
class Dialling : public ::testing::Test {
 protected:
  void connect(const Resolver::Addresses& addresses, TcpConnector::Options options) {
    Resolver resolver(loop_.uv(), [addresses](const std::string&, std::uint16_t) { return addresses; });
    caller_.connect(resolver, "region.example", 1883, std::move(options));
    loop_.run();
  }

  static constexpr std::chrono::milliseconds kNever = std::chrono::hours(1);
  // Long enough for a thread to answer on a busy machine.
  static constexpr std::chrono::milliseconds kBriefly{150};
  EventLoop loop_;
  Caller caller_{loop_};
};

TEST_F(Dialling, SilentAddressesCostOneDelayEach) {
  const SilentPort one;
  const SilentPort other;
  const Port port;
  connect({one.address(), other.address(), port.address()},
          {.timeout = kNever, .attempt_delay = std::chrono::milliseconds(1)});
  EXPECT_EQ(caller_.outcome, "connected");
  EXPECT_EQ(caller_.reached, port.address());
  EXPECT_TRUE(loop_.close());  // the attempts that have lost are gone
}

TEST_F(Dialling, TheNextAddressIsTriedAtOnceWhenOneRefuses) {
  const Port port;
  connect({closed_port(), port.address()}, {.timeout = kNever, .attempt_delay = kNever});
  EXPECT_EQ(caller_.reached, port.address());
}

TEST_F(Dialling, TheNextAddressWaitsForTheOneBefore) {
  const SilentPort silent;
  const Port port;
  connect({silent.address(), port.address()}, {.timeout = kBriefly, .attempt_delay = kNever});
  EXPECT_EQ(caller_.outcome, "connect to " + silent.address().text() + ": no answer within 150 ms, " +
                                 port.address().text() + ": not tried");
}

TEST_F(Dialling, TheAddressThatWorkedLastIsTriedFirst) {
  const SilentPort silent;
  const Port port;
  connect({silent.address(), port.address()}, {.timeout = kNever, .attempt_delay = kNever, .first = port.address()});
  EXPECT_EQ(caller_.reached, port.address());
}

TEST_F(Dialling, TheReasonNamesEachAddressAndItsError) {
  const SilentPort silent;
  const SocketAddress closed = closed_port();
  connect({silent.address(), closed}, {.timeout = kBriefly, .attempt_delay = std::chrono::milliseconds(1)});
  EXPECT_EQ(caller_.outcome, "connect to " + silent.address().text() + ": no answer within 150 ms, " + closed.text() +
                                 ": connection refused");
}

TEST_F(Dialling, EndsWhenEveryAddressHasRefused) {
  const SocketAddress one = closed_port();
  const SocketAddress other = address_of("127.0.0.2", 1);
  connect({one, other}, {.timeout = kNever, .attempt_delay = kNever});
  EXPECT_EQ(caller_.outcome, "connect to " + one.text() + ": connection refused, 127.0.0.2:1: connection refused");
}

TEST_F(Dialling, TheTimeOutCountsTheLookUpToo) {
  SilentServers servers;
  Resolver resolver(loop_.uv(), servers.look_up());
  caller_.connect(resolver, "region.example", 1883, {.timeout = kBriefly});
  loop_.run();
  EXPECT_EQ(caller_.outcome, "look up region.example: no answer within 150 ms");
}

TEST(TcpConnector, SaysWhyNameIsNotFound) {
  EventLoop loop;
  const auto look_up = [](const std::string&, std::uint16_t) -> Result<Resolver::Addresses> {
    return Error(Errc::NotFound, "no such name");
  };
  Resolver resolver(loop.uv(), look_up);
  Caller caller(loop);
  caller.connect(resolver, "region.example", 1883);
  loop.run();
  EXPECT_EQ(caller.outcome, "look up region.example: no such name");
}

}  // namespace
}  // namespace furrow::gateway
