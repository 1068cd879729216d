#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/load/fleet.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {
namespace {

class Fan {
 public:
  Fan(const Broker& broker, const FanOptions& options)
      : broker_(broker), options_(options), fleet_(broker), sent_by_(options.publishers) {
    received_.resize(options.subscribers);
    checks_.assign(options.subscribers, OrderCheck(options.publishers));
    for (std::size_t i = 0; i < options.publishers; ++i)
      topics_.push_back("farm/field-" + std::to_string(i) + "/moisture");
    fleet_.on_frame = [this](Client& client, const Frame& frame) { handle_frame(client, frame); };
  }

  Report run() {
    fleet_.connect(options_.subscribers + options_.publishers);
    for (std::size_t i = 0; i < options_.subscribers; ++i) fleet_.subscribe(fleet_[i], "farm/+/moisture", 0);
    fleet_.missing = [this] { return std::to_string(sent_ - done()) + " of " + std::to_string(sent_) + " messages"; };

    const Measurement measurement(broker_.process);
    while (done() < options_.messages) {
      while (sent_ < options_.messages && sent_ + options_.batch <= done() + options_.window) send_batch();
      fleet_.turn();
    }
    Report report;
    measurement.finish(options_.messages * options_.subscribers, report);
    return report;
  }

 private:
  // How many messages every subscriber has.
  std::size_t done() const { return *std::ranges::min_element(received_); }

  void handle_frame(const Client& client, const Frame& frame) {
    if (frame.type() != FrameType::Publish || client.index() >= options_.subscribers) return;
    checks_[client.index()].take_next(read_publish(frame).payload);
    ++received_[client.index()];
  }

  void send_batch() {
    const std::size_t publisher = turn_++ % options_.publishers;
    Client& client = fleet_[options_.subscribers + publisher];
    const std::size_t count = std::min(options_.batch, options_.messages - sent_);
    for (std::size_t i = 0; i < count; ++i) {
      const Stamp stamp{static_cast<std::uint32_t>(publisher), sent_by_[publisher]++};
      append_publish(client.output(), {.topic = topics_[publisher], .payload = payload_.make(stamp)});
      if (options_.one_per_write) client.flush();
    }
    sent_ += count;
    client.flush();
  }

  const Broker& broker_;
  const FanOptions options_;
  Fleet fleet_;                         // the subscribers, then the publishers
  std::vector<std::string> topics_;     // by publisher
  std::vector<std::uint32_t> sent_by_;  // by publisher
  std::vector<std::size_t> received_;   // by subscriber
  std::vector<OrderCheck> checks_;      // by subscriber
  PayloadMaker payload_;
  std::size_t sent_ = 0;
  std::size_t turn_ = 0;
};

}  // namespace

Report run_fan(const Broker& broker, const FanOptions& options) {
  return Fan(broker, options).run();
}

}  // namespace furrow::load
