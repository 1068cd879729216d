// Which values of a topic cross, where its rule lets only some: `every`, `changed_only`.
//
//   every         a value crosses when its time, or more, has passed since the one before; else it is held until then,
//                 and the next value of its topic that comes meanwhile takes its place
//   changed_only  a value that equals the one that crossed before does not cross, but each `heartbeat`
//
// Judges values when they are about to be sent, in order, by the times at which they were received: so a backlog is
// thinned as it would have been without an outage. The newest value of a topic is never dropped but for one that is
// equal, or follows: what is held waits in the queue, as safe as the rest, nothing is lost with this table, which lives
// in memory, and what does not cross goes once the one that stands for it is as safe as it was. After a restart, or
// when there is no room for more, a value crosses that need not have.
//
// The caller owns the queue: it says what waits (note), asks for what is about to leave (judge), and carries out what
// poll_*() tells it. A message of QoS 0 that is in no queue is held here. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"

namespace furrow::bridge {

// What a rule asks for.
struct ThinningTerms {
  Duration every{};  // 0 = any number of values
  bool changed_only = false;
  Duration heartbeat{};  // 0 = never

  bool any() const { return every > Duration::zero() || changed_only; }
  friend bool operator==(const ThinningTerms&, const ThinningTerms&) = default;
};

class Thinning {
 public:
  // Topics that are remembered; one more, and the one that was silent for longest is forgotten.
  static constexpr std::size_t kTopicsMax = 10'000;
  // Of the payloads that are held, which stay in memory; what has no room crosses.
  static constexpr std::size_t kHeldBytesMax = 4 * MiB;

  struct Value {
    std::string_view topic;
    ByteView payload;
    Instant received;
    bool retain = false;  // as it will cross
    Sequence sequence;    // its place in the queue; 0: it is in none
  };
  // A value that waits for its time: its place in the queue, or the message itself.
  struct Held {
    Sequence sequence;
    broker::MessageRef message;
    bool retain = false;
    std::size_t bytes = 0;
  };

  // A value waits in the queue, or is about to leave past it: it follows all others of its topic that were noted.
  void note(const Value& value, Instant now);
  // Dropped: poll_replaced() has it, if it is in the queue.
  enum class Verdict : std::uint8_t { Crosses, Dropped, Held };
  // Whether the value, which was noted, crosses. Asked again after Crosses or Held, says Crosses: it may be sent later.
  Verdict judge(const Value& value, const ThinningTerms& terms, Instant now);
  // After Verdict::Held for a value that is in no queue: keeps its message.
  void keep(std::string_view topic, broker::MessageRef message);

  // Whether a value of the topic is held that is in the queue.
  bool holds_queued(std::string_view topic) const;

  // A value that does not cross. It is to be dropped once `by` is on disk or settled, if it is in the queue.
  struct Replaced {
    Held held;
    Sequence by;
  };
  // The next one; nothing when there is none.
  std::optional<Replaced> poll_replaced();
  // The next held value whose time has come: it crosses now.
  std::optional<Held> poll_due(Instant now);
  // Whether one of poll_replaced() gives way to this.
  bool has_replaced_by(Sequence sequence) const;
  // When poll_due() has something; never while nothing is held.
  Instant next_due() const;

  // Forgets what crossed, as the far side may have done: of each topic the next value crosses.
  void forget();
  // The rules are others: what is held is due at once, and everything else forgotten.
  void release_all();
  // The queue was emptied: lets go of all that is held or was replaced. Returns what was in no queue.
  std::vector<Held> give_up();

 private:
  struct Topic {
    std::string name;
    Sequence newest;           // noted
    Sequence newest_retained;  // likewise, of those that the far side retains
    Sequence crossed;          // the last in the queue that crosses
    std::optional<Instant> crossed_at;
    std::uint64_t crossed_hash = 0;
    std::optional<Held> held;
    std::uint64_t held_hash = 0;
    Instant due{};  // of what is held
  };
  using Topics = std::list<Topic>;  // the one that was silent for longest first

  Topic& find_or_add(std::string_view name);
  // What is held makes way for `value`, which follows it.
  void make_way(Topic& topic, const Value& value, Instant now);
  void cross(Topic& topic, Sequence sequence, std::uint64_t hash, Instant at);
  static Sequence newest_of(const Topic& topic, const Value& value);
  Verdict drop(const Value& value, Sequence by);
  void hold(Topic& topic, const Value& value, std::uint64_t hash, Instant due);
  Held let_go(Topic& topic);

  Topics topics_;
  std::unordered_map<std::string_view, Topics::iterator> places_;  // by the names in topics_
  std::set<std::pair<Instant, Topic*>> due_;                       // the topics that hold a value
  std::size_t held_bytes_ = 0;                                     // of their payloads
  std::vector<Replaced> replaced_;
  std::vector<Held> released_;  // due, whatever the time
};

}  // namespace furrow::bridge
