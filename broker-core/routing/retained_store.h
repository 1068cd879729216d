// The retained message of each topic, bounded in messages and bytes [MQTT 5.0 §3.3.1.3].
//
// The gateway's own topics (its status) are here too, beside the bounds: they take no room from clients, and clients
// take none from them.
// A table of slots, found two ways: a hash index by topic (publishing, and subscribing without wildcards), and the byte
// order of topics (subscribing with wildcards). In that order whatever lies below a level is one range, so a walk seeks
// over all that cannot match. Both hold slot numbers: replacing a value, which is what sensors do, touches neither.
// Rejected: a tree of levels like the subscriptions have. It needs two nodes for a usual topic, with links between
// siblings over 100 bytes, against less than 40 here, and walks them scattered over memory.
// Knows no clock: the caller leaves out what has expired. Thread: loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "broker-core/message.h"
#include "broker-core/routing/filter_walk.h"
#include "broker-core/routing/hash_index.h"
#include "broker-core/routing/keyed_hash.h"
#include "broker-core/routing/topic_order.h"

namespace furrow::broker {

class RetainedStore {
  static constexpr std::uint32_t kNone = HashIndex::kNone;

 public:
  struct Options {
    std::size_t messages_max;     // 0 = no limit
    std::size_t bytes_max;        // 0 = no limit
    Duration age_max{};           // 0 = as old as they like
    std::uint64_t hash_seed = 0;  // secret and drawn at start: peers that know it could make look-ups slow
  };
  explicit RetainedStore(const Options& options);
  RetainedStore(const RetainedStore&) = delete;
  RetainedStore& operator=(const RetainedStore&) = delete;

  enum class Outcome : std::uint8_t {
    Stored,     // the topic had none
    Replaced,   // the topic had another one
    Removed,    // the payload was empty
    Unchanged,  // the topic has an equal one already, which stays: nothing to write
    NotThere,   // the payload was empty, and the topic had none
    Full,       // a limit is reached; nothing changed, and the caller counts
  };

  // Messages that are here stay, whatever the limits; 0 = no limit. A topic that is here takes a value that is no
  // larger than its last one.
  void set_limits(std::size_t messages_max, std::size_t bytes_max, Duration age_max) {
    messages_max_ = messages_max;
    bytes_max_ = bytes_max;
    age_max_ = age_max;
  }
  // When the caller is to leave out a value of this store.
  Instant expires_at(const Message& message) const {
    const Instant too_old = age_max_ > Duration::zero() ? message.received() + age_max_ : kNever;
    return std::min(message.expires_at(), too_old);
  }

  // Keeps `message` for its topic, or with an empty payload removes what is there [MQTT-3.3.1-5, -6, -7]. Messages are
  // equal when content and QoS are and neither expires: one that expires starts a new interval. So does one of a
  // bounded age, now and then.
  // REQUIRES: mqtt::is_valid_name(message->topic()).
  Outcome set(MessageRef message);
  // The same for a topic that the gateway writes itself: never Full.
  Outcome set_own(MessageRef message);

  // Removed or NotThere.
  Outcome remove(std::string_view topic);

  // The message of `topic`, or none. Takes one hash.
  MessageRef find(std::string_view topic) const;

  bool contains(std::string_view topic) const { return find_slot(topic) != kNone; }
  // Whether the topic's message came by set_own().
  bool is_own(std::string_view topic) const {
    const std::uint32_t slot = find_slot(topic);
    return slot != kNone && own_[slot];
  }

  // Goes over the messages whose topics match a filter, in the byte order of topics. Until the store changes; then a
  // new one goes on from where this one was.
  class Walk {
   public:
    // Begins with the first topic that is not less than `from`. Borrows the store and the filter. REQUIRES:
    // mqtt::is_valid_filter(filter).
    Walk(const RetainedStore& store, std::string_view filter, std::string_view from = {});

    // The next message that matches; nullptr at the end, or when it has looked at `steps` topics, which it counts down.
    const MessageRef* next(std::size_t& steps);
    bool at_end() const { return slot_ == kNone; }
    // The topic that next() looks at first. REQUIRES: !at_end().
    std::string_view position() const { return store_.slots_[slot_]->topic(); }

   private:
    void find_slot();

    const RetainedStore& store_;
    FilterWalk filter_;
    const bool one_topic_;  // the filter's own
    TopicOrder::Place place_;
    std::uint32_t slot_ = kNone;  // at place_; kNone: at the end
  };

  // The number of messages, and the sum of their memory_bytes().
  std::size_t messages() const { return by_topic_.size(); }
  std::size_t bytes() const { return bytes_; }
  // Those among them that set_own() put here.
  std::size_t own_messages() const { return own_messages_; }
  std::size_t own_bytes() const { return own_bytes_; }

  // The bytes that the store takes beside the messages.
  std::size_t overhead_bytes() const;

 private:
  std::uint32_t hash(std::string_view topic) const;
  std::uint32_t find_slot(std::string_view topic) const;
  Outcome set(MessageRef message, bool own);
  Outcome add(MessageRef message, bool own);
  Outcome replace(std::uint32_t slot, MessageRef message, bool own);
  bool is_same_value(const Message& one, const Message& newer) const;
  // Whether clients may have this many.
  bool fits(std::size_t messages, std::size_t bytes) const;
  // The message of `slot`, which has one, counts from now on, or no longer.
  void count(std::uint32_t slot);
  void discount(std::uint32_t slot);

  // Constant after construction.
  const HashKey hash_key_;
  // Changes with set_limits().
  std::size_t messages_max_;
  std::size_t bytes_max_;
  Duration age_max_;
  // Changes with set() and remove(). Invariant: by_topic_ and order_ hold the slots with a message, free_ the others;
  // bytes_ == sum of their memory_bytes().
  std::vector<MessageRef> slots_;
  std::vector<bool> own_;  // by slot
  std::vector<std::uint32_t> free_;
  HashIndex by_topic_;
  TopicOrder order_;
  std::size_t bytes_ = 0;
  std::size_t own_messages_ = 0;
  std::size_t own_bytes_ = 0;
};

}  // namespace furrow::broker
