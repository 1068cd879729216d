#include <cstring>
#include <string>
#include <vector>

#include "tests/bench/load/fail.h"
#include "tests/bench/load/fleet.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {
namespace {

constexpr std::size_t kPayloadBytes = 38;
constexpr std::size_t kBatch = 1000;  // between two PINGREQs, whose answers say that the broker has read so far

class Retained {
 public:
  Retained(const Broker& broker, const RetainedOptions& options)
      : broker_(broker), options_(options), fleet_(broker), seen_(options.messages) {
    fleet_.on_frame = [this](Client&, const Frame& frame) { handle_frame(frame); };
  }

  Report run() {
    fleet_.connect(2);
    const std::chrono::milliseconds quiet(options_.quiet_ms);
    broker_.process.wait_until_idle(quiet);
    const std::uint64_t before = broker_.process.resident_bytes();
    publish_all();
    broker_.process.wait_until_idle(quiet);
    const auto growth = static_cast<double>(broker_.process.resident_bytes()) - static_cast<double>(before);

    const std::chrono::nanoseconds cpu = broker_.process.cpu();
    fleet_.subscribe(fleet_[kSubscriber], "farm/#", 0);
    fleet_.missing = [this] { return std::to_string(options_.messages - replayed_) + " retained messages"; };
    while (replayed_ < options_.messages) fleet_.turn();
    Report report;
    report.add("messages", static_cast<double>(replayed_));
    report.add("replay_cpu_s", std::chrono::duration<double>(broker_.process.cpu() - cpu).count());
    report.add("bytes_each", growth / static_cast<double>(options_.messages));
    return report;
  }

 private:
  static constexpr std::size_t kSubscriber = 0;
  static constexpr std::size_t kPublisher = 1;

  void publish_all() {
    Client& publisher = fleet_[kPublisher];
    std::string payload(kPayloadBytes, '.');
    fleet_.missing = [] { return std::string("a PINGRESP"); };
    for (std::size_t i = 0; i < options_.messages; ++i) {
      const Stamp stamp{0, static_cast<std::uint32_t>(i)};
      std::memcpy(payload.data(), &stamp, sizeof stamp);
      const std::string topic = "farm/s" + std::to_string(1'000'000 + i) + "/moisture";  // 22 bytes
      append_publish(publisher.output(), {.topic = topic, .payload = payload, .retain = true});
      if ((i + 1) % kBatch != 0 && i + 1 < options_.messages) continue;
      append_empty(publisher.output(), FrameType::Pingreq);
      for (const std::size_t answers = answers_; answers_ == answers;) fleet_.turn();
    }
  }

  void handle_frame(const Frame& frame) {
    if (frame.type() == FrameType::Pingresp) {
      ++answers_;
    } else if (frame.type() == FrameType::Publish) {
      const Publish publish = read_publish(frame);
      const Stamp stamp = read_stamp(publish.payload);
      if (!publish.retain || publish.payload.size() != kPayloadBytes) fail("what came is not what was retained");
      if (stamp.number >= seen_.size() || seen_[stamp.number]) fail("a retained message came twice");
      seen_[stamp.number] = true;
      ++replayed_;
    }
  }

  const Broker& broker_;
  const RetainedOptions options_;
  Fleet fleet_;
  std::vector<bool> seen_;  // by number
  std::size_t replayed_ = 0;
  std::size_t answers_ = 0;
};

}  // namespace

Report run_retained(const Broker& broker, const RetainedOptions& options) {
  return Retained(broker, options).run();
}

}  // namespace furrow::load
