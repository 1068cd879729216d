// One network connection of a client: bytes in, packets checked against the state table, bytes out.
//
//   state \ packet   CONNECT  PUBLISH PUBACK… SUBSCRIBE UNSUBSCRIBE PINGREQ DISCONNECT  AUTH
//   AwaitConnect     accept   close   close   close     close       close   close       close
//   Connected        close    route   window  subscribe unsubscribe answer  close       close
//   Closing          everything is ignored; what is in the output is flushed, then the network connection is closed
//
// While a CONNACK, SUBACK or UNSUBACK waits for the store, or for a client that does not read, the connection is held:
// what arrives is kept and handled afterwards, and the caller should stop reading.
//
// The same happens to a client that sends more than its window: many do not know our receive maximum, MQTT 3.1.1 has no
// word for it, and closing would bring them back with the same messages for ever. Once `limits.inflight` answers of
// ours are outstanding, its next PUBLISH of QoS 1 or 2 and all that follows waits until one has left. A client that
// keeps to its window is never held up. No such wait lasts for ever:
//   - An answer that waits for the store leaves with the batch that the journal's deadline brings, whoever acknowledges
//     the message until then.
//   - An answer that waits for room in a queue (HeldPublishes), or for a store that takes no writes, may wait for an
//     acknowledgement that this client has sent behind its PUBLISH packets. So its packets are handled all the same
//     while it has such an acknowledgement to give, and the messages among them are held as well, up to
//     kHeldBytesMax; with more it is closed. MQTT 5 can be told of a refusal: nothing is held, and nothing piles up.
// Owned by the broker. Spec: MQTT 5.0 §3, §4; MQTT 3.1.1 §3.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/agenda.h"
#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/log.h"
#include "broker-core/base/time.h"
#include "broker-core/conditions.h"
#include "broker-core/held_publishes.h"
#include "broker-core/limits.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/session.h"
#include "broker-core/session/topic_aliases.h"
#include "broker-core/spare_buffers.h"
#include "broker-core/stats.h"

namespace furrow::broker {

class Router;
class Sessions;

// What a client is told beside a reason code of failure; empty where the code says it all.
std::string_view explanation(mqtt::ReasonCode reason);

class Connection final : public AckSink, public PublishSink, private HeldPublishes::Owner {
 public:
  // What all connections of a broker have in common, and all that they know of it; outlives them.
  struct Shared {
    const Limits& limits;  // may change between two calls
    const Conditions& conditions;
    Stats& stats;
    Log& log;
    Journal& journal;
    Router& router;      // takes what is published
    Sessions& sessions;  // opens and leaves them, and changes what they subscribe to
    Agenda agenda = {};
    SpareBuffers spare_buffers = {};
    mqtt::Packet packet = {};  // is being decoded; one for all connections
  };

  Connection(ConnectionId id, std::string peer, Shared& shared, Instant now);
  ~Connection();

  ConnectionId id() const { return id_; }
  // The network address, for the log.
  const std::string& peer() const { return peer_; }
  mqtt::Version version() const { return decoder_.version(); }
  Session* session() const { return session_; }
  bool closing() const { return state_ == State::Closing; }

  // `dry`: the socket had no more than these bytes.
  void handle_bytes(ByteView bytes, bool dry, Instant now);
  // The network connection is gone, or is about to be closed by us. Ends what it had with its session; idempotent.
  // `graceful`: DISCONNECT came, so there is no will to publish.
  void end(bool graceful, Instant now);
  // Says goodbye as the version can, and closes. The log says why.
  void close(mqtt::ReasonCode reason, std::string_view why, Instant now);
  // A batch is durable, and the connection was held: it may go on now.
  void handle_persisted(Instant now);
  bool held() const { return extras_ && extras_->held; }
  // The window may have room: go_on() comes with the end of the turn. Null effect when nothing waits for it.
  void note_window();
  // Shared::limits are others: the next packet is held to them.
  void handle_limits_changed();
  // What came beyond the window goes on, as far as that allows now.
  void go_on(Instant now);
  // Whether not to read from it for now.
  bool reading_paused() const;
  // That may have changed.
  void note_reading() { become_ready(Agenda::Ready::Answering); }

