// The way down: subscriptions at the far broker, and its messages on to local subscribers.
//
// A message is acknowledged to the far broker once it is safe here, in order of receipt. QoS 2 identifiers are stored
// with their message, before PUBREC, so that a message sent again after a crash of either side is taken once; so is one
// of QoS 1 that is repeated with DUP before its answer has left. Identifiers are off the disk before the far broker can
// use them again: before PUBCOMP, and when it has lost its session before SUBSCRIBE, since nothing comes without one.
// Else a crash would bring an identifier back, and the new message under it would be taken for the old one: answered,
// and lost. A message that a local queue refuses is held unacknowledged until there is room; the far broker's window
// bounds their number, and where it has none, reading pauses. Received = routed + dropped, always, once it is decided.
//
// The first rule in the file that takes a topic decides about it; copies that other subscriptions bring are
// acknowledged and dropped. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "bridge/buffer.h"
#include "bridge/remote_session.h"
#include "bridge/topic_map.h"
#include "broker-core/broker.h"
#include "broker-core/session/ack_queue.h"

namespace furrow::bridge {

class WayDown final : private broker::AckSink, private broker::HeldPublishes::Owner {
 public:
  // `buffer` has the rules, our half of the far session, and the packet identifiers for SUBSCRIBE. It, `remote` and
  // `broker` must outlive this.
  WayDown(Buffer& buffer, RemoteSession& remote, broker::Broker& broker)
      : buffer_(buffer), session_(buffer.far_session()), remote_(remote), broker_(broker) {}
  ~WayDown() { disconnect(); }

  // The far session as it is known when CONNACK has come.
  struct Welcome {
    bool session_present = false;
    // A CONNECT before this one may have made the session, whose answer never came.
    bool doubtful = false;
    // What it retains is compared with what is here; and asked for, though it has the subscriptions.
    bool compares = false;
    bool refresh = false;
    // What came in here since then may not be known there yet; kNever: nothing.
    Instant unsure_since = kNever;
  };
  // CONNACK came: subscribes, once nothing that the far session may send can be taken for something else, and
  // unsubscribes what no rule wants any more.
  void connect(Welcome welcome);
  // The rules of the buffer have changed, or what is wanted of them: says the difference, if there is a connection.
  void handle_rules_changed();
  // Asks the far broker again what it retains.
  void refresh();
  // Until when it shows that, as far as can be told; kNever: it has not begun to. What is equal to the value here is
  // acknowledged and dropped meanwhile, and so is what one of ours is about to replace.
  Instant shown_until() const { return shown_until_; }
  // Whether it has shown the value that this local topic has here.
  bool has_shown(std::string_view topic) const { return shown_.contains(std::hash<std::string_view>()(topic)); }
  // The connection is gone; acknowledgements that still wait are not sent.
  void disconnect();

  void handle_publish(const mqtt::Publish& publish, Instant now);
  void handle_pubrel(PacketId packet_id);
  // Empty, or the filter that the far broker refused to add or to remove, and why.
  std::string handle_suback(const mqtt::Suback& suback, Instant now);
  std::string handle_unsuback(const mqtt::Unsuback& unsuback, Instant now);
  // The far broker has sent all that it may and waits for us.
  void handle_dry();

  std::size_t acknowledgements_waiting() const { return acknowledgements_ ? acknowledgements_->waiting() : 0; }
  // Messages that a local queue refuses for now.
  std::size_t held() const { return held_ ? held_->size() : 0; }

 private:
  void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) override;
  bool is_another_message(const mqtt::Publish& publish);
  // Subscribes: from now on no message that the far session may send can be taken for another one.
  void begin_subscriptions();
  void say_subscriptions();
  // Says them once all rows that were put are on disk.
  void say_once_stored();
  void subscribe(const FarSubscriptions::One& one, PacketId packet_id);
  // How the message is called here; nothing for what is not taken.
  std::optional<TopicMap::Mapping> map_topic(const mqtt::Publish& publish, Instant now);
  std::optional<TopicMap::Mapping> find_rule(const mqtt::Publish& publish, Instant now) const;
  // Whether a retained value is neither what we have, nor older than that.
  bool is_news(const broker::Message::Fields& fields, const Rule& rule, Instant now);
  // Routes the message; `ticket` is completed once it is safe. A refused one is dropped at QoS 0, else held.
  void route(const mqtt::Publish& publish, const TopicMap::Mapping& mapping, broker::AckTicket ticket,
             const broker::ExchangeRow* exchange, Instant now);
  // What the message says of itself here; in properties_.
  mqtt::PropertyView local_properties(const mqtt::Publish& publish);
  bool is_repeated(const mqtt::Publish& publish) const;
  void handle_exactly_once(const mqtt::Publish& publish, Instant now);
  void handle_taken(const broker::HeldPublishes::Held& held, bool had) override;
  // `exactly_once`: the identifier of a message of QoS 2, which is received until its PUBREL.
  // `had`: it had come by another way, and was not.
  void count_routed(std::optional<std::size_t> rule, std::optional<PacketId> exactly_once, bool had);
  broker::AckTicket ticket(mqtt::PacketType type, PacketId packet_id);

  // Constant after construction.
  Buffer& buffer_;
  FarSession& session_;
  RemoteSession& remote_;
  broker::Broker& broker_;

  // Of the present connection.
  Welcome welcome_;
  Instant shown_until_ = Instant::min();
  Instant shown_at_most_until_ = Instant::min();
  std::unordered_set<std::size_t> shown_;  // hashes of topics whose values are the same here and there
  bool subscribing_ = false;               // what is to be said is said at once
  Ref<broker::AckQueue> acknowledgements_;
  // SUBSCRIBE, while it waits for identifiers to leave the disk, or for itself to be there.
  Ref<broker::AckQueue> storing_;
  std::unique_ptr<broker::HeldPublishes> held_;
  std::unordered_set<PacketId> doubted_ids_;  // received, and whether the far session knows them is not known

  bool retained_came_ = false;  // since the socket was dry
  std::string topic_;           // the local topic of the message being routed
  ByteBuffer properties_;       // and its properties
};

}  // namespace furrow::bridge
