// What new subscriptions of one session are still to be sent of the retained messages.
//
// A cursor over the retained store for each of them, one after the other. It is the topic where it goes on and nothing
// else: what it takes does not depend on what is retained, and what is sent is the value of that moment. The session
// moves it while its client takes messages, past its queue: a message of QoS 1 or 2 is sent only while nothing waits
// there, so that none waits itself, or pushes out another one.
//
// A live message does not overtake the retained value of its topic that is older: that is sent ahead, out of turn, and
// remembered, so that it does not come behind it. Owned by the session. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/short_text.h"
#include "broker-core/base/time.h"
#include "broker-core/routing/keyed_hash.h"
#include "broker-core/routing/retained_store.h"
#include "broker-core/routing/subscription.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/session_record.h"
#include "tsl/robin_map.h"

namespace furrow::broker {

class RetainedReplays {
 public:
  // Topics that are looked at in one go: about a millisecond on a small machine.
  static constexpr std::size_t kStepsMax = 5'000;
  // Topics whose value was sent ahead that are remembered. Only those count that have had a live message which is not
  // retained beside a value which is: few have. Beyond, live messages overtake, and are counted.
  static constexpr std::size_t kAheadMax = 1'000;

  // The replay of one subscription.
  class Replay {
   public:
    std::string_view filter() const { return filter_.view(); }
    SubscriptionOptions options() const { return unpack_options(options_); }
    // What the message was pushed into the session's queue as.
    void note_sent(Sequence sequence) { last_ = sequence; }
    Sequence last() const { return last_; }

   private:
    friend class RetainedReplays;
    Replay(std::string_view filter, const SubscriptionOptions& options, std::string_view from, bool stored)
        : filter_(filter), options_(pack_options(options)), stored_(stored), from_(from) {}

    ShortText filter_;
    std::uint32_t options_;
    std::uint32_t number_ = 0;
    bool stored_;  // the session's row says that it is not finished
    bool sent_ = false;
    Sequence last_;
    std::string from_;  // the topic where it goes on
  };

  explicit RetainedReplays(const HashKey& hash_key) : hash_key_(hash_key) {}

  bool empty() const { return replays_.empty(); }
  // False when it was set already.
  bool set_looking() { return !std::exchange(looking_, true); }
  void reset_looking() { looking_ = false; }

  // Begins with the first topic that is not less than `from`, anew if it was under way. `stored`: the session's row has
  // to say so until it is finished.
  void start(const Subscription& subscription, std::string_view from, bool stored);
  // What the client wants now, should the replay be under way.
  void change(const Subscription& subscription);
  // True when the session's row said that it is not finished.
  bool end(std::string_view filter);
  template <typename Visit>
  void for_each_stored(Visit visit) const {
    for (const Replay& replay : replays_) {
      if (replay.stored_) visit(replay);
    }
  }

  enum class Progress : std::uint8_t {
    Sent,     // all of them
    Blocked,  // `send` has taken no more
    Looking,  // for the next message: call again soon
  };
  // Goes on for as long as `send` takes messages: bool(Replay&, const MessageRef&), which is called before the store
  // changes. What has expired is removed.
  template <typename Send>
  Progress advance(RetainedStore& store, Journal& journal, Instant now, Send send) {
    std::size_t steps = kStepsMax;
    for (Replay& replay : replays_) {
      if (replay.sent_) continue;
      const Progress progress = advance(replay, steps, store, journal, now, send);
      if (progress != Progress::Sent) return progress;
      replay.sent_ = true;
    }
    return Progress::Sent;
  }

  // Calls `send`, bool(Replay&), for each replay that has yet to come to `topic`; once all of them have returned true,
  // they skip it. False when that could not be remembered, and nothing was done.
  template <typename Send>
  bool send_ahead(std::string_view topic, Send send) {
    const std::uint64_t hash = keyed_hash(hash_key_, topic);
    const auto known = ahead_.find(hash);
    const std::uint32_t done = known == ahead_.end() ? 0 : known->second;
    if (done == last_number_) return true;
    if (known == ahead_.end() && ahead_.size() >= kAheadMax) return false;
    bool any = false;
    bool all = true;
    for (Replay& replay : replays_) {
      if (replay.number_ <= done || !is_to_come(replay, topic)) continue;
      any = true;
      all = send(replay) && all;
    }
    if (any && all) ahead_[hash] = last_number_;
    return true;
  }

  // Forgets those that are done: all is sent, and `is_settled`, bool(const Replay&), says so of what was sent. True
  // when the session's row has to say so, too.
  template <typename IsSettled>
  bool finish(IsSettled is_settled) {
    bool stored = false;
    std::erase_if(replays_, [&](const Replay& replay) {
      if (!replay.sent_ || (replay.stored_ && !is_settled(replay))) return false;
      stored = stored || replay.stored_;
      return true;
    });
    return stored;
  }

 private:
  Replay* find(std::string_view filter);
  static bool is_to_come(const Replay& replay, std::string_view topic);
  bool was_sent_ahead(const Replay& replay, std::string_view topic) const;
  static void remove_expired(Replay& replay, const MessageRef& message, RetainedStore& store, Journal& journal,
                             Instant now);

  template <typename Send>
  Progress advance(Replay& replay, std::size_t& steps, RetainedStore& store, Journal& journal, Instant now,
                   Send& send) {
    for (;;) {
      RetainedStore::Walk walk(store, replay.filter(), replay.from_);
      const MessageRef* message = walk.next(steps);
      for (; message != nullptr && (*message)->expires_at() > now; message = walk.next(steps)) {
        if (was_sent_ahead(replay, (*message)->topic())) continue;
        if (send(replay, *message)) continue;
        replay.from_ = (*message)->topic();
        return Progress::Blocked;
      }
      if (message != nullptr) {
        remove_expired(replay, *message, store, journal, now);
      } else if (walk.at_end()) {
        return Progress::Sent;
      } else {
        replay.from_ = walk.position();
        return Progress::Looking;
      }
    }
  }

  // Constant after construction.
  const HashKey& hash_key_;

  std::vector<Replay> replays_;  // in the order of their numbers
  std::uint32_t last_number_ = 0;
  bool looking_ = false;  // the session is to go on with the next turn
  // Topics whose value was sent ahead, by hash, to the replays up to that number. That another one has the same hash,
  // and misses its value, happens once in 10^11 replays of 100,000 values.
  tsl::robin_map<std::uint64_t, std::uint32_t> ahead_;
};

}  // namespace furrow::broker
