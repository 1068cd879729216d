// The buffer of one bridge: takes messages of local publishers, and keeps them until a bridge has delivered them.
//
// Owns what outlives a connection, and the bridge itself: the queue, the window of what is in flight, the rules, the
// books, and our half of the session at the far broker. A bridge attaches to it and sends from it; without one messages
// go on to be taken, as while the far broker is away. A buffer whose bridge is disabled, or not in the configuration
// any more, takes nothing and keeps what it has. Rules and limits may change while it runs. Records hold the local
// topic: the rules map it when it is sent, so that changed rules apply to what waits. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/echoes.h"
#include "bridge/far_session.h"
#include "bridge/found.h"
#include "bridge/lane.h"
#include "bridge/lanes.h"
#include "bridge/loop_guard.h"
#include "bridge/pause.h"
#include "bridge/quarantine.h"
#include "bridge/rule_set.h"
#include "bridge/snapshot.h"
#include "bridge/wants.h"
#include "broker-core/broker.h"
#include "broker-core/publication.h"
#include "broker-core/session/books.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/outbox.h"
#include "broker-core/subscription_watch.h"

namespace furrow::bridge {

class Buffer final : private broker::Destination,
                     private broker::SubscriptionWatch,
                     private Lane::Owner,
                     private broker::StoreWaiter {
 public:
  // The way up of a bridge, which sends from the buffer.
  class Sender {
   public:
    // Whether a message may leave now: one of the queue, or one of QoS 0 that send_once() takes. `urgent`: of high
    // priority, for which hold() does not hold.
    virtual bool ready(bool urgent) const = 0;
    virtual bool takes_once(bool urgent) const = 0;
    // Whether the far broker takes a message of this size.
    virtual bool fits(const broker::Publication& publication, const TopicMap::Mapping& mapping, mqtt::Qos qos) = 0;
    // How long what is sent waits for more before it leaves.
    virtual Duration gathers_for() const = 0;
    // Sends a message of QoS 0 past the queue, or drops it; says with Buffer::pass() what became of it.
    virtual void send_once(const broker::Message::Fields& fields, const TopicMap::Mapping& mapping, bool retain,
                           Instant now) = 0;
    // Messages of QoS 0 that it has from the buffer, or from send_once(), and has not counted yet.
    virtual std::uint64_t uncounted() const = 0;
    // More can be sent than before.
    virtual void pump(Instant now) = 0;
    // Whose turn it is: of a backlog that leaves at the pace of the drain; urgent; of a rule that has a pace of its
    // own.
    struct Turn {
      bool drained = false;
      bool urgent = false;
      RulePace* pace = nullptr;
    };
    virtual void begin_turn(Turn turn) = 0;
    // A retained value was removed by a message that was dropped, because nothing can be sent.
    virtual void note_removed(std::string_view topic) = 0;

   protected:
    ~Sender() = default;
  };

  // `found` is the bridge as the store had it; without a queue a new one is made. Takes nothing before it has rules and
  // set_taking() says so. `broker` must outlive it.
  Buffer(const std::string& name, const Found& found, broker::Broker& broker);
  // At the end of the process only: messages that are not in the store go with it.
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  const std::string& name() const { return name_; }
  // Stores it under another name, with our half of the far session.
  void rename(const std::string& name);
  // The publisher of what came down by this bridge: it does not go up again.
  broker::SubscriberId subscriber() const { return subscriber_; }

  // --- what may change while it runs ---
  // REQUIRES: as TopicMap. With `live_first`, what comes while a backlog waits leaves before it.
  void set_rules(std::vector<Rule> rules, bool live_first, Instant now);
  // Messages over a lowered limit stay until others come that need their room.
  void set_limits(const broker::OutboxLimits& limits);
  void set_taking(bool taking);
  // `gateway_id`: this gateway's, on the paths of messages.
  void set_loop_guard(const LoopGuard& guard, const std::string& gateway_id);
  const std::string& gateway_id() const { return gateway_id_; }
  // Whether what it takes goes on to other gateways of a mesh (broker-core/mesh.h).
  void set_meshed(bool meshed);
  // A message since the last call that was not passed on for the gateways that it came by.
  std::optional<Circling> poll_circling() { return std::exchange(circling_, std::nullopt); }
  // Messages that we send and the far side sends back; and whether any can come back, by the rules.
  Echoes& echoes() { return echoes_; }
  bool may_come_back() const { return may_come_back_; }
  // Whether an operator wants the bridge to rest; the buffer takes messages as before. The row goes with the next
  // batch. The bridge is to be told: Bridge::handle_pause_changed().
  const std::optional<Pause>& pause() const { return pause_; }
  void set_pause(std::optional<Pause> pause);

  // --- sending ---
  // REQUIRES: nobody is attached.
  void attach(Sender& sender);
  // Disconnects the window. Messages in flight stay so, and the next sender resumes them.
  void detach();
  broker::Inflight& window() { return inflight_; }
  const broker::Inflight& window() const { return inflight_; }
  // Drops messages that have waited longer than their rules allow, among those that could leave now: `room` of them.
  void drop_outdated(std::size_t room, Instant now);
  // As Lane::thin(), in each lane; then, sends what may leave, after what is in flight.
  bool thin(std::size_t room, Instant now);
  void send(Instant now);
  // A connection begins: what waits is the backlog.
  void begin_connection() { lanes_.begin_backlogs(); }
  // When the next message that its rule holds back may leave.
  Instant pace_due() const { return lanes_.pace_due(); }
  // When values that are held leave; then, lets them.
  Instant thinning_due() const;
  void release_held(Instant now);
  // The far side may not have what crossed before.
  void forget_crossed();
  // Counts messages that have expired while nothing is sent.
  void expire(Instant now);
  void pass(broker::Outbox::Outcome outcome, Instant now, broker::DropReason reason = broker::DropReason::QueueFull) {
    lanes_.normal().pass(outcome, now, reason);
  }

  // --- quarantine ---
  // The far broker does not take a message that is in flight, and is asked no more: unless it has the message already,
  // the quarantine gets it. REQUIRES: Inflight::open_messages() has it, and the quarantine a place.
  struct SetAside {
    std::string topic;        // empty: it has left memory, as the far broker has it
    std::uint64_t bytes = 0;  // of the payload
    mqtt::Qos qos = mqtt::Qos::ExactlyOnce;
    bool is_kept = false;  // in the quarantine; else the far broker has it
  };
  SetAside set_aside(QueueId queue, Sequence sequence, Instant now);
  // Whether it is still to be delivered; and a hash of its topic and payload, 0 when it has left memory.
  bool has(QueueId queue, Sequence sequence) const;
  std::uint64_t hash_of(QueueId queue, Sequence sequence) const;
  Quarantine& quarantine() { return quarantine_; }
  const Quarantine& quarantine() const { return quarantine_; }

  // --- numbers ---
  // The sequence of a message is its number for the far side, once it is on disk that no other message gets it. Whether
  // to send now: all that waits has a number, or the disk takes nothing, which holds up nobody. When it changes, the
  // sender is told.
  bool numbers_are_ready();
  // The number that a message of this queue may leave with; 0: none, as the disk takes nothing.
  std::uint64_t number_of(QueueId queue, Sequence sequence) const {
    return sequence < numbers_safe_ ? lanes_.number(queue, sequence) : 0;
  }
  // The wall clock at `then`, if it can be trusted.
  std::optional<WallTime> wall_time(Instant then, Instant now) const;
  // The highest that the next message may have.
  std::uint64_t next_number() const;

  // --- the way down ---
  FarSession& far_session() { return far_session_; }
  const TopicMap& map() const { return rules_.map(); }
  const RuleSet& rules() const { return rules_; }
  // Looks at what is wanted now of rules that bring down no more than that. True when the subscriptions have changed.
  bool review_wants(Instant now);
  Instant wants_due() const { return wants_.next_deadline(); }
  // A message came; then, it was routed by this rule, unless that has gone meanwhile.
  void count_received() { ++received_; }
  void count_routed(std::optional<std::size_t> rule) {
    ++routed_;
    if (rule) rules_.count_down(*rule);
  }

  // Whether a message may go out now, with nothing waiting before it but what its rule holds back.
  bool direct(Instant now) const;

  // --- for the operator ---
  const Lanes& lanes() const { return lanes_; }
  // Drops all that waits or is in flight, counted as `purged`. What is in flight may be at the far broker already; its
  // acknowledgement then changes nothing.
  void purge(Instant now);

  // --- what is where ---
  std::uint64_t waiting() const { return lanes_.messages(); }
  std::optional<Instant> oldest() const;  // of those in memory
  // Whether any of them is of high priority.
  bool has_urgent() const;
  // But for what thinning holds.
  std::uint64_t backlog() const {
    return lanes_.sum([](const Lane& lane) { return lane.backlog(); });
  }
  // Of QoS 1 and 2, but for what is in the output.
  std::uint64_t inflight() const {
    return lanes_.sum([](const Lane& lane) { return lane.inflight(); });
  }
  std::uint64_t delivered() const {
    return lanes_.sum([](const Lane& lane) { return lane.books().delivered; });
  }
  std::uint64_t received() const { return received_; }
  // Everything but the connection.
  void describe(Snapshot& snapshot) const;

 private:
  // Destination
  void deliver(broker::Publication& publication, const broker::RoutedDelivery& delivery) override;
  bool refuses(const broker::Publication& publication, const broker::RoutedDelivery& delivery) const override;
  bool may_refuse() const override { return limits_.when_full == broker::WhenFull::Refuse; }
  bool guards_path() const override { return loop_guard_.mode != LoopGuard::Mode::Off; }
  bool is_meshed() const override { return meshed_ && taking_; }

  // SubscriptionWatch: everybody's, also that of another bridge
  void handle_subscribed(std::string_view filter, broker::SubscriberId subscriber) override;
  void handle_unsubscribed(std::string_view filter, broker::SubscriberId subscriber) override;

  // Lane::Owner
  void handle_progress(Instant now) override;
  void await_store() override;
  void send_released(Lane& lane, const Thinning::Held& held, Instant now) override;
  // StoreWaiter
  void handle_store_progress(Instant now) override;

  // At which the message was published, and at which it crosses.
  struct QosPair {
    mqtt::Qos here;
    mqtt::Qos there;
  };
  void enqueue(broker::Publication& publication, const TopicMap::Mapping& mapping, Lane& lane, QosPair qos,
               bool retain);
  // That of a message of the rule which comes now.
  Lane& lane_of(std::size_t rule, bool retain) const;
  bool is_direct(const Lane& lane, Instant now) const {
    return sender_ != nullptr && sender_->ready(lane.place().urgent()) && !lane.outbox().has_waiting() &&
           !lane.holds_back(now);
  }
  // Whether it would circle; then it is dropped.
  bool circles(const broker::Publication& publication, const TopicMap::Mapping& mapping);
  Duration patience() const;
  void restore(const broker::ExchangeRow& row);
  // Subscribes locally to the filters that only `wanted` has, and unsubscribes those that only `had` has.
  void subscribe(const std::vector<std::string>& had, const std::vector<std::string>& wanted);
  std::vector<std::string> local_filters() const;
  // Looks at all subscriptions there are, where a rule asks for it.
  void look_for_wants();
  std::vector<FarSubscriptions::Wish> wishes() const;

  std::string name_;  // changes with rename()
  // Constant after construction.
  broker::Broker& broker_;

  // Changes with set_*().
  broker::OutboxLimits limits_;
  RuleSet rules_;
  Wants wants_;
  bool watches_ = false;  // subscriptions, for wants_
  bool live_first_ = false;
  bool taking_ = false;
  LoopGuard loop_guard_;
  bool meshed_ = false;
  std::string gateway_id_;
  std::optional<Circling> circling_;
  Echoes echoes_;
  bool may_come_back_ = false;  // what goes up, by the rules
  std::optional<Pause> pause_;

  broker::SubscriberId subscriber_;
  Lanes lanes_;
  Quarantine quarantine_;
  broker::Inflight inflight_;
  FarSession far_session_;
  Sender* sender_ = nullptr;

  Sequence numbers_safe_;    // on disk: numbers below this one are given to no other message
  BatchNumber reserved_in_;  // has FarSession::numbers_end()
  bool awaits_store_ = false;

  std::uint64_t received_ = 0;  // on the way down, since the start
  std::uint64_t routed_ = 0;
};

// The buffers of all bridges that there are, or have been: whatever becomes of a bridge, its buffer is here.
class Buffers {
 public:
  // Those whose queues the store had. `restored` is what the broker has left of it, and `broker` must outlive this.
  Buffers(broker::Restored restored, broker::Broker& broker);

  // That of the bridge with this name; a new one if there is none.
  Buffer& of(const std::string& name);
  enum class Renaming : std::uint8_t { Done, NothingToDo, Refused };
  // The buffer of `from` becomes that of `to`, with all that it holds; whoever refers to it goes on to do so. What a
  // crash has left half done is completed: then the buffer has its new name already, and the row of its far session has
  // not. Refused where both have a buffer: these stay as they are.
  Renaming rename(const std::string& from, const std::string& to);
  template <typename Visit>
  void for_each(Visit visit) {
    for (const auto& [name, buffer] : buffers_) visit(*buffer);
  }

 private:
  // Rows under `from` are rows of `to` from now on.
  void rename_restored(const std::string& from, const std::string& to);

  broker::Restored restored_;
  broker::Broker& broker_;
  std::map<std::string, std::unique_ptr<Buffer>> buffers_;
};

}  // namespace furrow::bridge
