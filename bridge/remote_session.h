// The client side of MQTT on one network connection to the far broker: CONNECT to DISCONNECT, bytes in, packets out.
//
//   state \ event   CONNACK    PUBLISH, acknowledgements, SUBACK   PINGRESP   DISCONNECT, AUTH   silence
//   Closed          everything is ignored
//   AwaitConnack    decide     lost                                lost       lost               silent after 10 s
//   Connected       lost       to the handler                      –          lost               PINGREQ, then lost
//
// Obeys what CONNACK says (RemoteLimits). Knows nothing of queues, topic rules or when to connect: that is the
// handler's. Reused for connection after connection; remembers an assigned client identifier. Thread: loop. Time:
// passed in. Spec: MQTT 5.0 §3; MQTT 3.1.1 §3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/diagnosis.h"
#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/topic_aliases.h"
#include "broker-core/stream_state.h"

namespace furrow::bridge {

// The limits of the far broker: what is known of it before, and what CONNACK says; the stricter holds. The defaults are
// those of the specification.
struct RemoteLimits {
  std::uint16_t receive_maximum = 65'535;
  mqtt::Qos maximum_qos = mqtt::Qos::ExactlyOnce;
  bool retain_available = true;
  bool subscription_ids_available = true;
  std::uint32_t packet_bytes_max = 0xFFFF'FFFF;
  std::size_t topic_bytes_max = mqtt::kStringBytesMax;
  std::size_t topic_levels_max = mqtt::kStringBytesMax + 1;

  bool take(std::string_view topic) const {
    if (topic.size() > topic_bytes_max) return false;
    return topic.size() < topic_levels_max || mqtt::level_count(topic) <= topic_levels_max;
  }
};

class RemoteSession {
 public:
  // Retained, at QoS 1.
  struct Will {
    std::string_view topic;
    std::string_view payload;
  };
  struct Options {
    std::string client_id;
    std::string gateway_id;  // told to the far broker; empty: not
    std::optional<std::string> username;
    Duration keep_alive{};                // whole seconds; 0 = none
    std::uint32_t session_expiry_s = 0;   // 0: the far session ends with the connection
    std::uint32_t packet_bytes_max = 0;   // we take no larger packets; 0 = no limit
    std::uint16_t receive_maximum = 100;  // we take no more unacknowledged messages
    RemoteLimits known;                   // of the far broker, whatever CONNACK says
  };

  // Is told what came. May call close() from within, and any of the writing methods.
  class Handler {
   public:
    virtual void handle_accepted(bool session_present, Instant now) = 0;
    virtual void handle_refused(const mqtt::Connack& connack, Instant now) = 0;
    // CONNECT was answered with something that is not MQTT, or not at all for 10 s. The handler calls close().
    virtual void handle_stranger(Stranger stranger, Instant now) = 0;
    virtual void handle_silence(Instant now) = 0;
    virtual void handle_publish(const mqtt::Publish& publish, Instant now) = 0;
    // PUBACK, PUBREC, PUBREL or PUBCOMP.
    virtual void handle_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason,
                                        Instant now) = 0;
    virtual void handle_suback(const mqtt::Suback& suback, Instant now) = 0;
    virtual void handle_unsuback(const mqtt::Unsuback& unsuback, Instant now) = 0;
    // The connection is of no use any more, for `why`; `code` is what the far broker's DISCONNECT said, else success.
    // The handler calls close().
    virtual void handle_lost(std::string_view why, mqtt::ReasonCode code, Instant now) = 0;

   protected:
    ~Handler() = default;
  };

  RemoteSession(Options options, Handler& handler) : options_(std::move(options)), handler_(handler) {}

  struct Opening {
    mqtt::Version version = mqtt::Version::V5;
    bool bridge_bit = false;
    std::optional<std::string> password;
    std::optional<Will> will = std::nullopt;  // needed for the call only
  };
  // The network connection is up: CONNECT goes out. REQUIRES: closed.
  void open(const Opening& opening, Instant now);
  // The network connection is gone, or is about to be: output() is forgotten.
  void close();

