// A simulated client of the gateway, written for the simulator: a field sensor, a subscriber with a persistent session,
// or both. It keeps its session, resends as the specification asks of a client, pings, and gives a silent connection
// up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/endpoint.h"
#include "tests/sim/exchange.h"
#include "tests/sim/mutation.h"
#include "tests/sim/will_watch.h"

namespace furrow::sim {

class Client {
 public:
  // What it publishes: numbered messages of one stream.
  struct Publishing {
    StreamId stream = 0;
    std::uint32_t messages = 0;
    Duration interval{};
    std::size_t padding = 0;
    unsigned deletions = 0;   // percent
    std::string origin = {};  // its messages have ids of this one in a mesh
    bool copies = false;      // it publishes what another client does, once that has
  };
  struct Subscribing {
    std::string filter;
    mqtt::Qos qos = mqtt::Qos::AtLeastOnce;
    std::vector<StreamId> streams;  // what matches
    // Who gets what comes by it, where that is not Options::receiver: told by a subscription identifier (MQTT 5).
    std::optional<ReceiverId> receiver = std::nullopt;
  };
  struct Will {
    StreamId stream = 0;
    std::uint32_t delay_s = 0;  // MQTT 5 only
    Duration stored_after{};    // the time that the gateway has to store it; none where CONNACK waits for that
  };
  struct Options {
    std::string id;
    mqtt::Version version = mqtt::Version::V5;
    bool clean = false;        // its session ends with its connection
    std::string gateway = {};  // it is the bridge of this one (MQTT 5)
    std::size_t window = 8;
    std::uint16_t receive_maximum = 0;  // MQTT 5 only; 0 = none announced
    std::vector<Publishing> publishes;
    std::vector<Subscribing> subscribes;
    std::optional<Will> will = std::nullopt;
    ReceiverId receiver = 0;  // with `subscribes`
    Duration answer_after{};  // how long it takes to answer a message, at most
    Duration delay_max = std::chrono::milliseconds(5);
  };

  Client(Options options, Mutation mutation, Ledger& ledger, Random& random);

  // A link to the gateway is up: says CONNECT.
  void connect(LinkRef link, Instant now);
  bool connected() const { return end_ && end_->open(); }
  Link* link() { return end_ ? &end_->link() : nullptr; }
  // It goes away: no connection before `until`.
  void leave(Instant until);
  // It gives its session up: the next connection begins one anew, and subscribes again.
  void renew();
  // It takes its last subscription back, and subscribes again after a while.
  void unsubscribe(Duration pause, Instant now);
  // Whether its session, with all its subscriptions, is the gateway's to keep.
  bool settled() const { return !renewing_ && !unsubscribing_ && subscribed(); }
  // It says DISCONNECT, and is then away until `until`.
  void say_goodbye(Instant until, Instant now);
  // It never comes back. `mourned`: its will must be published.
  void die(bool mourned, Instant now);
  Instant away_until() const { return away_until_; }

  // Takes what has arrived and, while it is `publishing`, publishes what is due.
  void run(Instant now, bool publishing);
  Instant next_deadline() const;

  // Everything published and answered.
  bool done() const;
  // Connected, and all its subscriptions are granted.
  bool ready() const { return ready_ && connected() && subscribed(); }
  const std::string& id() const { return options_.id; }

  // The number of the retained message of each stream, as it came with the subscription; of a clean session, on this
  // connection.
  std::optional<std::uint32_t> retained(StreamId stream) const;

 private:
  struct Progress {
    std::uint32_t next_number = 0;
    Instant next_at{};
  };

  bool subscribed() const { return granted_ == options_.subscribes.size(); }
  void handle(const mqtt::Packet& packet, Instant now);
  void handle_connack(const mqtt::Connack& connack, Instant now);
  void handle_suback(const mqtt::Suback& suback);
  void handle_publish(const mqtt::Publish& publish, Instant now);
  void handle_unsuback(Instant now);
  void subscribe_next(Instant now);
  void send_unsubscribe(Instant now);
  ReceiverId receiver_of(const mqtt::Publish& publish) const;
  void publish_due(Instant now);
  // The number of its next message; nothing when there is none to copy yet.
  std::optional<std::uint32_t> next_number(const Publishing& wanted, const Progress& progress, bool deletes,
                                           Instant now);
  Instant next_publish() const;
  Instant overdue() const;

  const Options options_;
  Mutator mutator_;
  Ledger& ledger_;
  Random& random_;
  Outgoing outgoing_;
  Incoming incoming_;
  std::vector<Progress> progress_;                      // of each stream that it publishes
  std::size_t granted_ = 0;                             // subscriptions, in their order
  bool known_ = false;                                  // a CONNACK has come: the gateway has the session
  bool renewing_ = false;                               // what the gateway has is to end
  bool unsubscribing_ = false;                          // until UNSUBACK
  Duration pause_{};                                    // from then until it subscribes again
  Instant subscribe_at_{};                              // not before
  std::vector<std::optional<std::uint32_t>> retained_;  // by stream

  std::optional<WillWatch> will_;

  std::unique_ptr<Endpoint> end_;
  bool ready_ = false;  // CONNACK came
  bool publishing_ = false;
  Instant ping_at_ = kNever;
  Instant give_up_at_ = kNever;  // the connection is silent
  Instant away_until_{};
};

}  // namespace furrow::sim