  // What is to be written to the network.
  ByteBuffer& output() { return output_; }
  // Whether the output is worth a write of its own while a turn still reads.
  bool is_full() const { return output_.size() >= kOutputFullBytes; }
  // Whether the agenda has it as `as`; from now on it has not.
  bool take_ready(Agenda::Ready as) { return ready_ == as && std::exchange(ready_, Agenda::Ready::No) == as; }
  // The socket took bytes: perhaps more can be sent.
  void handle_sent(Instant now);

  // Acknowledgements that this publisher waits for.
  std::size_t acknowledgements_waiting() const { return acknowledgements_ ? acknowledgements_->waiting() : 0; }

  // QoS 0, at once or not at all: counted as dropped when the client does not read.
  void write_qos0(Publication& publication, const RoutedDelivery& delivery);

  bool writable() const override;
  Outcome write_publish(const Message& message, const Delivery& delivery, Instant now) override;
  void write_pubrel(PacketId packet_id, mqtt::ReasonCode reason) override;
  void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) override;

  // When handle_timeout() comes next.
  Instant armed() const { return armed_; }
  void handle_timeout(Instant now);

 private:
  enum class State : std::uint8_t { AwaitConnect, Connected, Closing };

  // What has to wait before this connection goes on.
  struct Held {
    BatchNumber until;
    ByteBuffer response;          // the CONNACK, SUBACK or UNSUBACK
    bool session_starts = false;  // CONNACK: the session's messages follow
    bool session_present = false;
    std::uint16_t receive_maximum = 0;  // CONNACK: the client's
  };

  // Topic aliases of this connection, once there is one.
  struct Aliases {
    ReceivedAliases received;
    TopicAliases assigned;
    ByteBuffer scratch;
  };

  // What few connections need, or only for a moment.
  struct Extras {
    std::unique_ptr<Held> held;
    std::unique_ptr<Aliases> aliases;
    std::unique_ptr<HeldPublishes> held_publishes;
    ByteBuffer unread;      // what arrived while it is held, or beyond its window
    bool going_on = false;  // in the agenda's list of those that note_window() named
  };

  void decode(ByteView bytes, Instant now);
  void handle_malformed(const mqtt::ProtocolError& error, Instant now);
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
  // AUTH, whose method no CONNECT has agreed on. What a server never receives is refused by the decoder.
  template <typename Other>
  void handle(const Other&, Instant now) {
    reject(mqtt::ReasonCode::ProtocolError, "AUTH without an authentication method in CONNECT", now);
  }

  void refuse_connect(mqtt::ReasonCode reason, std::string_view why, std::string_view client_id, Instant now);
  void accept_connect(const mqtt::Connect& packet, const std::string& client_id, Instant now);
  // `expiry_cut_s`: the session expiry interval, when it is not the one asked for.
  ByteBuffer connack(const mqtt::Connect& packet, const std::string& client_id, bool session_present,
                     std::optional<std::uint32_t> expiry_cut_s) const;

  // The topic that the PUBLISH names, by itself or by an alias; empty when it had to be rejected.
  std::string_view topic_of(const mqtt::Publish& packet, Instant now);
  // Answers or closes when the PUBLISH may not be routed.
  bool publish_allowed(const mqtt::Publish& packet, std::string_view topic, Instant now);
  // Whether it is the same message as one before it, which is neither routed nor counted again: with DUP until its
  // answer has left, which it shares. REQUIRES: QoS 1 or 2.
  bool handle_repeated(const mqtt::Publish& packet);
  // Not routed: an acknowledged one is answered with `reason`.
  void refuse_publish(const mqtt::Publish& packet, mqtt::ReasonCode reason);
  // False when it was refused: then the publisher was told, or the message is held.
  bool publish_or_refuse(const mqtt::Publish& packet, const Message::Fields& fields, AckTicket ticket,
                         const ExchangeRow* exchange, Instant now);
  void handle_taken(const HeldPublishes::Held& held) override;
  void publish_at_least_once(const mqtt::Publish& packet, const Message::Fields& fields, Instant now);
  void publish_exactly_once(const mqtt::Publish& packet, const Message::Fields& fields, Instant now);
  bool reject_unexpected(PacketId packet_id, Instant now);
  mqtt::ReasonCode subscribe(const mqtt::SubscriptionRequest& request, std::uint32_t subscription_id, Instant now,
                             bool& changed);
  mqtt::ReasonCode unsubscribe(std::string_view filter, Instant now, bool& changed);

