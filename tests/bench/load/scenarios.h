// The scenarios, each a file of its own, with what can be turned in them. Every one is a closed loop: so many messages
// are on their way and no more, so that no broker has a reason to lose one, and a missing one fails the run.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "tests/bench/load/broker_process.h"
#include "tests/bench/load/report.h"

namespace furrow::load {

struct Broker {
  std::uint16_t port;
  const BrokerProcess& process;
  std::chrono::seconds patience;  // until a missing message counts as lost
};

// QoS 0, every subscriber gets everything. `messages` and `window` count deliveries per subscriber.
struct FanOptions {
  std::size_t publishers = 100;
  std::size_t subscribers = 1;
  std::size_t messages = 1'000'000;
  std::size_t batch = 50;  // messages of one publisher in one turn
  std::size_t window = 5'000;
  bool one_per_write = false;  // one write for each message rather than one for each batch
};
Report run_fan(const Broker& broker, const FanOptions& options);

// Each publisher has a subscriber of its own. QoS 1 or 2; `window` messages of a pair are on their way at one time.
struct PairsOptions {
  std::size_t pairs = 50;
  std::size_t messages = 200'000;  // of all pairs together
  std::size_t window = 20;
  unsigned qos = 1;
};
Report run_pairs(const Broker& broker, const PairsOptions& options);

// QoS 0 to topics that are drawn at random, with filters that overlap. Counted are deliveries.
struct RoutingOptions {
  std::size_t filters = 10'000;
  std::size_t subscribers = 200;
  std::size_t publishers = 10;
  std::size_t topics = 100'000;  // how many different ones are published to
  std::size_t messages = 400'000;
  std::size_t batch = 50;
  std::size_t window = 10'000;  // deliveries on their way
};
Report run_routing(const Broker& broker, const RoutingOptions& options);

// From writing a message until the subscriber has it and, in QoS 1, the publisher its PUBACK, whichever is later.
struct LatencyOptions {
  unsigned qos = 0;
  std::size_t messages = 20'000;
  std::size_t rate = 2'000;  // a second; 0: the next one as soon as one is through
};
Report run_latency(const Broker& broker, const LatencyOptions& options);

// How long a broker must have done nothing before its memory is looked at: longer than it may put off its writes.
constexpr std::size_t kQuietMs = 2'500;

// Connections with one subscription each that do nothing: `bytes_each` of the broker's resident memory.
struct IdleOptions {
  std::size_t connections = 10'000;
  std::size_t quiet_ms = kQuietMs;
};
Report run_idle(const Broker& broker, const IdleOptions& options);

// Retained messages: `bytes_each` of resident memory, and `replay_cpu_s` when a new subscriber gets all of them.
struct RetainedOptions {
  std::size_t messages = 100'000;
  std::size_t quiet_ms = kQuietMs;
};
Report run_retained(const Broker& broker, const RetainedOptions& options);

}  // namespace furrow::load
