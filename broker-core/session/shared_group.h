// A shared subscription: each message goes to one of its members [MQTT 5.0 §4.8.2].
//
// Messages of QoS 1 and 2 are in the group's outbox until they are settled, whoever has them: a member that has room
// takes the next one in flight, and its window settles it here or gives it back (session/inflight.h). So a message that
// a member holds is as safe as one that waits. The outbox becomes durable with the first member whose session is
// durable, and stays so for as long as the group lives. The member with least in flight is asked first among those that
// have room, in turn where several have as little; members that are away are passed over. When a member's session ends,
// its unfinished messages of QoS 1 wait here again, those of QoS 2 are dropped [MQTT-4.8.2-4, -5]. A member that
// unsubscribes keeps what it has in flight [MQTT-3.10.4-3]: the group ends once it has neither members nor messages.
// QoS 0 is written at once or not at all. After a change of the access rules members may have different rights: a
// message goes to those that may have it, waits for them if they are away, and is dropped when there are none. Owned by
// Groups; refers to sessions, which leave it before they end. Thread: loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/publication.h"
#include "broker-core/session/outbox.h"
#include "broker-core/session/session.h"

namespace furrow::broker {

class SharedGroup final : public Destination, private OutboxOwner {
 public:
  // `filter` is the whole of `$share/GROUP/FILTER`.
  SharedGroup(std::string filter, SubscriberId subscriber, Session::Shared& shared);
  // A group whose queue was found at start.
  SharedGroup(std::string filter, SubscriberId subscriber, QueueId queue, const CursorRow& cursor,
              Session::Shared& shared);
  SharedGroup(const SharedGroup&) = delete;
  SharedGroup& operator=(const SharedGroup&) = delete;

  const std::string& filter() const { return filter_; }
  SubscriberId subscriber() const { return subscriber_; }
  bool durable() const { return outbox_.durable(); }
  Outbox& outbox() { return outbox_; }
  const Outbox& outbox() const { return outbox_; }

  // The session's subscription, new or replaced.
  void set_member(Session& session, const SubscriptionOptions& options);
  // The session keeps its messages in flight; with the last member, messages that wait are dropped, counted as
  // `session_ended`.
  void remove_member(Session& session, Instant now);
  bool has_members() const { return !members_.empty(); }
  std::size_t members() const { return members_.size(); }
  // Whether the group has neither members nor messages.
  bool has_ended() const { return members_.empty() && outbox_.messages() == 0; }
  // The highest QoS that any member was granted, for routing.
  mqtt::Qos qos() const;

  // From now on the messages are kept in the store, in a new queue.
  void make_durable(QueueId queue, Instant now);

  void deliver(Publication& publication, const RoutedDelivery& delivery) override;
  bool refuses(const Publication& publication, const RoutedDelivery& delivery) const override;

  // A member may have room: gives waiting messages to members.
  void hand_out(Instant now);

 private:
  struct Member {
    Session* session;
    SubscriptionOptions options;
  };

  void handle_progress(Instant now) override { hand_out(now); }
  Member* pick(bool needs_room, std::string_view topic);
  bool any_may_have(std::string_view topic) const;
  void give_next(Member& member, Instant now);
  void drop_waiting(Instant now);
  static Outbox::Options options(QueueId queue, const Session::Shared& shared, OutboxOwner& owner);

  // Constant after construction.
  const std::string filter_;
  const SubscriberId subscriber_;
  Session::Shared& shared_;

  std::vector<Member> members_;
  std::size_t turn_ = 0;  // who is asked first
  bool handing_out_ = false;
  Outbox outbox_;
};

}  // namespace furrow::broker
