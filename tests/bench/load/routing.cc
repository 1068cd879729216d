#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/bench/load/fleet.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {
namespace {

constexpr unsigned kSeed = 2024;

// A topic is site/line/device/metric, out of so many names each.
constexpr std::array<unsigned, 4> kNames{20, 10, 50, 10};
constexpr std::array<std::string_view, 4> kKinds{"site-", "line-", "device-", "metric-"};

std::string level(std::size_t depth, unsigned number) {
  return std::string(kKinds[depth]) + std::to_string(number);
}

// The topic with this number; all numbers below the product of kNames are different topics.
std::string topic_of(std::size_t number) {
  std::string topic;
  for (std::size_t depth = 0; depth < kNames.size(); ++depth) {
    if (depth > 0) topic += '/';
    topic += level(depth, static_cast<unsigned>(number % kNames[depth]));
    number /= kNames[depth];
  }
  return topic;
}

constexpr std::size_t topics_max() {
  std::size_t product = 1;
  for (const unsigned names : kNames) product *= names;
  return product;
}

// As dashboards and services subscribe: one metric of all devices of a line, everything of one device, one device on
// whatever line it stands, and a few single topics.
std::string random_filter(std::mt19937& random) {
  const auto name = [&](std::size_t depth) { return level(depth, static_cast<unsigned>(random() % kNames[depth])); };
  const unsigned kind = static_cast<unsigned>(random() % 100);
  if (kind < 40) return name(0) + '/' + name(1) + "/+/" + name(3);
  if (kind < 70) return name(0) + '/' + name(1) + '/' + name(2) + "/#";
  if (kind < 90) return name(0) + "/+/" + name(2) + '/' + name(3);
  return name(0) + '/' + name(1) + '/' + name(2) + '/' + name(3);
}

// Which subscribers have which filter, and so who is to get a topic: found by looking up every filter that matches it.
class Expectation {
 public:
  void add(const std::string& filter, std::uint32_t subscriber) { holders_[filter].push_back(subscriber); }

  // In ascending order, each once.
  std::vector<std::uint32_t> subscribers(std::string_view topic) const {
    std::vector<std::uint32_t> found;
    collect("", topic, found);
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

 private:
  // `matched` matches what came before `rest`.
  void collect(const std::string& matched, std::string_view rest, std::vector<std::uint32_t>& found) const {
    const std::string separator = matched.empty() ? "" : "/";
    add_holders(matched + separator + "#", found);  // of `matched` itself too, and of all below it
    if (rest.empty()) return add_holders(matched, found);
    const std::size_t slash = rest.find('/');
    const std::string_view first = rest.substr(0, slash);
    const std::string_view below = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    collect(matched + separator + std::string(first), below, found);
    collect(matched + separator + "+", below, found);
  }

  void add_holders(const std::string& filter, std::vector<std::uint32_t>& found) const {
    const auto holders = holders_.find(filter);
    if (holders != holders_.end()) found.insert(found.end(), holders->second.begin(), holders->second.end());
  }

  std::unordered_map<std::string, std::vector<std::uint32_t>> holders_;
};

class Routing {
 public:
  Routing(const Broker& broker, const RoutingOptions& options)
      : broker_(broker),
        options_(options),
        fleet_(broker),
        filters_(options.subscribers),
        expected_(options.subscribers),
        received_(options.subscribers),
        checks_(options.subscribers, OrderCheck(options.publishers)),
        sent_by_(options.publishers) {
    draw_filters();
    draw_topics();
    fleet_.on_frame = [this](Client& client, const Frame& frame) { handle_frame(client, frame); };
  }

  Report run() {
    fleet_.connect(options_.subscribers + options_.publishers);
    for (std::size_t i = 0; i < options_.subscribers; ++i) fleet_.subscribe(fleet_[i], filters_[i], 0);
    fleet_.missing = [this] { return describe_missing(); };

    const Measurement measurement(broker_.process);
    while (sent_ < options_.messages || done_ < due_) {
      while (sent_ < options_.messages && due_ < done_ + options_.window) send_batch();
      if (done_ < due_) fleet_.turn();
    }
    Report report;
    measurement.finish(due_, report);
    report.add("deliveries_each", static_cast<double>(due_) / static_cast<double>(options_.messages));
    return report;
  }

 private:
  struct Topic {
    std::string name;
    std::vector<std::uint32_t> subscribers;
  };

  void draw_filters() {
    for (std::size_t i = 0; i < options_.filters; ++i) {
      const std::size_t subscriber = i % options_.subscribers;
      filters_[subscriber].push_back(random_filter(random_));
      expectation_.add(filters_[subscriber].back(), static_cast<std::uint32_t>(subscriber));
    }
  }

  void draw_topics() {
    std::vector<std::size_t> numbers(topics_max());
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
    std::ranges::shuffle(numbers, random_);
    numbers.resize(std::min(numbers.size(), options_.topics));
    for (const std::size_t number : numbers) {
      std::string name = topic_of(number);
      std::vector<std::uint32_t> subscribers = expectation_.subscribers(name);
      topics_.push_back({std::move(name), std::move(subscribers)});
    }
  }

  void send_batch() {
    const std::size_t publisher = turn_++ % options_.publishers;
    Client& client = fleet_[options_.subscribers + publisher];
    const std::size_t count = std::min(options_.batch, options_.messages - sent_);
    for (std::size_t i = 0; i < count; ++i) {
      const Topic& topic = topics_[random_() % topics_.size()];
      const Stamp stamp{static_cast<std::uint32_t>(publisher), sent_by_[publisher]++};
      append_publish(client.output(), {.topic = topic.name, .payload = payload_.make(stamp)});
      for (const std::uint32_t subscriber : topic.subscribers) ++expected_[subscriber];
      due_ += topic.subscribers.size();
    }
    sent_ += count;
    client.flush();
  }

  void handle_frame(const Client& client, const Frame& frame) {
    if (frame.type() != FrameType::Publish) return;
    const std::size_t subscriber = client.index();
    checks_[subscriber].take_later(read_publish(frame).payload);
    if (++received_[subscriber] > expected_[subscriber])
      fail("a subscriber got a message that none of its filters match");
    ++done_;
  }

  std::string describe_missing() const {
    return std::to_string(due_ - done_) + " of " + std::to_string(due_) + " deliveries";
  }

  const Broker& broker_;
  const RoutingOptions options_;
  std::mt19937 random_{kSeed};
  Fleet fleet_;                                    // the subscribers, then the publishers
  std::vector<std::vector<std::string>> filters_;  // by subscriber
  Expectation expectation_;
  std::vector<Topic> topics_;
  std::vector<std::size_t> expected_;   // by subscriber
  std::vector<std::size_t> received_;   // by subscriber
  std::vector<OrderCheck> checks_;      // by subscriber
  std::vector<std::uint32_t> sent_by_;  // by publisher
  PayloadMaker payload_;
  std::size_t sent_ = 0;
  std::size_t due_ = 0;   // deliveries of what was sent
  std::size_t done_ = 0;  // deliveries that came
  std::size_t turn_ = 0;
};

}  // namespace

Report run_routing(const Broker& broker, const RoutingOptions& options) {
  return Routing(broker, options).run();
}

}  // namespace furrow::load
