// A shared subscription: each message goes to one of its members [MQTT 5.0 §4.8.2].
//
// The member with the least in flight takes it, in turn where several have as little; who is away is passed over. A
// message of QoS 1 or 2 that no member has room for waits in the group's own queue, which is durable from the first
// member on whose session is, and members pull from it as their windows allow. A message that a member has pulled stays
// in the group's queue until it is safe with the member: acknowledged by it, or written to its queue in the same batch.
// When a member's session ends, its unfinished QoS 1 messages go back to the group (departure.h); those of QoS 2 end
// with the session [MQTT-4.8.2-4, -5]. Owned by the broker; refers to sessions, which leave it before they end.
// Thread: loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/publication.h"
#include "broker-core/session/outbox.h"
#include "broker-core/session/session.h"
#include "tsl/robin_map.h"

namespace furrow::broker {

class SharedGroup final : public Destination, private OutboxOwner {
 public:
  // `filter` is the whole of `$share/GROUP/FILTER`.
  SharedGroup(GroupId id, std::string filter, SubscriberId subscriber, Session::Shared& shared);
  ~SharedGroup();

  GroupId id() const { return id_; }
  const std::string& filter() const { return filter_; }
  SubscriberId subscriber() const { return subscriber_; }
  bool empty() const { return members_.empty(); }
  bool durable() const { return outbox_->durable(); }
  QueueId queue() const { return outbox_->queue(); }

  // The session's subscription, new or replaced.
  void set_member(Session& session, const SubscriptionOptions& options);
  // Its unfinished messages stay with the session.
  void remove_member(Session& session);
  // The highest QoS that any member was granted, for routing.
  mqtt::Qos qos() const;

  // From now on what waits here is kept in the store, in a new queue.
  void make_durable(QueueId queue, Instant now);
  // At start: the queue as found in the store. REQUIRES: nothing waits.
  void restore(QueueId queue, const CursorRow& cursor);

  void deliver(Publication& publication, const RoutedDelivery& delivery) override;
  bool refuses(const Publication& publication, const RoutedDelivery& delivery) const override;

  // --- for sessions ---
  // The session has room: gives members what waits.
  void pull(Instant now);
  // A message that came from here is done with, or written to the session's queue.
  void handle_safe(const Session& session, Sequence sequence, Instant now);

  // --- for sessions that end ---
  // The message waits here again, in its place. False when it is not in this queue: it is safe with the session, or
  // never was here.
  bool requeue(const Session& session, Sequence sequence);
  // Takes a copy of one that is not; `ticket` is completed once that is as safe as this queue makes it.
  void take_back(const Outbox::Entry& entry, AckTicket ticket, Instant now);

 private:
  struct Member {
    Session* session;
    SubscriptionOptions options;
  };
  // A pulled message: who has it, under which sequence of its own.
  struct Pulled {
    std::uint32_t session;
    std::uint64_t sequence;
    friend bool operator==(const Pulled&, const Pulled&) = default;
  };
  struct PulledHash {
    std::size_t operator()(const Pulled& pulled) const {
      return static_cast<std::size_t>((pulled.sequence << 20U) ^ pulled.session);
    }
  };

  void handle_progress(Instant now) override { pull(now); }
  Member* pick(bool needs_room);
  void give(Outbox::Entry& entry, Member& member, Instant now);
  Outbox::Options options(QueueId queue);

  // Constant after construction.
  const GroupId id_;
  const std::string filter_;
  const SubscriberId subscriber_;
  Session::Shared& shared_;

  std::vector<Member> members_;
  std::size_t turn_ = 0;  // who is asked first
  bool pulling_ = false;
  std::unique_ptr<Outbox> outbox_;
  tsl::robin_map<Pulled, Sequence, PulledHash> pulled_;  // → the message here
};

}  // namespace furrow::broker
