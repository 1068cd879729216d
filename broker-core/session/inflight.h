// The in-flight window of a sender: QoS 1 and 2 exchanges from the PUBLISH to its last acknowledgement.
// One state machine for local clients and for bridges alike.
//
//   QoS 0:  Waiting → settled when written, or handed over to a sink that knows when the socket has it
//   QoS 1:  Waiting → Sent → PUBACK → settled
//   QoS 2:  Waiting → [Reserved] → Sent → PUBREC → [Received] → Released → PUBCOMP → settled
//
// The states in brackets are waits for the store, and only durable outboxes have them: the message and its packet
// identifier are durable before the PUBLISH first leaves, and the PUBREC is durable before the PUBREL leaves, so that a
// crash at any point neither loses nor repeats. What is removed after PUBCOMP is removed lazily: repeating the PUBREL
// is harmless. Packet identifiers rise with the order of sending, so those in flight lie in one cyclic interval and
// none is used twice. Thread: loop. Time: passed in. Spec: MQTT 5.0 §4.3, §4.4, §4.9.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/reason_code.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/outbox.h"

namespace furrow::broker {

// One message as it is to be sent now.
struct Delivery {
  mqtt::Qos qos = mqtt::Qos::AtMostOnce;
  bool retain = false;
  bool duplicate = false;
  PacketId packet_id;
  std::span<const std::uint32_t> subscription_ids;
};

// The connection that packets are written to.
class PublishSink {
 public:
  // Moved: written, at QoS 0, and the sink counts it from here on.
  enum class Outcome : std::uint8_t { Written, Moved, TooLarge, RuleRemoved };

  // Whether more should be written now; false while enough waits for the socket.
  virtual bool writable() const = 0;
  virtual Outcome write_publish(const Message& message, const Delivery& delivery, Instant now) = 0;
  virtual void write_pubrel(PacketId packet_id, mqtt::ReasonCode reason) = 0;

 protected:
  ~PublishSink() = default;
};

class Inflight {
 public:
  // What a peer may say of a message that it does not take for now (0x97): to a client that is the end of it. A bridge
  // keeps it, and what comes behind it, and tries again, since its publisher was told that it is safe.
  enum class OnQuota : std::uint8_t { Drop, Retry };

  Inflight(Outbox& outbox, Journal& journal, OnQuota on_quota = OnQuota::Drop)
      : on_quota_(on_quota), outbox_(outbox), journal_(journal) {}

  // A connection is up. `window` is the peer's receive maximum or our own limit, whichever is less; at least 1.
  // `session_present`: what is in flight is resent in order with the same identifiers [MQTT-4.4.0-1]; else it starts
  // anew, and a QoS 2 message whose PUBREC had come counts as delivered.
  void connect(PublishSink& sink, std::uint16_t window, bool session_present, Instant now) {
    connect(sink, {window, window}, session_present, now);
  }
  // QoS 2 only leaves while less than `exactly_once` is in flight.
  struct Windows {
    std::uint16_t all;
    std::uint16_t exactly_once;
  };
  void connect(PublishSink& sink, Windows windows, bool session_present, Instant now);
  void disconnect() { sink_ = nullptr; }
  // The session ends: everything in flight waits again, also what was in flight before a start. Last call.
  void abandon();
  bool connected() const { return sink_ != nullptr; }

  // Sends what the window and the sink allow. Call when messages, acknowledgements, room or durability arrived.
  void pump(Instant now);

  // What the peer answered. False when no such exchange is open: the caller says so to the peer if its version can.
  bool handle_puback(PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  bool handle_pubrec(PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  bool handle_pubcomp(PacketId packet_id, Instant now);

  // Whether an exchange with this identifier is open, whatever it waits for.
  bool contains(PacketId packet_id) const { return find(packet_id).has_value(); }

  // A stored QoS 2 exchange, found at start; in the order of their sequences, before the first connect().
  void restore(const ExchangeRow& row);

  // A free identifier for SUBSCRIBE or UNSUBSCRIBE: from the same sequence.
  PacketId next_packet_id();

  std::uint32_t count() const { return count_; }
  bool window_full() const { return count_ >= windows_.all; }
  // Smoothed time from PUBLISH to acknowledgement; nothing before the first sample.
  std::optional<Duration> acknowledgement_time() const { return acknowledgement_time_; }
  // When the last acknowledgement came, or the connection began; while a message is refused, when it is tried again.
  Instant last_progress() const { return std::max(last_progress_, retry_at_); }
  // Whether the peer has refused a message for now, and has taken none since; and when pump() tries that again.
  bool refused() const { return connected() && refused_; }
  Instant retry_due() const { return connected() && retry_pending_ ? retry_at_ : kNever; }

 private:
  struct Restored {
    Sequence sequence;
    PacketId packet_id;
    bool released;
    bool delivered;  // released, and the peer has lost the session since
  };

  // Bounds holes: with the oldest unanswered, no more identifiers than this are given behind it (times the window).
  static constexpr std::uint32_t kRangeFactor = 4;
  // Half of all identifiers: those in flight stay apart however large the window is.
  static constexpr std::uint32_t kRangeMax = 0x7FFF;

  std::optional<std::size_t> find(PacketId packet_id) const;
  bool has_room(mqtt::Qos qos) const;
  bool in_range() const;
  void adopt_restored(Instant now);
  bool adopt(Outbox::Entry& entry, Instant now);
  void forget_restored(Instant now);
  bool send_next(Outbox::Entry& entry, Instant now);
  bool publish(std::size_t index, bool duplicate, Instant now);
  void go_on(Instant now);
  bool may_resend(std::size_t index, Instant now) const;
  bool newer_is_under_way(std::size_t index) const;
  void resend(std::size_t index, Instant now);
  bool may_continue(const Outbox::Entry& entry) const;
  void continue_durable(std::size_t index, Instant now);
  void reserve(Outbox::Entry& entry, Instant now);
  bool keeps(mqtt::ReasonCode reason) const {
    return on_quota_ == OnQuota::Retry && reason == mqtt::ReasonCode::QuotaExceeded;
  }
  void wait_for_quota(std::size_t index, Instant now);
  void note_taken(std::size_t index);
  void complete(std::size_t index, Outbox::Outcome outcome, Instant now);
  void erase_exchange(PacketId packet_id, Sequence sequence, Instant now);
  void sample(Sequence sequence, Instant now);

  static constexpr Duration kRetryFirst = std::chrono::seconds(1);
  static constexpr Duration kRetryMax = std::chrono::seconds(60);

  const OnQuota on_quota_;
  Outbox& outbox_;
  Journal& journal_;
  PublishSink* sink_ = nullptr;

  Windows windows_{};
  PacketId last_id_;
  std::uint32_t count_ = 0;          // sent and unanswered: counts against the window
  std::uint32_t durable_waits_ = 0;  // entries Reserved or Received
  bool resending_ = false;           // some in-flight entries have not been resent on this connection yet

  std::vector<Restored> restored_;  // QoS 2 exchanges of the last run whose message is not in memory yet

  Sequence sampled_;  // the message whose acknowledgement time is being taken
  Instant sampled_at_{};
  std::optional<Duration> acknowledgement_time_;
  Instant last_progress_{};

  bool refused_ = false;         // a message, for now, and none was taken since
  bool refused_before_ = false;  // a message, for now, on this connection
  bool retry_pending_ = false;   // what was refused has not been sent again yet
  Instant retry_at_ = Instant::min();
  Duration retry_interval_ = kRetryFirst;
};

}  // namespace furrow::broker
