// The end of a session that was a member of shared subscriptions: its unfinished QoS 1 messages go back to their groups
// [MQTT 5.0 §4.8.2], also those that only the store still has.
//
// Each stays in the session's queue until its copy in the group's is durable, so that a crash at any point loses none;
// and as many are under way as one page of the store holds. All others are dropped, counted as `session_ended`. Owned
// by the broker, and owns the session, which nobody else knows any more; what a crash or a stop interrupts is begun
// again by the next start. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "broker-core/base/ring.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/session/session.h"

namespace furrow::broker {

class Departure final : private AckSink {
 public:
  // What a group still has in its own queue waits there again at once, in its place; the rest is proceed()'s.
  // REQUIRES: the session has an outbox and no connection.
  Departure(std::unique_ptr<Session> session, const Session::Shared& shared, Instant now);
  ~Departure();
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

  // Call after a turn in which pages or durability may have arrived.
  void proceed(Instant now);
  // How many are left; with none, the queue may be removed.
  std::uint64_t messages() const { return session_->outbox()->messages(); }
  Session& session() const { return *session_; }

 private:
  // One more copy, the next of moving_, is safe.
  void write_acknowledgement(mqtt::PacketType, PacketId, mqtt::ReasonCode) override { ++safe_; }
  void return_pulled(Instant now);
  SharedGroup* group_for(const Outbox::Entry& entry) const;

  const std::unique_ptr<Session> session_;
  const Session::Shared& shared_;
  Ring<Sequence> moving_;                                   // copies that are not safe, or not known to be
  std::size_t safe_ = 0;                                    // of moving_, the first ones
  Ref<AckQueue> acknowledgements_ = AckQueue::make(*this);  // one for each of moving_
};

}  // namespace furrow::broker
