// The regional broker, as a small model of the specification that shares nothing with furrow's broker but the codec. It
// keeps the sessions of the bridges, takes QoS 2 over once per packet identifier, forwards what other bridges have
// subscribed to, keeps retained messages, and tells the ledger what arrived from where.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/endpoint.h"
#include "tests/sim/exchange.h"
#include "tests/sim/mutation.h"

namespace furrow::sim {

// What bridges put before the topics that all of them share; before their own they put more.
inline constexpr std::string_view kSharedPrefix = "eu/";

class Region {
 public:
  struct Options {
    bool v5 = true;  // else it refuses MQTT 5, as older brokers do
    std::uint16_t receive_maximum = 20;
    std::uint16_t topic_alias_maximum = 10;
    Duration delay_max = std::chrono::milliseconds(40);
    Duration answer_after{};  // how long it takes to answer a message, at most
    bool thinned = false;     // bridges leave out values, but never the newest
  };
  Region(const Options& options, Mutation mutation, Ledger& ledger, Random& random)
      : options_(options), mutator_(mutation), ledger_(ledger), random_(random) {}

  // A bridge that may connect: its client identifier, what it puts before topics, and who the ledger takes it for.
  void add_bridge(std::string client_id, std::string prefix, ReceiverId receiver);

  void accept(LinkRef link);
  void run(Instant now);
  Instant next_deadline() const;
  // It crashes: connections break. A broker with a store keeps its sessions; one without loses them.
  void restart(bool forgets);
  // It ends the connection in order when it gets this message from a bridge.
  void add_poison(StreamId stream, std::uint32_t number) { poison_.emplace(stream, number); }
  // It takes no messages until then, and says so to who speaks MQTT 5.
  void fill(Instant until) { full_until_ = until; }

  // Publishes the next message of `stream` to whoever subscribes to `topic`.
  void publish(StreamId stream, const std::string& topic, Instant now);
  // Whether every bridge has so many subscriptions.
  bool subscribed(std::size_t filters) const;
  // What it keeps of a bridge's subscriptions, in the order of the alphabet.
  std::string filters_of(std::string_view client_id) const;
  // What waits for the bridges.
  std::size_t unfinished() const;
  std::optional<std::string> retained(const std::string& topic) const;

 private:
  struct Subscription {
    std::string filter;
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    bool no_local = false;
    std::uint32_t id = 0;
  };
  struct Session {
    explicit Session(Ledger& ledger) : outgoing(ledger) {}
    std::string prefix;
    ReceiverId receiver = 0;
    bool present = false;
    bool bare = false;  // its subscriptions were lost, and nothing was subscribed to since
    Incoming incoming;
    Outgoing outgoing;
    std::vector<Subscription> subscriptions;
    std::map<std::string, std::string, std::less<>> numbered;  // payloads by the numbers that their messages say
  };
  struct Connection {
    Endpoint end;
    Session* session = nullptr;  // from CONNECT on
    bool bridge_bit = false;
    std::map<std::uint32_t, std::string> aliases;
  };

  void handle(Connection& connection, const mqtt::Packet& packet, Instant now);
  void handle_connect(Connection& connection, const mqtt::Connect& connect, Instant now);
  void handle_publish(Connection& connection, const mqtt::Publish& publish, Instant now);
  void handle_subscribe(Connection& connection, const mqtt::Subscribe& subscribe, Instant now);
  void handle_unsubscribe(Connection& connection, const mqtt::Unsubscribe& unsubscribe, Instant now);
  std::string topic_of(Connection& connection, const mqtt::Publish& publish);
  bool refuse(Connection& connection, const mqtt::Publish& publish, Instant now);
  void check_number(Session& session, const mqtt::Publish& publish);
  void record(const Session& session, std::string_view topic, ByteView payload);
  // Returns whether a session took it.
  bool forward(const Outgoing::Item& item, const Session* from, Instant now);
  void end_session(Session& session);

  const Options options_;
  const Mutator mutator_;
  Instant full_until_ = Instant::min();
  Ledger& ledger_;
  Random& random_;
  std::map<std::string, Session, std::less<>> sessions_;  // by client identifier
  std::vector<std::unique_ptr<Connection>> connections_;
  std::map<std::string, std::string> retained_;
  std::set<std::pair<StreamId, std::uint32_t>> poison_;
};

}  // namespace furrow::sim
