// What it costs to find the subscribers of a topic, and the retained messages of a filter.
//
// One iteration is one topic, filter or change, unless its name says otherwise. `per_level` is the time for one level
// of a topic, `found` how many matches one call gives, and `*_bytes` what one entry takes. Topics are drawn before the
// clock runs.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "broker-core/base/random.h"
#include "broker-core/message.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/routing/retained_store.h"
#include "broker-core/routing/route_cache.h"
#include "broker-core/routing/subscription_tree.h"

namespace furrow::broker {
namespace {

constexpr std::uint64_t kSeed = 2024;
constexpr std::size_t kFilters = 10'000;
constexpr std::uint32_t kSubscribers = 200;
constexpr std::size_t kTopics = 16'384;  // more than the processor's nearest cache holds
constexpr std::size_t kRetained = 100'000;

// Up to six levels of twenty names each: `l3-17`.
constexpr std::uint64_t kLevelsMin = 3;
constexpr std::uint64_t kLevelsMax = 6;
constexpr std::uint64_t kNames = 20;

std::string random_topic(Random& random, unsigned plus_percent) {
  std::string topic;
  const std::uint64_t levels = kLevelsMin + random.below(kLevelsMax - kLevelsMin + 1);
  for (std::uint64_t level = 0; level < levels; ++level) {
    if (level > 0) topic += '/';
    if (random.chance(plus_percent)) {
      topic += '+';
    } else {
      topic.append("l").append(std::to_string(level)).append("-").append(std::to_string(random.below(kNames)));
    }
  }
  return topic;
}

std::string random_filter(Random& random) {
  std::string filter = random_topic(random, 25);
  if (random.chance(40)) {
    filter.resize(filter.rfind('/') + 1);
    filter += '#';
  }
  return filter;
}

std::string sensor_topic(std::size_t number) {
  return std::string("farm/site-7/s").append(std::to_string(100'000 + number)).append("/moisture");
}

class Cycle {
 public:
  explicit Cycle(std::vector<std::string> topics) : topics_(std::move(topics)) {
    for (const std::string& topic : topics_) levels_ += mqtt::level_count(topic);
  }
  const std::string& next() { return topics_[at_++ % topics_.size()]; }
  double levels_per_topic() const { return static_cast<double>(levels_) / static_cast<double>(topics_.size()); }

 private:
  std::vector<std::string> topics_;
  std::size_t levels_ = 0;
  std::size_t at_ = 0;
};

void report(benchmark::State& state, const Cycle& topics, std::size_t found) {
  const auto calls = static_cast<double>(state.iterations());
  state.counters["per_level"] =
      benchmark::Counter(calls * topics.levels_per_topic(), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["found"] = static_cast<double>(found) / calls;
}

void match_all(benchmark::State& state, const SubscriptionTree& tree, Cycle topics) {
  std::vector<Match> out;
  std::size_t found = 0;
  for (auto _ : state) {
    out.clear();
    tree.match(topics.next(), out);
    benchmark::DoNotOptimize(out.data());
    found += out.size();
  }
  report(state, topics, found);
}

// One unique filter for each of ten thousand clients, as idle devices have.
void MatchExact(benchmark::State& state) {
  SubscriptionTree tree(kSeed);
  const std::size_t empty_bytes = tree.memory_bytes();
  for (std::size_t i = 0; i < kFilters; ++i) {
    tree.insert(sensor_topic(i), SubscriberId{static_cast<std::uint32_t>(i)}, {});
  }
  Random random(kSeed);
  std::vector<std::string> topics;
  for (std::size_t i = 0; i < kTopics; ++i) topics.push_back(sensor_topic(random.below(kFilters)));
  match_all(state, tree, Cycle(std::move(topics)));
  state.counters["filter_bytes"] = static_cast<double>(tree.memory_bytes() - empty_bytes) / kFilters;
}
BENCHMARK(MatchExact);

void subscribe_wildcards(SubscriptionTree& tree, Random& random) {
  for (std::size_t i = 0; i < kFilters; ++i) {
    tree.insert(random_filter(random), SubscriberId{static_cast<std::uint32_t>(i % kSubscribers)}, {});
  }
}

std::vector<std::string> random_topics(Random& random, std::size_t count) {
  std::vector<std::string> topics;
  for (std::size_t i = 0; i < count; ++i) topics.push_back(random_topic(random, 0));
  return topics;
}

void MatchWildcards(benchmark::State& state) {
  Random random(kSeed);
  SubscriptionTree tree(kSeed);
  subscribe_wildcards(tree, random);
  match_all(state, tree, Cycle(random_topics(random, kTopics)));
}
BENCHMARK(MatchWildcards);

void lookup_all(benchmark::State& state, std::size_t topic_count) {
  Random random(kSeed);
  SubscriptionTree tree(kSeed);
  subscribe_wildcards(tree, random);
  RouteCache cache(tree);
  Cycle topics(random_topics(random, topic_count));
  std::size_t found = 0;
  for (auto _ : state) {
    const auto routes = cache.lookup(topics.next());
    benchmark::DoNotOptimize(routes.data());
    found += routes.size();
  }
  report(state, topics, found);
  state.counters["entries"] = static_cast<double>(cache.entries());
}

void LookupCached(benchmark::State& state) {
  lookup_all(state, 1'000);
}
BENCHMARK(LookupCached);

void LookupSameTopic(benchmark::State& state) {
  lookup_all(state, 1);
}
BENCHMARK(LookupSameTopic);

// More topics than the cache holds: each is walked, merged and remembered for nothing.
void LookupNeverCached(benchmark::State& state) {
  lookup_all(state, 8 * RouteCache::kEntriesMax);
}
BENCHMARK(LookupNeverCached);

void SubscribeAndUnsubscribe(benchmark::State& state) {
  SubscriptionTree tree(kSeed);
  for (std::size_t i = 0; i < kFilters; ++i) {
    tree.insert(sensor_topic(i), SubscriberId{static_cast<std::uint32_t>(i)}, {});
  }
  const std::string filter = sensor_topic(kFilters);
  for (auto _ : state) {
    tree.insert(filter, SubscriberId{1}, {});
    tree.erase(filter, SubscriberId{1});
  }
}
BENCHMARK(SubscribeAndUnsubscribe);

// A topic of 22 bytes: a hundred thousand of them below `a`, half of them ending with `barn-c`.
std::string retained_topic(std::size_t number) {
  return std::string("a/sensor-")
      .append(std::to_string(100'000 + number / 2))
      .append(number % 2 == 0 ? "/barn-c" : "/barn-d");
}

MessageRef retained_message(std::size_t number) {
  static const std::string payload(38, 'x');
  const std::string topic = retained_topic(number);
  Message::Fields fields{};
  fields.topic = topic;
  fields.payload = as_bytes(payload);
  fields.retain = true;
  return Message::make(fields);
}

// In an order that is not that of the topics, as publishers come.
void fill(RetainedStore& store) {
  constexpr std::size_t kStride = 7'919;  // a prime, so that it visits every number
  for (std::size_t i = 0; i < kRetained; ++i) store.set(retained_message(i * kStride % kRetained));
}

void RetainedReplay(benchmark::State& state, const std::string& filter) {
  RetainedStore store({.messages_max = 0, .bytes_max = 0, .hash_seed = kSeed});
  fill(store);
  std::size_t found = 0;
  for (auto _ : state) {
    std::size_t steps = SIZE_MAX;
    RetainedStore::Walk walk(store, filter);
    while (const MessageRef* message = walk.next(steps)) {
      benchmark::DoNotOptimize(message);
      ++found;
    }
  }
  state.counters["found"] = static_cast<double>(found) / static_cast<double>(state.iterations());
  state.counters["message_bytes"] = static_cast<double>(store.bytes()) / kRetained;
  state.counters["overhead_bytes"] = static_cast<double>(store.overhead_bytes()) / kRetained;
}
BENCHMARK_CAPTURE(RetainedReplay, all, "#")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RetainedReplay, below_a, "a/#")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RetainedReplay, every_level, "a/+/+")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RetainedReplay, every_second, "a/+/barn-c")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RetainedReplay, one_of_a_level, "+/sensor-112345/+");

void RetainedExact(benchmark::State& state) {
  RetainedStore store({.messages_max = 0, .bytes_max = 0, .hash_seed = kSeed});
  fill(store);
  Random random(kSeed);
  std::vector<std::string> filters;
  for (std::size_t i = 0; i < kTopics; ++i) filters.push_back(retained_topic(random.below(kRetained)));
  Cycle topics(std::move(filters));
  std::size_t found = 0;
  for (auto _ : state) {
    std::size_t steps = SIZE_MAX;
    RetainedStore::Walk walk(store, topics.next());
    while (const MessageRef* message = walk.next(steps)) {
      benchmark::DoNotOptimize(message);
      ++found;
    }
  }
  report(state, topics, found);
}
BENCHMARK(RetainedExact);

void RetainedReplace(benchmark::State& state) {
  RetainedStore store({.messages_max = 0, .bytes_max = 0, .hash_seed = kSeed});
  fill(store);
  const std::array<std::string, 2> payloads = {std::string(38, 'y'), std::string(38, 'z')};
  Random random(kSeed);
  std::size_t turn = 0;
  for (auto _ : state) {
    const std::string topic = retained_topic(random.below(kRetained));
    Message::Fields fields{};
    fields.topic = topic;
    fields.payload = as_bytes(payloads[++turn % 2]);
    fields.retain = true;
    benchmark::DoNotOptimize(store.set(Message::make(fields)));
  }
}
BENCHMARK(RetainedReplace);

void RetainedFill(benchmark::State& state) {
  for (auto _ : state) {
    RetainedStore store({.messages_max = 0, .bytes_max = 0, .hash_seed = kSeed});
    fill(store);
    benchmark::DoNotOptimize(store.bytes());
  }
}
BENCHMARK(RetainedFill)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace furrow::broker
