// One network connection of a client: bytes in, packets checked against the state table, bytes out.
//
//   state \ packet   CONNECT  PUBLISH PUBACK… SUBSCRIBE UNSUBSCRIBE PINGREQ DISCONNECT  AUTH
//   AwaitConnect     accept   close   close   close     close       close   close       close
//   Connected        close    route   window  subscribe unsubscribe answer  close       close
//   Closing          everything is ignored; what is in the output is flushed, then the network connection is closed
//
// While a CONNACK or SUBACK waits for the store, the connection is held: what arrives is kept and handled afterwards, and the
// caller should stop reading. Owned by the broker. Spec: MQTT 5.0 §3, §4; MQTT 3.1.1 §3.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/limits.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/session.h"

namespace furrow::broker {

class Broker;

class Connection final : public AckSink, public PublishSink {
 public:
  Connection(ConnectionId id, std::string peer, Broker& broker, Instant now);
  ~Connection();

  ConnectionId id() const { return id_; }
  // The network address, for the log.
  const std::string& peer() const { return peer_; }
  mqtt::Version version() const { return decoder_.version(); }
  Session* session() const { return session_; }
  bool closing() const { return state_ == State::Closing; }

  void handle_bytes(ByteView bytes, Instant now);
  // The network connection is gone, or is about to be closed by us. Ends what it had with its session; idempotent.
  // `graceful`: DISCONNECT came, so there is no will to publish.
  void end(bool graceful, Instant now);
  // Says goodbye as the version can, and closes. The log says why.
  void close(mqtt::ReasonCode reason, std::string_view why, Instant now);
  // What is held may be durable now.
  void resume(Instant now);
  bool held() const { return held_ != nullptr; }

  // What is to be written to the network.
  ByteBuffer& output() { return output_; }
  // The socket took bytes: perhaps more can be sent.
  void handle_sent(Instant now);

  // Acknowledgements that this publisher waits for.
  std::size_t acknowledgements_waiting() const { return acknowledgements_ ? acknowledgements_->waiting() : 0; }

  // QoS 0, at once or not at all: counted as dropped when the client does not read.
  void write_qos0(Publication& publication, const RoutedDelivery& delivery);

  bool writable() const override { return output_.size() < kOutputBytesMax; }
  Outcome write_publish(const Message& message, const Delivery& delivery, Instant now) override;
  void write_pubrel(PacketId packet_id, mqtt::ReasonCode reason) override;
  void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) override;

  // When something is due if nothing arrives: the CONNECT, or 1.5 × keep-alive [MQTT-3.1.2-22].
  Instant deadline() const;
  void handle_timeout(Instant now);

 private:
  enum class State : std::uint8_t { AwaitConnect, Connected, Closing };

  // What waits for the store before this connection goes on.
  struct Held {
    BatchNumber until;
    ByteBuffer input;     // what arrived meanwhile
    ByteBuffer response;  // the CONNACK or SUBACK
    bool session_starts = false;   // CONNACK: the session's messages follow
    bool session_present = false;
    std::vector<Subscription> retained;  // SUBACK: subscriptions whose retained messages follow
  };

  void decode(ByteView bytes, Instant now);
  void handle_packet(const mqtt::Packet& packet, Instant now);
  void handle(const mqtt::Connect& packet, Instant now);
  void handle(const mqtt::Publish& packet, Instant now);
  void handle(const mqtt::Puback& packet, Instant now);
  void handle(const mqtt::Pubrec& packet, Instant now);
  void handle(const mqtt::Pubrel& packet, Instant now);
  void handle(const mqtt::Pubcomp& packet, Instant now);
  void handle(const mqtt::Subscribe& packet, Instant now);
  void handle(const mqtt::Unsubscribe& packet, Instant now);
  void handle(const mqtt::Pingreq& packet, Instant now);
  void handle(const mqtt::Disconnect& packet, Instant now);
  void handle_unexpected(std::string_view what, Instant now);
  // Packets that a server never receives are refused by the decoder.
  template <typename Other>
  void handle(const Other&, Instant now) {
    handle_unexpected("a packet that only a server sends", now);
  }

  bool publish_allowed(const mqtt::Publish& packet, Instant now);
  void publish_exactly_once(const mqtt::Publish& packet, const Message::Fields& fields, Instant now);
  void refuse_connect(mqtt::ReasonCode reason, std::string_view why, Instant now);
  void accept_connect(const mqtt::Connect& packet, std::string client_id, bool assigned, Instant now);
  ByteBuffer connack(const mqtt::Connect& packet, bool session_present, bool assigned) const;
  mqtt::ReasonCode subscribe(const mqtt::SubscriptionRequest& request, std::uint32_t subscription_id, Held& held);
  // Sends held.response and what follows it: now if that is durable, else once it is.
  void hold(Held held, Instant now);
  void finish_hold(Held& held, Instant now);
  AckQueue& acknowledgements();
  AckTicket ticket(mqtt::PacketType type, PacketId packet_id);
  void written();

  // Constant after construction.
  const ConnectionId id_;
  Broker& broker_;
  const std::string peer_;

  State state_ = State::AwaitConnect;
  bool ended_ = false;
  bool ready_ = false;  // in the broker's list of connections with something to do for the caller
  friend class Broker;
  mqtt::Decoder decoder_;
  ByteBuffer output_;
  Session* session_ = nullptr;
  Ref<AckQueue> acknowledgements_;  // made when the first one has to be written
  std::unique_ptr<Held> held_;

  // What CONNECT said.
  std::uint32_t packet_bytes_max_ = mqtt::kRemainingLengthMax;  // of the client [MQTT-3.1.2-24]
  std::uint16_t keep_alive_s_ = 0;
  bool problem_information_ = true;
  std::uint16_t inbound_ = 0;  // QoS 1 and 2 messages received and not yet acknowledged
  Instant last_received_;
};

}  // namespace furrow::broker
