// One network connection of a client: bytes in, packets checked against the state table, bytes out.
//
//   state \ packet   CONNECT  PUBLISH PUBACK… SUBSCRIBE UNSUBSCRIBE PINGREQ DISCONNECT  AUTH
//   AwaitConnect     judge    close   close   close     close       close   close       close
//   Connected        close    route   window  subscribe unsubscribe answer  close       close
//   Closing          ignores everything; the output is flushed, then the network connection is closed
//
// connection_states_test.cc walks the cells of this table.
//
// A CONNECT whose password is to be checked (admission.h says when) waits for the verdict, in AwaitConnect still: what
// comes behind it is not looked at, the time for CONNECT goes on, and a client that is gone is not waited for. The
// answer to a wrong password is held back a while.
//
// While a CONNACK, SUBACK or UNSUBACK waits for the store, or for a client that does not read, the connection is held:
// the bytes that arrive are kept and handled afterwards, and the caller should stop reading.
//
// The same happens to a client that sends more than its window: many clients do not know our receive maximum, MQTT
// 3.1.1 has no word for it, and closing would bring them back with the same messages for ever. Once `limits.inflight`
// answers of ours are outstanding, the client's next PUBLISH of QoS 1 or 2 and everything behind it waits until one
// answer has left. A client that keeps to its window is never held up. No such wait lasts for ever:
//   - An answer that waits for the store leaves with the batch that the journal's deadline brings, if nobody
//     acknowledges the message before.
//   - An answer that waits for room in a queue (HeldPublishes), or for a store that takes no writes, may wait for an
//     acknowledgement that this very client has sent behind its PUBLISH packets. While the client has such an
//     acknowledgement to give, its packets are handled all the same, and the messages among them are held as well, up
//     to kHeldBytesMax; a client that sends more is closed. A client of MQTT 5 can be told of a refusal: for it nothing
//     is held, and nothing piles up.
//
// A client that publishes faster than `limits.publish` is not read for as long as it was too fast.
// Owned by the connection table. Thread: loop. Time: passed in. Spec: MQTT 5.0 §3, §4; MQTT 3.1.1 §3.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/agenda.h"
#include "broker-core/arrival.h"
#include "broker-core/authenticator.h"
#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/log.h"
#include "broker-core/base/time.h"
#include "broker-core/conditions.h"
#include "broker-core/failed_logins.h"
#include "broker-core/held_publishes.h"
#include "broker-core/identity.h"
#include "broker-core/limit_log.h"
#include "broker-core/limits.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/publish_pace.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/session.h"
#include "broker-core/session/topic_aliases.h"
#include "broker-core/settings.h"
#include "broker-core/spare_buffers.h"
#include "broker-core/stats.h"
#include "broker-core/stream_state.h"

namespace furrow::broker {

class Router;
class Sessions;

// The reason string that goes with a reason code of failure; empty where the code says it all.
// `by_rules`: there are access rules.
std::string_view explanation(mqtt::ReasonCode reason, bool by_rules);

class Connection final : public AckSink, public PublishSink, private HeldPublishes::Owner {
 public:
  // Everything that connections know of the broker around them; outlives them.
  struct Shared {
    const Settings& settings;  // may change between two calls
    const Limits& limits;      // of these
    const Conditions& conditions;
    Stats& stats;
    Log& log;
    Journal& journal;    // put() and complete_*() for PUBREL and repeated PUBLISH, is_durable(), hurry*()
    Router& router;      // publish()
    Sessions& sessions;  // assign_client_id(), open(), leave(), subscribe(), unsubscribe()
    LimitLog& limit_log;
    FailedLogins failed_logins;
    SessionAccess& access;
    const bool& forbidden_disconnects;  // may change between two calls
    Authenticator* authenticator = nullptr;
    std::string gateway_id = {};
    Agenda agenda = {};  // add_*()
    SpareBuffers spare_buffers = {};
    mqtt::Packet packet = {};  // the one being decoded, of whatever connection
  };

  Connection(ConnectionId id, Arrival arrival, Shared& shared, Instant accepted);
  ~Connection();

