#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/load/fail.h"
#include "tests/bench/load/fleet.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {
namespace {

using Clock = std::chrono::steady_clock;

// Between two polls lies a write at most. When more time has passed, this program was not running.
constexpr std::chrono::microseconds kPollTimeMax(50);
// A broker that takes longer is waited for asleep: on a busy machine it may need this very processor.
constexpr std::chrono::milliseconds kPollingMax(1);

// Clients that connect meanwhile, on a thread of their own, as many at a time as Fleet lets.
class Storm {
 public:
  Storm(const Broker& broker, std::size_t connections) : over_(connections == 0) {
    if (connections == 0) return;
    thread_ = std::thread([this, &broker, connections] {
      Fleet fleet(broker, "storm");
      fleet.on_frame = [](Client&, const Frame&) {};
      fleet.connect(connections);
      over_ = true;
    });
  }
  ~Storm() {
    if (thread_.joinable()) thread_.join();
  }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  bool is_over() const { return over_; }

 private:
  std::atomic<bool> over_;
  std::thread thread_;
};

// One publisher, one subscriber. The generator polls without sleeping: what it would take to wake it up is no latency
// of the broker's. Nor is the time in which others have its processor: a message that was on its way then does not
// count.
class Latency {
 public:
  Latency(const Broker& broker, const LatencyOptions& options) : broker_(broker), options_(options), fleet_(broker) {
    fleet_.on_frame = [this](Client& client, const Frame& frame) { handle_frame(client, frame); };
  }

  Report run() {
    fleet_.connect(2);
    Storm storm(broker_, options_.storm);
    fleet_.subscribe(fleet_[kSubscriber], kTopic, options_.qos);
    fleet_.missing = [this] { return "message " + std::to_string(sent_.size() - 1) + ", or its acknowledgement"; };

    const Measurement measurement(broker_.process);
    Clock::time_point due = Clock::now();
    while (through_ < options_.messages || !storm.is_over()) {
      const Clock::time_point now = Clock::now();
      look_for_gap(now);
      polled_ = now;
      const bool all_through = through_ == sent_.size();
      if ((sent_.size() < options_.messages || !storm.is_over()) && (options_.rate == 0 ? all_through : now >= due)) {
        send(now);
        if (options_.rate > 0) due += std::chrono::nanoseconds(std::chrono::seconds(1)) / options_.rate;
      } else if (!all_through && now - sent_[through_] > kPollingMax) {
        asleep_ = true;
        fleet_.turn();
        asleep_ = false;
        polled_ = Clock::now();
      } else {
        fleet_.turn_without_waiting();
      }
    }
    Report report;
    measurement.finish(sent_.size(), report);
    if (times_.empty()) fail("others had the processor all the time");
    report.add("disturbed", 1 - static_cast<double>(times_.size()) / static_cast<double>(sent_.size()));
    report.add_percentiles(times_);
    report.add_percentiles(delivery_times_, "delivery_");
    return report;
  }

 private:
  static constexpr std::size_t kSubscriber = 0;
  static constexpr std::size_t kPublisher = 1;
  inline static const std::string kTopic = "farm/field-0/moisture";

  void send(Clock::time_point now) {
    const auto number = static_cast<std::uint32_t>(sent_.size());
    Client& publisher = fleet_[kPublisher];
    append_publish(publisher.output(), {.topic = kTopic,
                                        .payload = payload_.make({0, number}),
                                        .qos = options_.qos,
                                        .id = static_cast<std::uint16_t>(number % 0xFFFF + 1)});
    sent_.push_back(now);
    publisher.flush();
  }

  void handle_frame(Client& client, const Frame& frame) {
    if (frame.type() == FrameType::Puback) {
      ++acknowledged_;
    } else if (frame.type() == FrameType::Publish) {
      const Publish publish = read_publish(frame);
      check_.take_next(publish.payload);
      note_delivery();
      if (publish.qos == 1) append_acknowledgement(client.output(), FrameType::Puback, publish.id);
    }
    const std::size_t through = options_.qos == 0 ? delivered_ : std::min(delivered_, acknowledged_);
    for (const Clock::time_point now = Clock::now(); through_ < through; ++through_) {
      look_for_gap(now);
      if (through_ >= disturbed_end_) times_.push_back(now - sent_[through_]);
    }
  }

  void note_delivery() {
    const Clock::time_point now = Clock::now();
    look_for_gap(now);
    if (delivered_ >= disturbed_end_) delivery_times_.push_back(now - sent_[delivered_]);
    ++delivered_;
  }

  void look_for_gap(Clock::time_point now) {
    if (!asleep_ && now - polled_ > kPollTimeMax) disturbed_end_ = sent_.size();
  }

  const Broker& broker_;
  const LatencyOptions options_;
  Fleet fleet_;
  OrderCheck check_{1};
  PayloadMaker payload_;
  std::vector<Clock::time_point> sent_;
  // Of those that were not disturbed: until everybody has what is his, and until the subscriber has the message.
  std::vector<std::chrono::nanoseconds> times_;
  std::vector<std::chrono::nanoseconds> delivery_times_;
  Clock::time_point polled_ = Clock::now();
  bool asleep_ = false;            // by its own will: what takes long then is the broker
  std::size_t through_ = 0;        // messages
  std::size_t disturbed_end_ = 0;  // those before it were on their way while this program was not running, or through
  std::size_t delivered_ = 0;
  std::size_t acknowledged_ = 0;
};

}  // namespace

Report run_latency(const Broker& broker, const LatencyOptions& options) {
  return Latency(broker, options).run();
}

}  // namespace furrow::load
