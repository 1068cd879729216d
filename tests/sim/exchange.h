// The two halves of an MQTT session as small models of the specification, for simulated clients and regions. They share
// nothing with furrow's own but the codec.
//
// Outgoing is who publishes: it keeps what is not acknowledged, and sends it again on the next connection with the same
// identifier. Incoming is who receives: it takes a QoS 2 message over once per identifier, answers in order after a
// drawn time, and knows how much may be under way. Spec: MQTT 5.0 §4.3, §4.4, §4.9.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "broker-core/base/random.h"
#include "tests/sim/endpoint.h"

namespace furrow::sim {

class Outgoing {
 public:
  struct Item {
    StreamId stream = 0;
    std::uint32_t number = 0;
    std::string topic;
    std::string payload;
    mqtt::Qos qos = mqtt::Qos::AtLeastOnce;
    bool retain = false;
    std::optional<std::uint32_t> expiry_s = std::nullopt;
    std::uint32_t subscription_id = 0;  // 0 = none
    std::string id = {};                // of a mesh; empty: none
  };

  // `ledger` is told what is sent again.
  explicit Outgoing(Ledger& ledger) : ledger_(&ledger) {}

  void push(Item item) { waiting_.push_back(std::move(item)); }
  // CONNACK was sent or received.
  void connect(Endpoint& end, std::uint16_t window, bool session_present, Instant now);
  void disconnect() { end_ = nullptr; }
  // Sends what the window allows.
  void pump(Instant now);

  struct Answer {
    Item item;
    mqtt::ReasonCode reason;
  };
  // What the peer said of one message: taken over, or refused. Nothing for a repetition.
  std::optional<Answer> handle(const mqtt::Packet& packet, Instant now);

  std::size_t unfinished() const { return waiting_.size() + inflight_.size(); }
  // The session is lost, and with it what the peer has not taken over: the ledger need not see that arrive.
  void forget();
  bool window_open() const { return waiting_.empty() && inflight_.size() < window_; }
  // When the peer must have answered something.
  Instant overdue(Duration patience) const { return inflight_.empty() ? kNever : progress_ + patience; }

 private:
  struct Exchange {
    Item item;
    PacketId packet_id;
    bool released = false;  // PUBREC came
  };
  void publish(const Exchange& exchange, bool duplicate, Instant now);
  std::optional<Answer> handle_answer(PacketId packet_id, mqtt::ReasonCode reason, bool last, Instant now);
  PacketId next_id();

  Ledger* ledger_;
  Endpoint* end_ = nullptr;
  std::size_t window_ = 0;
  std::uint16_t last_id_ = 0;
  Instant progress_{};
  std::deque<Item> waiting_;
  std::deque<Exchange> inflight_;
};

class Incoming {
 public:
  // `window` is the receive maximum announced to the peer, 0 = none announced.
  void connect(std::uint16_t window) {
    window_ = window;
    answers_.clear();
    unanswered_.clear();
  }
  // The session is lost.
  void forget() { received_.clear(); }

  // False for a QoS 2 message that was taken over before. `answer_after` bounds the drawn time until it is answered.
  bool handle(const mqtt::Publish& publish, Duration answer_after, Instant now, Random& random, Ledger& ledger);
  void handle(const mqtt::Pubrel& pubrel, Instant now);
  // Answers that the message is not taken for now; false when that cannot be said of it.
  bool refuse(const mqtt::Publish& publish, Instant now);

  // Sends the answers that are due.
  void run(Endpoint& end, Instant now);
  Instant next_deadline() const { return answers_.empty() ? kNever : answers_.front().due; }

 private:
  struct Answer {
    Instant due;
    mqtt::Packet packet;
    PacketId ends;  // the exchange that it ends; 0 = none
  };
  void answer(mqtt::Packet packet, PacketId ends, Instant due);

  std::uint16_t window_ = 0;
  std::set<std::uint16_t> received_;    // of the session: QoS 2, not yet released
  std::set<std::uint16_t> unanswered_;  // of the connection: what counts against the window
  std::deque<Answer> answers_;
};

}  // namespace furrow::sim
