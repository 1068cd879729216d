// Messages of ours that the far side sends back: echoes, and circles.
//
// A broker of 3.1.1 that refuses the bridge bit sends back what we publish, if we subscribe to it. Such an echo is told
// by what it is: its topic and payload are those of a message that left in the last minute, and each that left may come
// back once. Where the broker knows not to echo, nothing is held back: there an equal message is somebody else's.
//
// A circle that nothing else finds (loop_guard.h), since the brokers on it are no furrow and of 3.1.1, is told by its
// pace: a message that leaves and comes back more than 100 times in ten seconds. That message is not sent any more: for
// a minute, and twice as long each time that it circles again. Others are not concerned.
//
// Both look only at what some rule would let down again. What is remembered is bounded: what has no room is taken for
// news. Thread: loop. Time: passed in. Topics are remote ones.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "bridge/topic_map.h"
#include "broker-core/base/bytes.h"
#include "broker-core/base/ring.h"
#include "broker-core/base/time.h"

namespace furrow::bridge {

class Echoes {
 public:
  static constexpr Duration kEchoTime = std::chrono::minutes(1);
  static constexpr std::size_t kSentMax = 10'000;
  static constexpr std::uint32_t kReturnsMax = 100;
  static constexpr Duration kReturnsTime = std::chrono::seconds(10);
  static constexpr Duration kStoppedFirst = std::chrono::minutes(1);
  static constexpr Duration kStoppedMost = std::chrono::hours(1);
  static constexpr std::size_t kStoppedMax = 100;

  // Whether the far broker of the connection that begins sends back what is published to it.
  void set_echoing(bool echoing) { echoing_ = echoing; }

  // A message has left that a rule would let down again.
  void note_sent(std::string_view topic, ByteView payload, Instant now);
  // A message has come. Whether it is an echo, and nobody's news.
  bool is_echo(std::string_view topic, ByteView payload, Instant now);

  // Whether a message is not to leave, because it circles.
  bool is_stopped(const TopicMap::Mapping& topic, ByteView payload, Instant now) const;
  // A message that has been stopped since the last call.
  struct Stopped {
    std::string topic;
    Duration time;
  };
  std::optional<Stopped> poll_stopped() { return std::exchange(news_, std::nullopt); }
  // Why the bridge is not well; empty when nothing is stopped.
  std::string reason(Instant now) const;

 private:
  // Of equal messages.
  struct Kind {
    std::uint32_t sent = 0;   // in the last minute
    std::uint32_t taken = 0;  // of those: whose echo has come
    // How often one came back since then.
    std::uint32_t returns = 0;
    Instant since{};
  };
  struct Sent {
    std::uint64_t hash;
    Instant until;
  };
  struct Circle {
    std::string topic;
    Instant until{};  // it is not sent before
    Duration time{};  // for so long, the last time
  };

  void forget_old(Instant now);
  void count_return(std::uint64_t hash, Kind& kind, std::string_view topic, Instant now);
  void stop(std::uint64_t hash, std::string_view topic, Instant now);

  bool echoing_ = false;
  Ring<Sent> sent_;
  std::unordered_map<std::uint64_t, Kind> kinds_;  // of those in sent_
  std::unordered_map<std::uint64_t, Circle> stopped_;
  std::optional<Stopped> news_;
};

}  // namespace furrow::bridge
