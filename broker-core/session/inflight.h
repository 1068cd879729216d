// The in-flight window of a sender: QoS 1 and 2 exchanges from the PUBLISH to its last acknowledgement.
// One state machine for local clients and for bridges alike.
//
//   QoS 0:  settled when written, or handed over to a sink that knows when the socket has it
//   QoS 1:  Sent → PUBACK → settled
//   QoS 2:  [Reserved] → Sent → PUBREC → [Received] → Released → PUBCOMP → settled
//
// An exchange is a lease: its message stays in the outbox that it was taken from, the sender's own or that of a shared
// subscription, until the exchange settles it there or gives it back. The states in brackets are waits for the store:
// the message and its packet identifier are durable before the PUBLISH first leaves, and the PUBREC is durable before
// the PUBREL leaves, so that a crash at any point neither loses nor repeats. A sender whose session ends with its
// connection is gone after a crash: when it takes a message from a durable outbox, the outbox's loss of the message is
// made durable instead [MQTT-4.8.2-5]. Rows are removed lazily after PUBCOMP: repeating the PUBREL is harmless. Packet
// identifiers rise with the order of sending, so those in flight lie in one cyclic interval and none is used twice.
// Thread: loop. Time: passed in. Spec: MQTT 5.0 §4.3, §4.4, §4.9.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "broker-core/base/ring.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/reason_code.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/outbox.h"
#include "broker-core/session/outbox_owner.h"

namespace furrow::broker {

// One message as it is to be sent now.
struct Delivery {
  mqtt::Qos qos = mqtt::Qos::AtMostOnce;
  bool retain = false;
  bool duplicate = false;
  PacketId packet_id;
  std::span<const std::uint32_t> subscription_ids;
  Sequence sequence;  // its place in its outbox; 0: it comes from none
  QueueId queue;      // of that outbox; 0: in memory
};

// The connection that packets are written to.
class PublishSink {
 public:
  // HandedOver: written, at QoS 0, and the sink counts it from here on.
  enum class Outcome : std::uint8_t { Written, HandedOver, TooLarge, RuleRemoved, NotAuthorized };

  // Whether more should be written now; false while enough waits for the socket.
  virtual bool writable() const = 0;
  virtual Outcome write_publish(const Message& message, const Delivery& delivery, Instant now) = 0;
  virtual void write_pubrel(PacketId packet_id, Instant now) = 0;

 protected:
  ~PublishSink() = default;
};

class Inflight final : private StoreWaiter {
 public:
  // A peer may refuse a message for now (0x97). A session drops the message then. A bridge keeps it, and all behind it,
  // and tries again, since the publisher was told that the message is safe.
  enum class OnQuota : std::uint8_t { Drop, Retry };

  // `identifiers` is the queue whose packet identifiers these are; 0 for a sender that is gone after a crash. `owner`
  // is told when the store has answered and more may be sent, and calls pump() then.
  Inflight(OutboxOwner& owner, QueueId identifiers, Journal& journal, OnQuota on_quota = OnQuota::Drop)
      : on_quota_(on_quota), owner_(owner), identifiers_(identifiers), journal_(journal) {}
  ~Inflight();
  Inflight(const Inflight&) = delete;
  Inflight& operator=(const Inflight&) = delete;

  // The sender's own queue, which pump() takes from; must outlive this. Without one only take() and send_from() bring
  // messages.
  void set_own(Outbox& own) { own_ = &own; }

  // A connection is up. `window` is the peer's receive maximum or our own limit, whichever is less; at least 1. With
  // `session_present`, messages in flight are resent in order with the same identifiers [MQTT-4.4.0-1]; without, they
  // start anew, and a QoS 2 message whose PUBREC had come counts as delivered.
  void connect(PublishSink& sink, std::uint16_t window, bool session_present, Instant now) {
    connect(sink, {window, window}, session_present, now);
  }
  // QoS 2 only leaves while less than `exactly_once` is in flight.
  struct Windows {
    std::uint16_t all;
    std::uint16_t exactly_once;
  };
  void connect(PublishSink& sink, Windows windows, bool session_present, Instant now);
  // The window of the connection that is up is another one; what is in flight stays so. pump() follows.
  void set_window(std::uint16_t window) { windows_ = {window, window}; }
  void disconnect() { sink_ = nullptr; }
  // The session ends: messages of QoS 1 that were taken from other outboxes wait there again, those of QoS 2 are
  // dropped there, counted as `session_ended` [MQTT-4.8.2-4, -5]. Last call.
  void end(Instant now);
  bool connected() const { return sink_ != nullptr; }

