// Retained values that go up although nobody publishes them now, so that the far broker comes to have what is here.
//
//   a rule that the far session has not known yet   all that it takes: values older than the rule, and after the far
//                                                   broker has lost its session
//   the link was away                               what crosses at QoS 0: nobody knows which of it arrived
//   a value was removed at QoS 0 meanwhile          its removal
//
// What waits in the queue, or has gone up from it on this connection, is left out: each change crosses once. A walk
// over the retained store, told by the topic where it goes on: its memory does not depend on how much is retained, and
// a value goes as it is at that moment. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/topic_map.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/routing/retained_store.h"

namespace furrow::bridge {

class RetainedOffers {
 public:
  // This many topics are looked at in one go: about a millisecond on a small machine.
  static constexpr std::size_t kStepsMax = 5'000;
  // This many removals are remembered; others wait until their topics change again.
  static constexpr std::size_t kRemovalsMax = 1'000;

  // A value was removed by a message of QoS 0 that could not leave.
  void note_removed(std::string_view topic);

  // What is known of the far broker when a connection begins.
  struct Far {
    std::function<bool(const Rule&)> has;  // the far session has been offered the values of this rule
    Instant unsure_since = kNever;         // what left after that may have been lost with the last connection
  };
  void begin(const TopicMap& map, const Far& far, Instant now);
  // The rules have changed while it lasts.
  void change_rules(const TopicMap& map, const Far& far, Instant now);
  // It is gone.
  void cancel() {
    begun_ = false;
    passes_.clear();
  }

  bool pending() const { return begun_ && !(passes_.empty() && removed_.empty()); }
  // True once everything has gone up, or into the queue; once for a connection or a change of the rules.
  bool poll_done() { return begun_ && !pending() && !std::exchange(told_, true); }
  // The next to go up, a removal as a message without payload; nothing at the end, or when it has looked at `steps`
  // topics, which it counts down. `sent_since`: when the oldest message came in that has gone up from the queue before
  // this was asked first; kNever: none has.
  broker::MessageRef next(const TopicMap& map, const broker::RetainedStore& retained, Instant sent_since, Instant now,
                          std::size_t& steps);

 private:
  // Over what one rule takes.
  struct Pass {
    std::size_t rule;
    bool all;               // else what crosses at QoS 0
    std::string from = {};  // the topic where it goes on
  };
  void look_for_passes(const TopicMap& map, const Far& far, Instant now);
  bool is_wanted(const Pass& pass, const TopicMap& map, const broker::Message& value) const;

  std::vector<std::string> removed_;
  // Of the present connection.
  std::vector<Pass> passes_;  // the last one is under way
  bool begun_ = false;
  bool told_ = false;  // by poll_done()
  Instant unsure_since_ = kNever;
  Instant begun_at_{};
  std::optional<Instant> queued_since_;  // what came in from then on has gone up from the queue
};

}  // namespace furrow::bridge