  // A publisher that has sent all it may, or has nothing more to send, waits for us. `retained` values were added to
  // the journal before its bytes were handled.
  void hurry(bool dry, std::uint64_t retained);

  // Sends held.response and what follows it: now if that is durable and the client reads, else once it is so.
  void hold(Held held, Instant now);
  void note_held();
  void resume(Instant now);
  void finish_hold(Held& held, Instant now);
  Extras& extras();
  // What arrived meanwhile, to be handled now.
  ByteBuffer take_unread();
  // Whether another PUBLISH of QoS 1 or 2 has to wait.
  bool window_used_up() const;
  // The PUBLISH, and what follows, waits until the window has room.
  void put_off(const mqtt::Publish& packet);
  // Whether something waits for the window.
  bool overdrawn() const { return extras_ && !extras_->held && !extras_->unread.empty(); }
  // Its messages that are refused for now.
  std::size_t held_publishes() const {
    return extras_ && extras_->held_publishes ? extras_->held_publishes->size() : 0;
  }
  // Whether what it sends may make the room that its own messages wait for.
  bool may_make_room() const { return held_publishes() > 0 && owes_acknowledgements(); }
  bool owes_acknowledgements() const { return session_ != nullptr && session_->inflight_count() > 0; }
  Aliases* aliases() const { return extras_ ? extras_->aliases.get() : nullptr; }
  AckQueue& acknowledgements();
  AckTicket ticket(mqtt::PacketType type, PacketId packet_id);

  // Closes because of what the client sent.
  void reject(mqtt::ReasonCode reason, std::string_view why, Instant now);
  void leave(LogLevel level, mqtt::ReasonCode reason, std::string_view why, Instant now);
  void start_closing(bool graceful, Instant now);
  bool encode_for_client(const Message::Fields& fields, const Delivery& delivery, Instant now);
  void write_disconnect(mqtt::ReasonCode reason, std::string_view why);
  void log_closed(LogLevel level, std::string_view reason, std::string_view why) const;
  // When something is due if nothing arrives: the CONNECT, 1.5 × keep-alive [MQTT-3.1.2-22], or the end of closing.
  Instant deadline() const;
  // Makes handle_timeout() come at deadline(), unless it comes earlier anyway.
  void arm();
  // There is something to do for the caller.
  void become_ready(Agenda::Ready as) {
    if (ready_ >= as) return;
    ready_ = as;
    shared_.agenda.add_ready(id_, as);
  }
  // The output has grown, by a PUBLISH, which is counted, or by anything else.
  void wrote_message(std::size_t payload_bytes);
  void wrote() { become_ready(Agenda::Ready::Answering); }
  void prepare_output() {
    if (output_.capacity() == 0) output_ = shared_.spare_buffers.take();
  }
  // The packet at the end of the output, from `begin` on, is to be sent. False when it is larger than the client takes
  // [MQTT-3.1.2-24]: then it is taken back, and the connection, of which nothing can come any more, ends with the turn.
  bool sent_if_it_fits(std::size_t begin);

  // Constant after construction.
  const ConnectionId id_;
  Shared& shared_;
  const std::string peer_;

  mqtt::Decoder decoder_;
  ByteBuffer output_;
  Session* session_ = nullptr;
  Ref<AckQueue> acknowledgements_;  // made when the first one has to be written
  std::unique_ptr<Extras> extras_;

  // What CONNECT said.
  std::uint32_t packet_bytes_max_ = mqtt::kRemainingLengthMax;  // of the client [MQTT-3.1.2-24]
  std::uint16_t keep_alive_s_ = 0;
  bool tells_problems_ = false;  // MQTT 5: reason strings are wanted [MQTT-3.1.2-29]
  bool bridge_ = false;          // by the bridge bit of 3.1.1: nothing is echoed, and retain flags are kept
  std::uint16_t inbound_ = 0;    // MQTT 5: QoS 1 and 2 messages received and not yet acknowledged

  State state_ = State::AwaitConnect;
  bool ended_ = false;
  bool greeted_ = false;  // CONNACK has been written
  bool in_held_ = false;  // in the agenda's list of those that wait for the store
  Agenda::Ready ready_ = Agenda::Ready::No;
  Instant last_received_;  // until CONNECT: when the connection was accepted; while closing: since when
  Instant armed_;
};
static_assert(sizeof(Connection) <= 184, "every idle client has one");

}  // namespace furrow::broker
