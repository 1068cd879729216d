// The retained messages that new subscriptions of one session are still to be sent.
//
// Each subscription has a replay: a place in the retained store, told by the topic where it goes on and nothing else.
// So its memory does not depend on how much is retained, and a value is sent as it is at that moment. Replays run one
// after the other while the client takes messages, past the session's queue: a message of QoS 1 or 2 is sent only while
// nothing waits there, so that it neither waits itself nor pushes another one out.
//
// A live message does not overtake the older retained value of its topic: the value is sent ahead, out of turn, and its
// topic remembered, so that the replay skips it. Owned by the session. Thread: loop. Time: passed in.
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
  // This many topics are looked at in one go: about a millisecond on a small machine.
  static constexpr std::size_t kStepsMax = 5'000;
  // This many topics are remembered whose value was sent ahead. A topic gets there with a live message that is not
  // retained, beside a value that is: few have both. Beyond, live messages overtake, and are counted.
  static constexpr std::size_t kAheadMax = 1'000;

  // The replay of one subscription.
  class Replay {
   public:
    std::string_view filter() const { return filter_.view(); }
    SubscriptionOptions options() const { return unpack_options(options_); }
    // The last message that was sent, by its sequence in the session's queue.
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

  // Begins with the first topic that is not less than `from`, anew if the replay was under way. With `stored`, the
  // session's row says that it is not finished.
  void start(const Subscription& subscription, std::string_view from, bool stored);
  // The client has changed the options of its subscription, should the replay be under way.
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
  // Goes on for as long as `send`, bool(Replay&, const MessageRef&), takes messages. Values that have expired are
  // removed from the store.
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

  // Calls `send`, bool(Replay&), for each replay that has yet to come to `topic`; if all return true, these replays
  // skip the topic. False when that could not be remembered: then nothing was sent.
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

  // Forgets replays that have sent all values, once `is_settled`, bool(const Replay&), says that the client has
  // acknowledged them. True when the session's row must be written, as it says otherwise.
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
      for (; message != nullptr && store.expires_at(**message) > now; message = walk.next(steps)) {
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
  // The hash of each topic whose value was sent ahead, and the number of the last replay that it was sent for. Another
  // topic with the same hash would miss its value: once in 10^11 replays of 100,000 values.
  tsl::robin_map<std::uint64_t, std::uint32_t> ahead_;
};

}  // namespace furrow::broker