  ConnectionId id() const { return id_; }
  // The network address, for the log.
  std::string peer() const { return program_ ? *program_ : address_.text(port_); }
  // Where the client is; nothing when no network lies between.
  std::optional<IpAddress> address() const { return program_ ? std::nullopt : std::optional(address_); }
  mqtt::Version version() const { return decoder_.version(); }
  Session* session() const { return session_; }
  bool closing() const { return state_ == State::Closing; }
  // Since when the client is connected, to the second, and when it was last heard of.
  Instant since() const { return Instant(std::chrono::seconds(connected_at_s_)); }
  Instant last_received() const { return last_received_; }
  // Whether it is not read from, because it publishes faster than `limits.publish`.
  bool paced() const { return extras_ && extras_->paced_until != kNotPaced; }
  // Messages of QoS 0 that it did not read in time.
  std::uint64_t dropped_qos0() const { return extras_ ? extras_->dropped_qos0 : 0; }
  // For who traces it.
  StreamState stream_state() const;

  // `dry`: the socket had no more than these bytes.
  void handle_bytes(ByteView bytes, bool dry, Instant now);
  // The network connection is gone, or is about to be closed by us: leaves the session. Idempotent. `graceful`:
  // DISCONNECT came, so there is no will to publish.
  void end(bool graceful, Instant now);
  // Says goodbye where the version has words for it, and closes. The log says why.
  void close(mqtt::ReasonCode reason, std::string_view why, Instant now);
  // The Authenticator's verdict on the login that waits; without effect when none does.
  void handle_login(Verdict verdict, Instant now);
  // A batch is durable: a held connection may go on now.
  void handle_persisted(Instant now);
  bool held() const { return extras_ && extras_->held; }
  // The window may have room: go_on() comes with the end of the turn. Null effect when nothing waits for room.
  void note_window();
  // Handles the bytes that came beyond the window, as far as it has room now.
  void go_on(Instant now);
  // Shared::limits are others: the next packet is judged by them.
  void handle_limits_changed();
  // Whether the caller should not read for now; and that this may have changed.
  bool reading_paused() const;
  void note_reading() { become_ready(Agenda::Ready::Answering); }

  // Bytes for the network; the caller consumes them, and says so.
  ByteBuffer& output() { return output_; }
  // Whether the output is worth a write of its own while a turn still reads.
  bool is_full() const { return output_.size() >= kOutputFullBytes; }
  // Whether the connection is ready in this way; from now on it is not.
  bool take_ready(Agenda::Ready as) {
    if (ready_ != as) return false;
    ready_ = Agenda::Ready::No;
    return true;
  }
  // The socket took bytes: perhaps more can be sent.
  void handle_sent(Instant now);

  // Acknowledgements that this publisher waits for.
  std::size_t acknowledgements_waiting() const { return acknowledgements_ ? acknowledgements_->waiting() : 0; }

  // Writes a message of QoS 0 at once, or drops it and counts that, when the client does not read.
  void write_qos0(Publication& publication, const RoutedDelivery& delivery);

  bool writable() const override;
  Outcome write_publish(const Message& message, const Delivery& delivery, Instant now) override;
  void write_pubrel(PacketId packet_id, Instant now) override;
  void write_pubrel(PacketId packet_id, mqtt::ReasonCode reason);
  void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) override;

  // When handle_timeout() comes next.
  Instant armed() const { return armed_; }
  void handle_timeout(Instant now);

 private:
  enum class State : std::uint8_t { AwaitConnect, Connected, Closing };

  // A response, and everything behind it, that waits for the store or the client.
  struct Held {
    BatchNumber until;
    ByteBuffer response;          // the CONNACK, SUBACK or UNSUBACK
    bool session_starts = false;  // CONNACK: the session's messages follow
    bool session_present = false;
    std::uint16_t receive_maximum = 0;  // CONNACK: the client's
  };

  // A CONNECT on whose password there is no verdict yet, or whose refusal is held back until `answer`.
  struct Login {
    ByteBuffer connect;  // without the password
    mqtt::ReasonCode reason{};
    std::string_view why = {};
    Instant answer = kNever;
  };

  // Topic aliases of this connection, once there is one.
  struct Aliases {
    ReceivedAliases received;
    TopicAliases assigned;
    ByteBuffer scratch;
  };

  static constexpr Instant kNotPaced = Instant::min();

  // Members that few connections need, or that all need for a moment only.
  struct Extras {
    std::unique_ptr<Held> held;
    std::unique_ptr<Login> login;
    std::unique_ptr<Aliases> aliases;
    std::unique_ptr<HeldPublishes> held_publishes;
    std::unique_ptr<PublishPace> pace;
    Instant paced_until = kNotPaced;  // limits.publish
    std::string gateway;              // whose bridge the client is
    ByteBuffer unread;                // bytes that arrived while the connection is held or paced, or beyond its window
    std::uint64_t dropped_qos0 = 0;
    bool going_on = false;  // the agenda has it, by note_window()
  };

