// The scenarios, each a file of its own, with what can be turned in them. Every one is a closed loop: so many messages
// are on their way and no more, so that no broker has a reason to lose one, and a missing one fails the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/bench/load/broker.h"
#include "tests/bench/load/report.h"

namespace furrow::load {

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
  std::size_t storm = 0;     // connections that are made meanwhile; the messages go on until all are
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

// Messages for a bridge whose far broker is away or comes later. `topics` of each publisher; a topic is "farm/field-",
// a number from `first_topic` on, and `topic_end`.
struct ReadingsOptions {
  std::size_t publishers = 10;
  std::size_t messages = 200'000;  // of all publishers together
  std::size_t topics = 1;
  std::size_t first_topic = 0;
  std::string topic_end = "/moisture";
  std::size_t bytes = 64;  // of payload
};

// Publishes them in QoS 1 until all are acknowledged: `disk_bytes_each`, and how much the resident memory grew.
struct PublishOptions {
  ReadingsOptions readings;
  std::string data;         // a folder on the disk that the broker writes to, and nobody else
  std::size_t window = 20;  // of each publisher
  bool in_batches = false;  // the next once the whole window is acknowledged, not one for each acknowledgement
};
Report run_publish(const Broker& broker, const PublishOptions& options);

// Is the far broker: takes what run_publish() has published to the broker and acknowledges at once. Measured from
// accepting the bridge on; `disk_bytes_each` until the broker is at rest again.
struct DrainOptions {
  ReadingsOptions readings;
  std::string data;
  std::uint16_t upstream_port = 0;
  std::size_t quiet_ms = kQuietMs;
};
Report run_drain(const Broker& broker, const DrainOptions& options);

// Is both sides, with a far broker that acknowledges after `round_trip_ms` ± 30 %, and `late_percent` of the messages
// `late_ms` later: `disk_bytes_each`, for the messages after the first `warm_up`, from which the broker learns how long
// its far broker usually takes.
struct LinkUpOptions {
  ReadingsOptions readings;
  std::string data;
  std::uint16_t upstream_port = 0;
  std::size_t rate = 1'000;  // a second
  std::size_t warm_up = 3'000;
  std::size_t round_trip_ms = 40;
  std::size_t late_percent = 0;
  std::size_t late_ms = 3'000;
  std::size_t quiet_ms = kQuietMs;
};
Report run_link_up(const Broker& broker, const LinkUpOptions& options);

}  // namespace furrow::load
