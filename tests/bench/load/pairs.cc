#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/load/fail.h"
#include "tests/bench/load/fleet.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {
namespace {

class Pairs {
 public:
  Pairs(const Broker& broker, const PairsOptions& options)
      : broker_(broker), options_(options), fleet_(broker), pairs_(options.pairs) {
    const std::size_t share = options.messages / options.pairs;
    for (std::size_t i = 0; i < options.pairs; ++i) {
      pairs_[i].topic = "farm/field-" + std::to_string(i) + "/moisture";
      pairs_[i].wanted = share;
    }
    fleet_.on_frame = [this](Client& client, const Frame& frame) {
      if (client.index() < options_.pairs) {
        handle_at_subscriber(client, pairs_[client.index()], frame);
      } else {
        handle_at_publisher(client, pairs_[client.index() - options_.pairs], frame);
      }
    };
  }

  Report run() {
    fleet_.connect(2 * options_.pairs);
    for (std::size_t i = 0; i < options_.pairs; ++i) fleet_.subscribe(fleet_[i], pairs_[i].topic, options_.qos);
    fleet_.missing = [this] { return describe_missing(); };

    const Measurement measurement(broker_.process);
    bool done = false;
    while (!done) {
      done = true;
      for (std::size_t i = 0; i < options_.pairs; ++i) {
        fill_window(i);
        done = done && pairs_[i].done() == pairs_[i].wanted;
      }
      if (!done) fleet_.turn();
    }
    Report report;
    measurement.finish(pairs_.front().wanted * options_.pairs, report);
    return report;
  }

 private:
  struct Pair {
    std::string topic;
    std::size_t wanted = 0;
    std::size_t sent = 0;
    std::size_t acknowledged = 0;  // PUBACK or PUBCOMP at the publisher
    std::size_t delivered = 0;     // PUBLISH at the subscriber
    OrderCheck check{1};

    std::size_t done() const { return std::min(acknowledged, delivered); }
  };

  void fill_window(std::size_t index) {
    Pair& pair = pairs_[index];
    Client& publisher = fleet_[options_.pairs + index];
    while (pair.sent < pair.wanted && pair.sent < pair.done() + options_.window) {
      const Stamp stamp{0, static_cast<std::uint32_t>(pair.sent)};
      const auto id = static_cast<std::uint16_t>(pair.sent % 0xFFFF + 1);
      append_publish(publisher.output(),
                     {.topic = pair.topic, .payload = payload_.make(stamp), .qos = options_.qos, .id = id});
      ++pair.sent;
    }
  }

  void handle_at_subscriber(Client& client, Pair& pair, const Frame& frame) {
    if (frame.type() == FrameType::Pubrel) {
      append_acknowledgement(client.output(), FrameType::Pubcomp, read_id(frame));
    } else if (frame.type() == FrameType::Publish) {
      const Publish publish = read_publish(frame);
      if (publish.qos != options_.qos) fail("a message came with another QoS than it was published and subscribed");
      pair.check.take_next(publish.payload);
      ++pair.delivered;
      const FrameType answer = publish.qos == 1 ? FrameType::Puback : FrameType::Pubrec;
      append_acknowledgement(client.output(), answer, publish.id);
    }
  }

  void handle_at_publisher(Client& client, Pair& pair, const Frame& frame) {
    if (frame.type() == FrameType::Pubrec) {
      append_acknowledgement(client.output(), FrameType::Pubrel, read_id(frame));
    } else if (frame.type() == FrameType::Puback || frame.type() == FrameType::Pubcomp) {
      ++pair.acknowledged;
    }
  }

  std::string describe_missing() const {
    std::size_t sent = 0;
    std::size_t acknowledged = 0;
    std::size_t delivered = 0;
    for (const Pair& pair : pairs_) {
      sent += pair.sent;
      acknowledged += pair.acknowledged;
      delivered += pair.delivered;
    }
    return std::to_string(sent - delivered) + " deliveries and " + std::to_string(sent - acknowledged) +
           " acknowledgements of " + std::to_string(sent) + " messages";
  }

  const Broker& broker_;
  const PairsOptions options_;
  Fleet fleet_;  // the subscribers, then the publishers
  std::vector<Pair> pairs_;
  PayloadMaker payload_;
};

}  // namespace

Report run_pairs(const Broker& broker, const PairsOptions& options) {
  return Pairs(broker, options).run();
}

}  // namespace furrow::load
