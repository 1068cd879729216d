// All traces that run, and what is read along for them: the bytes of MQTT of clients and bridges, decoded once more.
//
// A reader along sees the same bytes as the broker, behind TLS and WebSocket, and decodes them with a decoder of its
// own: so what is shown is what the network carried, in its order, and the way of a message knows nothing of it. While
// nobody traces, is_on() is false and nothing else may be called. Where the reading begins in the middle of a
// connection it takes over what that end knows (StreamState): the packet of which not all has come, and topic aliases.
// Connections that no trace wants are remembered as such and not decoded.
//
//   a trace ends   when its time is over, when it has shown as many packets as were asked for, when its reader has said
//                  all or is gone, or with the gateway
// Pure. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bridge/bridge.h"
#include "broker-core/broker.h"
#include "broker-core/stream_state.h"
#include "gateway/control/answer.h"
#include "gateway/control/trace.h"

namespace furrow::gateway {

class Traces {
 public:
  static constexpr std::size_t kMax = 4;
  static constexpr std::uint64_t kCountMax = 1'000'000;
  static constexpr std::chrono::seconds kLengthMax = std::chrono::hours(1);

  // `broker` must outlive it; `wall` says what time of day it is.
  Traces(const broker::Broker& broker, std::function<WallTime()> wall) : broker_(broker), wall_(std::move(wall)) {}
  Traces(const Traces&) = delete;
  Traces& operator=(const Traces&) = delete;

  // Whether anybody traces.
  bool is_on() const { return is_on_; }

  // Begins a trace, whose lines are the answer. nullptr when kMax run already. `this` must outlive the answer.
  std::unique_ptr<Answer> begin(TraceChoice choice, std::chrono::seconds length, Instant now);

  // --- while is_on() ---
  // Bytes have come from the client, and the broker has not seen them yet.
  void note_received(ConnectionId from, ByteView bytes, Instant now);
  // Whole packets, which leave now.
  void note_sent(ConnectionId to, ByteView bytes, Instant now);
  // The network connection ends, and the broker knows it still.
  void note_ended(ConnectionId connection, std::string_view reason, Instant now);
  // The same of bridges.
  void note_received(const bridge::Bridge& from, ByteView bytes, Instant now);
  void note_sent(const bridge::Bridge& to, ByteView bytes, Instant now);
  void note_ended(const bridge::Bridge& bridge, std::string_view reason, Instant now);

  // Ends those whose time is over.
  void handle_timeout(Instant now);
  Instant next_deadline() const;

 private:
  class TraceAnswer;

  // One connection that is read along.
  struct Strand {
    std::uint64_t link = 0;
    bool is_bridge = false;
    bool is_wanted = true;
    bool is_spent = false;  // what came was malformed
    bool knows_assigned = false;
    std::string name;
    std::string address;
    std::optional<IpAddress> ip;
    std::optional<mqtt::Decoder> received;
    broker::ReceivedAliases received_aliases;  // of the other end
    broker::ReceivedAliases sent_aliases;      // and of this one

    TraceParty party() const {
      return {.link = link, .is_bridge = is_bridge, .name = name, .address = address, .ip = ip};
    }
  };

  Strand& strand_of(ConnectionId connection);
  Strand& strand_of(const bridge::Bridge& bridge);
  Strand& begin_strand(Strand& strand, const broker::StreamState& state, mqtt::Role role);
  void review(Strand& strand) const;
  void read_received(Strand& strand, ByteView bytes, Instant now);
  void read_sent(Strand& strand, ByteView bytes, mqtt::Decoder decoder, Instant now);
  // Takes over the aliases of `assigned` that `bytes`, which are on their way, do not give to other topics.
  void learn_assigned(Strand& strand, const broker::TopicAliases* assigned, ByteView bytes, mqtt::Decoder decoder);
  void see(Strand& strand, TraceDirection direction, const mqtt::Packet& packet, Instant now);
  void end(Strand& strand, std::string_view reason, Instant now);
  // Calls `show` with each trace.
  template <typename Show>
  void for_each(Show show, Instant now);
  void forget(TraceAnswer& answer);
  void forget_strands();

  const broker::Broker& broker_;
  const std::function<WallTime()> wall_;

  bool is_on_ = false;
  std::vector<TraceAnswer*> running_;
  std::uint64_t links_ = 0;  // that were given numbers
  std::unordered_map<ConnectionId, Strand> clients_;
  std::map<std::string, Strand, std::less<>> bridges_;
  mqtt::Packet packet_;
};

}  // namespace furrow::gateway