  // Sends as many messages as the window and the sink allow. Call when there is a new message, an acknowledgement, room
  // in the sink, or an answer of the store.
  void pump(Instant now) {
    resume(now);
    send_own(now);
  }
  // The same for a sender with several queues, which must outlive this: first goes on with what is in flight, and then
  // sends what waits in each of them, up to `last`.
  void resume(Instant now) {
    if (connected() && (resending_ || unread_ || durable_waits_ > 0)) go_on(now);
  }
  void send_from(Outbox& outbox, Sequence last, Instant now);
  // Takes the message that another outbox than the own has returned from next_waiting(), and sends it as `delivery`
  // says: at QoS 1 or 2, and with one subscription identifier at most. REQUIRES: can_take().
  void take(Outbox& outbox, const DeliveryOptions& delivery, Instant now);
  // Messages taken from `outbox` stay with this sender alone, also after a crash [MQTT-3.10.4-3].
  void keep_leases(const Outbox& outbox);

  // The peer has answered. False when no such exchange is open: the caller tells the peer if the protocol version can.
  bool handle_puback(PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  bool handle_pubrec(PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  bool handle_pubcomp(PacketId packet_id, Instant now);
  // The peer has answered a message of `qos`, which has not been answered yet, with the one acknowledgement that ends
  // the exchange for it. For PUBACK at QoS 1 that is the rule. A bridge cannot choose its peer and lets it answer like
  // that at the other QoS, too; to a client it is a protocol error.
  bool handle_only_answer(PacketId packet_id, mqtt::Qos qos, mqtt::ReasonCode reason, Instant now);

  // Whether an exchange with this identifier is open, whatever it waits for.
  bool contains(PacketId packet_id) { return find(packet_id) != nullptr; }

  // A stored exchange of the last run, found at start, with the outbox that has its message. Erases the row of a
  // message that was never stored, as its sequence number is given to another, and the second row of a message, which
  // only damage leaves. REQUIRES: before the first connect(), in
  // the order of sort_by_sending().
  void restore(const ExchangeRow& row, Outbox& outbox);
  static void sort_by_sending(std::vector<ExchangeRow>& rows);

  // A free identifier for SUBSCRIBE or UNSUBSCRIBE: from the same sequence.
  PacketId next_packet_id();

  std::uint32_t count() const { return count_; }
  struct Open {
    QueueId queue;
    Sequence sequence;
    bool sent = false;      // on this connection, and not answered
    bool released = false;  // QoS 2: PUBREC came
  };
  // The messages in flight, in the order of sending.
  std::vector<Open> open_messages() const;
  // Ends the exchange of a message without an answer. Where the receiver has it already (QoS 2 after PUBREC) it counts
  // as delivered; else it stays in flight in its outbox, for the caller to settle, and true is returned. REQUIRES: it
  // is in flight.
  bool forsake(QueueId queue, Sequence sequence, Instant now);
  bool window_full() const { return count_ >= windows_.all; }
  // Whether a message of another outbox may be sent now.
  bool can_take() const { return connected() && !window_full() && !resending_ && in_range(); }
  // Smoothed time from PUBLISH to acknowledgement; nothing before the first sample.
  std::optional<Duration> acknowledgement_time() const { return acknowledgement_time_; }
  // When the last acknowledgement came, or the connection began; while a message is refused, when it is tried again.
  Instant last_progress() const { return std::max(last_progress_, retry_at_); }
  // Whether the peer has refused a message for now, and has accepted none since; and when pump() tries it again.
  bool refused() const { return connected() && refused_; }
  Instant retry_due() const { return connected() && retry_pending_ ? retry_at_ : kNever; }

 private:
  enum class State : std::uint8_t {
    Reserved,  // QoS 2: has its packet identifier, and waits for the store
    Sent,      // PUBLISH has left, no PUBACK or PUBREC yet
    Received,  // QoS 2: PUBREC came; that is not yet durable
    Released,  // QoS 2: PUBREL has left, no PUBCOMP yet
    Done,      // settled or given back, and behind an exchange that is not
  };
  struct Exchange {
    Outbox* outbox = nullptr;
    Sequence sequence;
    BatchNumber waits_for;              // Reserved, Received: must be durable before the next packet leaves
    std::uint32_t subscription_id = 0;  // of a message of another outbox; 0 = none
    PacketId packet_id;
    mqtt::Qos qos = mqtt::Qos::AtLeastOnce;
    State state = State::Sent;
    bool retain = false;  // the retain flag may be set, if the message has it
    bool resend = false;  // was in flight on an earlier connection, and was not resent on this one yet
    bool stored = false;  // an ExchangeRow speaks of it
  };

  // Bounds the ring: behind an unanswered message no more than this many windows of identifiers are given.
  static constexpr std::uint32_t kRangeFactor = 4;
  // Half of all identifiers: those in flight stay apart however large the window is.
  static constexpr std::uint32_t kRangeMax = 0x7FFF;

  void handle_store_progress(Instant now) override;

  Exchange* find(PacketId packet_id);
  bool has_room(mqtt::Qos qos) const;
  bool in_range() const;
  void send_own(Instant now);
  bool send_next(Outbox& outbox, const Outbox::Entry& entry, Instant now);
  void open(Outbox& outbox, Exchange exchange, Instant now);
  void reserve(Exchange& exchange, Instant now);
  void publish(Exchange& exchange, bool duplicate, Instant now);
  void publish(Exchange& exchange, const Outbox::Entry& entry, bool duplicate, Instant now);
  void go_on(Instant now);
  bool may_resend(const Exchange& exchange, Instant now) const;
  bool newer_is_under_way(const Exchange& older) const;
  void resend(Exchange& exchange, Instant now);
  void wait_for_page(Exchange& exchange, Instant now);
  bool may_continue(const Exchange& exchange) const;
  void continue_durable(Exchange& exchange, Instant now);
  void await_store();
  bool keeps(mqtt::ReasonCode reason) const {
    return on_quota_ == OnQuota::Retry && reason == mqtt::ReasonCode::QuotaExceeded;
  }
  void wait_for_quota(Exchange& exchange, Instant now);
  void note_accepted(const Exchange& accepted);
  void complete(Exchange& exchange, Outbox::Outcome outcome, Instant now);
  void start_anew(Instant now);
  // The exchange is done with; the caller has settled the message or given it back.
  void close(Exchange& exchange, Instant now);
  void pop_done();
  ExchangeRow row(const Exchange& exchange, ExchangeRow::State state) const;
  void sample(const Exchange& exchange, Instant now);

  static constexpr Duration kRetryFirst = std::chrono::seconds(1);
  static constexpr Duration kRetryMax = std::chrono::seconds(60);

  // Constant after construction.
  const OnQuota on_quota_;
  OutboxOwner& owner_;
  const QueueId identifiers_;
  Journal& journal_;
  Outbox* own_ = nullptr;

  PublishSink* sink_ = nullptr;
  Windows windows_{};
  Ring<Exchange> exchanges_;  // in the order of sending, which is that of their identifiers
  PacketId last_id_;
  std::uint32_t count_ = 0;          // sent and unanswered: counts against the window
  std::uint32_t durable_waits_ = 0;  // exchanges Reserved or Received
  bool resending_ = false;           // some exchanges have not been resent on this connection yet
  bool unread_ = false;              // the messages of some lie in the store only, since a restart
  bool awaits_store_ = false;        // the journal will call handle_store_progress()

  PacketId sampled_;  // the message whose acknowledgement time is being taken
  Instant sampled_at_{};
  std::optional<Duration> acknowledgement_time_;
  Instant last_progress_{};

  bool refused_ = false;         // the peer has refused a message for now, and has accepted none since
  bool refused_before_ = false;  // the peer has refused a message for now on this connection
  bool retry_pending_ = false;   // the refused message has not been sent again yet
  Instant retry_at_ = Instant::min();
  Duration retry_interval_ = kRetryFirst;
};

}  // namespace furrow::broker