  void decode(ByteView bytes, Instant now);
  void handle_malformed(const mqtt::ProtocolError& error, Instant now);
  void refuse_malformed(mqtt::ReasonCode reason, std::string_view why, Instant now);
  void handle_packet(const mqtt::Packet& packet, Instant now);
  // A message that goes on to another broker says that it came by this gateway, and from which; in `scratch`.
  mqtt::PropertyView noting_path(const Message::Fields& fields, ByteBuffer& scratch);
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
  // AUTH, whose method no CONNECT has agreed on. Packets that only a server sends are refused by the decoder.
  template <typename Other>
  void handle(const Other&, Instant now) {
    reject(mqtt::ReasonCode::ProtocolError, "AUTH without an authentication method in CONNECT", now);
  }

  // --- who the client is (connection_login.cc) ---
  void log_in(const mqtt::Connect& packet, Instant now);
  void fail_login(const mqtt::Connect& packet, std::string_view word, mqtt::ReasonCode reason, std::string_view why,
                  Instant now);
  // Notes and logs it, and returns how long to hold the answer back.
  Duration note_failure(const mqtt::Connect& packet, std::string_view word, Instant now);
  void handle_verdict(const mqtt::Connect& packet, Verdict verdict, Instant now);
  void admit(const mqtt::Connect& packet, std::optional<std::string_view> user, Instant now);
  void end_login_in_time(Instant now);
  Login* login() const { return extras_ ? extras_->login.get() : nullptr; }

  // As refuse_connect(), when it was logged already.
  void answer_refused(mqtt::ReasonCode reason, std::string_view why, Instant now);
  void refuse_connect(mqtt::ReasonCode reason, std::string_view why, std::string_view client_id, Instant now);
  void accept_connect(const mqtt::Connect& packet, const std::string& client_id, const Identity& identity, Instant now);
  // `expiry_cut_s`: the session expiry interval, when it is not the one asked for.
  ByteBuffer connack(const mqtt::Connect& packet, const std::string& client_id, bool session_present,
                     std::optional<std::uint32_t> expiry_cut_s) const;

  // The topic that the PUBLISH names, by itself or by an alias; empty when it had to be rejected.
  std::string_view topic_of(const mqtt::Publish& packet, Instant now);
  // Whether the client may publish on this reserved topic: it is that of its will, and no bridge of ours has it.
  bool is_own_notice(std::string_view topic) const;
  // False when the PUBLISH may not be routed: then it has been answered, or the connection closes.
  bool publish_allowed(const mqtt::Publish& packet, std::string_view topic, Instant now);
  // Whether the PUBLISH repeats an earlier one: then it shares the answer of that, and is neither routed nor counted
  // again. At QoS 1 that takes DUP, and ends with the answer. REQUIRES: QoS 1 or 2.
  bool handle_repeated(const mqtt::Publish& packet);
  // Whether the rules grant the topic, or it is the client's own notice.
  bool may_publish(std::string_view topic, bool retain) const;
  // The PUBLISH is not granted.
  void refuse_forbidden(const mqtt::Publish& packet, std::string_view topic, Instant now);
  void log_refused(std::string_view action, std::string_view topic, Instant now);
  bool may_leave_will(const mqtt::Will& will, const std::string& client_id, const Identity& identity) const;
  // Answers a PUBLISH that is not routed with `reason`; one of QoS 0 has no answer.
  void refuse_publish(const mqtt::Publish& packet, mqtt::ReasonCode reason);
  // False when the message was refused: then the publisher was told, or the message is held.
  bool publish_or_refuse(const mqtt::Publish& packet, const Message::Fields& fields, AckTicket ticket,
                         const ExchangeRow* exchange, Instant now);
  void handle_taken(const HeldPublishes::Held& held, bool had) override;
  bool still_allowed(const HeldPublishes::Held& held) override;
  void publish_at_least_once(const mqtt::Publish& packet, const Message::Fields& fields, Instant now);
  void publish_exactly_once(const mqtt::Publish& packet, const Message::Fields& fields, Instant now);
  // Logs that a limit, by its key in the configuration, has stopped the client.
  void note_limit(std::string_view key, std::string_view what, Instant now);
  // The limit that refuses one more subscription with QuotaExceeded.
  std::string_view subscription_limit() const;
  bool reject_unexpected(PacketId packet_id, Instant now);
  mqtt::ReasonCode subscribe(const mqtt::SubscriptionRequest& request, std::uint32_t subscription_id, Instant now,
                             bool& changed);
  mqtt::ReasonCode unsubscribe(std::string_view filter, Instant now, bool& changed);