  bool connected() const { return state_ == State::Connected; }
  mqtt::Version version() const { return version_; }
  const RemoteLimits& limits() const { return limits_; }
  const std::string& client_id() const { return options_.client_id; }
  // For who traces it. REQUIRES: it was opened once.
  broker::StreamState stream_state() const {
    return {.version = version_,
            .packet_bytes_max = decoder_->packet_bytes_max(),
            .unfinished = decoder_->unfinished(),
            .received = &received_aliases_,
            .assigned = &aliases_};
  }

  void handle_bytes(ByteView bytes, Instant now);
  // The socket has taken bytes of output().
  void handle_sent(Instant now) { last_sent_ = now; }
  // `reading_paused`: an answer of the far broker may lie unread, so its silence says nothing.
  void handle_timeout(bool reading_paused, Instant now);
  // When something is due if nothing arrives: CONNACK, PINGREQ, PINGRESP.
  Instant deadline() const;

  ByteBuffer& output() { return output_; }
  const ByteBuffer& output() const { return output_; }
  // Whether more should be written now; false while enough waits for the socket.
  bool writable() const;

  // Whether write_publish() would write it. Cheap unless it is near the limit.
  bool fits(const broker::Message::Fields& fields, const broker::Delivery& delivery, Instant now) const;
  // False when the packet or its topic would be more than the far broker takes; then nothing is written. `fields` has
  // the remote topic.
  bool write_publish(broker::Message::Fields fields, broker::Delivery delivery, Instant now);
  void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason);
  void write_subscribe(PacketId packet_id, const mqtt::SubscriptionRequest& request, std::uint32_t subscription_id);
  void write_unsubscribe(PacketId packet_id, std::string_view filter);
  // The last packet: output() may still leave, until close().
  void write_disconnect();

 private:
  enum class State : std::uint8_t { Closed, AwaitConnack, Connected };

  void handle(const mqtt::Connack& packet, Instant now);
  void handle(const mqtt::Publish& packet, Instant now);
  void handle(const mqtt::Suback& packet, Instant now) { handler_.handle_suback(packet, now); }
  void handle(const mqtt::Unsuback& packet, Instant now) { handler_.handle_unsuback(packet, now); }
  void handle(const mqtt::Pingresp&, Instant) {}  // that bytes came is all it says
  void handle(const mqtt::Disconnect& packet, Instant now);
  template <mqtt::PacketType kType>
  void handle(const mqtt::Acknowledgement<kType>& packet, Instant now) {
    handler_.handle_acknowledgement(kType, packet.packet_id, packet.reason, now);
  }
  // The decoder refuses packets that only a client sends; AUTH we never ask for [MQTT-4.12.0-6].
  template <typename Other>
  void handle(const Other&, Instant now) {
    lose("the far broker sent a packet that we did not ask for", now);
  }
  void lose(std::string_view why, Instant now) { handler_.handle_lost(why, mqtt::ReasonCode::Success, now); }
  void note_greeting(ByteView bytes);
  void handle_malformed(const mqtt::ProtocolError& error, Instant now);
  void handle_out_of_place(Instant now);
  void read_limits(mqtt::PropertyView properties);
  Duration keep_alive_with(std::uint32_t server_s) const;
  Instant ping_due() const;

  // Constant after construction, but for an assigned client identifier.
  Options options_;
  Handler& handler_;

  // Of the present connection.
  State state_ = State::Closed;
  mqtt::Version version_ = mqtt::Version::V5;
  RemoteLimits limits_;
  std::optional<mqtt::Decoder> decoder_;
  mqtt::Packet packet_;
  ByteBuffer greeting_;  // the first bytes that came, while no CONNACK has
  ByteBuffer output_;
  ByteBuffer scratch_;  // the properties of one PUBLISH
  broker::TopicAliases aliases_;
  broker::ReceivedAliases received_aliases_;
  Duration keep_alive_{};
  Instant connack_due_ = kNever;
  Instant pong_due_ = kNever;  // while a PINGREQ is unanswered
  Instant last_sent_{};
  Instant last_received_{};
};

}  // namespace furrow::bridge
