// The way down: subscriptions at the far broker, and what it sends on to local subscribers.
//
// A message is acknowledged to the far broker once it is safe here, in order of receipt. QoS 2 identifiers are stored
// with their message, before PUBREC, so that a message sent again after a crash of either side is taken once. What a
// local queue refuses is answered 0x97; in 3.1.1, which cannot say so, it is not acknowledged and comes again with the
// next connection. Received = routed + dropped, always. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "bridge/remote_session.h"
#include "bridge/topic_map.h"
#include "broker-core/broker.h"
#include "broker-core/session/ack_queue.h"

namespace furrow::bridge {

class WayDown final : private broker::AckSink {
 public:
  // `self` is whose messages these are, so that they do not go up again; `queue` is where QoS 2 identifiers are kept,
  // and `exchanges` what was found there. `map`, `remote` and `broker` must outlive it.
  WayDown(const TopicMap& map, RemoteSession& remote, broker::Broker& broker, broker::SubscriberId self, QueueId queue,
          std::span<const broker::ExchangeRow> exchanges);
  ~WayDown() { disconnect(); }

  // CONNACK came: subscribes, with identifiers taken from `next_packet_id`.
  void connect(bool session_present, const std::function<PacketId()>& next_packet_id, Instant now);
  // The connection is gone; acknowledgements that still wait are not sent.
  void disconnect();

  void handle_publish(const mqtt::Publish& publish, Instant now);
  void handle_pubrel(PacketId packet_id);
  // Empty, or the filter that the far broker refused and why.
  std::string handle_suback(const mqtt::Suback& suback);
  // The far broker has sent what it may and waits for us.
  void handle_dry();

  std::size_t acknowledgements_waiting() const { return acknowledgements_ ? acknowledgements_->waiting() : 0; }
  std::uint64_t received() const { return received_; }
  std::uint64_t routed() const { return routed_; }
  // No rule took it, or a local queue refused it.
  std::uint64_t dropped() const { return received_ - routed_; }
  std::uint64_t taken_by(std::size_t rule) const { return taken_[rule]; }

 private:
  struct Pending {
    PacketId packet_id;
    std::size_t rule;
  };

  void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) override;
  void subscribe(std::size_t rule, bool session_present, PacketId packet_id);
  std::optional<TopicMap::Mapping> map_topic(const mqtt::Publish& publish) const;
  // Routes it; `ticket` is completed once it is safe. False when it was refused, and then it was completed with why.
  bool route(const mqtt::Publish& publish, const TopicMap::Mapping& mapping, broker::AckTicket ticket,
             const broker::ExchangeRow* exchange, Instant now);
  void handle_exactly_once(const mqtt::Publish& publish, Instant now);
  broker::AckTicket ticket(mqtt::PacketType type, PacketId packet_id);
  broker::ExchangeRow row(PacketId packet_id, broker::ExchangeRow::State state) const;

  // Constant after construction.
  const TopicMap& map_;
  RemoteSession& remote_;
  broker::Broker& broker_;
  const broker::SubscriberId self_;
  const QueueId queue_;

  Ref<broker::AckQueue> acknowledgements_;     // of the present connection
  std::vector<Pending> pending_;               // SUBSCRIBE without SUBACK
  std::size_t granted_ = 0;                    // subscriptions that the far session is known to have
  std::unordered_set<PacketId> received_ids_;  // QoS 2, not yet released [MQTT-4.3.3-10]
  std::uint64_t received_ = 0;
  std::uint64_t routed_ = 0;
  std::vector<std::uint64_t> taken_;  // by rule
  std::string topic_;                 // the local topic of the message being routed
  ByteBuffer properties_;             // and its properties
};

}  // namespace furrow::bridge