  // Has the journal hurry if the publisher waits for us: it has sent all it may, or has nothing more to send.
  // `retained` is Journal::retained_added() of before its bytes were handled.
  void hurry(bool dry, std::uint64_t retained);

  // Sends held.response, and goes on: now if its batch is durable and the client reads, else once that is so.
  void hold(Held held, Instant now);
  void note_held();
  void resume(Instant now);
  void finish_hold(Held& held, Instant now);
  Extras& extras();
  // The bytes that arrived meanwhile, to be handled now.
  ByteBuffer take_unread();
  // Whether another PUBLISH of QoS 1 or 2 has to wait.
  bool window_used_up() const;
  // Counts the PUBLISH; what comes behind it waits if it was too fast, until handle_timeout() calls end_pause().
  void pace(const mqtt::Publish& packet, std::string_view topic, Instant now);
  void end_pause(Instant now);
  // The PUBLISH, and everything behind it, waits until the window has room.
  void put_off(const mqtt::Publish& packet);
  // Whether bytes wait for the window.
  bool overdrawn() const { return extras_ && !extras_->held && !extras_->login && !extras_->unread.empty(); }
  // How many of the client's messages are refused for now.
  std::size_t held_publishes() const {
    return extras_ && extras_->held_publishes ? extras_->held_publishes->size() : 0;
  }
  // Whether the client's next packets may make the room that its own messages wait for.
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
  // When the connection ends if nothing arrives: no CONNECT came, or nothing for 1.5 × keep-alive [MQTT-3.1.2-22], or
  // the client does not take our last words.
  Instant deadline() const;
  // Makes handle_timeout() come at `due`, unless it comes earlier anyway.
  void arm(Instant due);
  // The log gets to know of a client that has stayed for a while; until then it hears of its end only, at level debug.
  void announce();
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
  // Sends the packet that lies in the output from `begin` on. False when it is larger than the client takes
  // [MQTT-3.1.2-24]: then it is taken back, and the connection, which cannot go on without it, ends with the turn.
  bool sent_if_it_fits(std::size_t begin);

  // Constant after construction.
  const ConnectionId id_;
  Shared& shared_;
  const std::unique_ptr<const std::string> program_;  // instead of an address
  const IpAddress address_;

  mqtt::Decoder decoder_;
  ByteBuffer output_;
  Session* session_ = nullptr;
  Ref<AckQueue> acknowledgements_;  // made for the first one
  std::unique_ptr<Extras> extras_;
  std::unique_ptr<Arrival> arrival_;  // until it is known who the client is

  // From CONNECT.
  std::uint32_t packet_bytes_max_ = mqtt::kRemainingLengthMax;  // of the client [MQTT-3.1.2-24]
  std::uint16_t keep_alive_s_ = 0;
  std::uint16_t inbound_ = 0;         // MQTT 5: QoS 1 and 2 messages received and not yet acknowledged
  std::uint32_t connected_at_s_ = 0;  // when it came

  const std::uint16_t port_;
  // Bits, since every idle client has them.
  State state_ : 2 = State::AwaitConnect;
  Agenda::Ready ready_ : 2 = Agenda::Ready::No;
  bool tells_problems_ : 1 = false;  // from CONNECT of MQTT 5: reason strings are wanted [MQTT-3.1.2-29]
  bool bridge_ : 1 = false;          // from CONNECT of 3.1.1: nothing is echoed, and retain flags are kept
  bool ended_ : 1 = false;
  bool greeted_ : 1 = false;    // CONNACK has been written
  bool announced_ : 1 = false;  // the log knows of the client
  bool session_present_ : 1 = false;
  bool in_held_ : 1 = false;  // the agenda has it, by note_held()
  Instant last_received_;     // until CONNECT: when the connection was accepted; while closing: since when
  Instant armed_;
};
static_assert(sizeof(Connection) <= 184, "every idle client has one");

}  // namespace furrow::broker
