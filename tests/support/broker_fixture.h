// A broker with a store in memory, a clock that jumps, and clients that speak packets: a test reads like a short story.
//
//   Client& sensor = connect({.client_id = "sensor"});
//   sensor.publish("farm/1", "21.5", Qos::AtLeastOnce, 7);
//   EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=10"));
//
// Whatever a client does, the world then turns until nothing moves any more; only time has to be advanced by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/broker.h"
#include "broker-core/mqtt/encoder.h"
#include "tests/support/line_log.h"
#include "tests/support/memory_store.h"
#include "tests/support/packet_text.h"

namespace furrow::test {

inline constexpr auto kQos0 = mqtt::Qos::AtMostOnce;
inline constexpr auto kQos1 = mqtt::Qos::AtLeastOnce;
inline constexpr auto kQos2 = mqtt::Qos::ExactlyOnce;
inline constexpr auto kV3 = mqtt::Version::V3_1_1;
inline constexpr auto kV5 = mqtt::Version::V5;

// A property list that lives as long as the statement, or longer when it has a name.
class Properties {
 public:
  Properties& number(mqtt::PropertyId id, std::uint32_t value) {
    mqtt::PropertyWriter(bytes_).number(id, value);
    return *this;
  }
  Properties& text(mqtt::PropertyId id, std::string_view value) {
    mqtt::PropertyWriter(bytes_).text(id, value);
    return *this;
  }
  Properties& user(std::string_view name, std::string_view value) {
    mqtt::PropertyWriter(bytes_).user(name, value);
    return *this;
  }
  operator mqtt::PropertyView() const { return mqtt::PropertyView::from_valid(bytes_.view()); }

 private:
  ByteBuffer bytes_;
};

class BrokerFixture;

// One network connection and the client at its other end.
class Client {
 public:
  struct PublishOptions {
    bool retain = false;
    bool duplicate = false;
    mqtt::PropertyView properties = {};
  };
  struct SubscribeOptions {
    bool no_local = false;
    bool retain_as_published = false;
    mqtt::RetainHandling retain_handling = mqtt::RetainHandling::Send;
    std::uint32_t subscription_id = 0;
  };

  Client(BrokerFixture& world, ConnectionId id, mqtt::Version version)
      : world_(world), id_(id), version_(version), decoder_(mqtt::Role::Client, UINT32_MAX) {
    decoder_.set_version(version);
  }

  void send(const mqtt::Packet& packet) {
    ByteBuffer bytes;
    encode(packet, version_, bytes);
    send_bytes(bytes.view());
  }
  // Bytes written as in packet_text.h: "10 0c 'MQTT' 04".
  void send_raw(std::string_view written) { send_bytes(bytes_from(written)); }
  void send_bytes(ByteView bytes);

  void publish(std::string_view topic, std::string_view payload, mqtt::Qos qos, std::uint16_t packet_id,
               const PublishOptions& options) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.properties = options.properties;
    packet.packet_id = PacketId{packet_id};
    packet.qos = qos;
    packet.retain = options.retain;
    packet.duplicate = options.duplicate;
    send(packet);
  }
  void publish(std::string_view topic, std::string_view payload, mqtt::Qos qos = mqtt::Qos::AtMostOnce,
               std::uint16_t packet_id = 0) {
    publish(topic, payload, qos, packet_id, {});
  }
  // PUBACK, PUBREC, PUBREL or PUBCOMP.
  void acknowledge(mqtt::PacketType type, std::uint16_t packet_id,
                   mqtt::ReasonCode reason = mqtt::ReasonCode::Success) {
    ByteBuffer bytes;
    mqtt::encode_acknowledgement(type, PacketId{packet_id}, reason, {}, version_, bytes);
    send_bytes(bytes.view());
  }
  // Always with packet identifier 1.
  void subscribe(std::string_view filter, mqtt::Qos qos, const SubscribeOptions& options) {
    Properties properties;
    if (options.subscription_id != 0) {
      properties.number(mqtt::PropertyId::SubscriptionIdentifier, options.subscription_id);
    }
    mqtt::Subscribe packet;
    packet.packet_id = PacketId{1};
    packet.requests.push_back({filter, qos, options.no_local, options.retain_as_published, options.retain_handling});
    packet.properties = properties;
    send(packet);
  }
  void subscribe(std::string_view filter, mqtt::Qos qos = mqtt::Qos::AtMostOnce) { subscribe(filter, qos, {}); }
  void unsubscribe(std::string_view filter) {
    mqtt::Unsubscribe packet;
    packet.packet_id = PacketId{1};
    packet.filters.push_back(filter);
    send(packet);
  }
  void disconnect(mqtt::ReasonCode reason = mqtt::ReasonCode::NormalDisconnection, mqtt::PropertyView properties = {}) {
    send(mqtt::Disconnect{reason, properties});
  }
  // The network fails.
  void vanish();

  // What came since the last call, as packet_text.h describes it.
  std::vector<std::string> received() { return std::exchange(received_, {}); }
  // Whether the broker has closed the connection.
  bool closed() const { return closed_; }
  // From now on nothing is taken from the network; what was written meanwhile comes with start_reading().
  void stop_reading() { reads_ = false; }
  void start_reading();
  ConnectionId id() const { return id_; }

 private:
  friend class BrokerFixture;

  void take(ByteView bytes) {
    mqtt::Packet packet;
    mqtt::ProtocolError error;
    for (auto step = decoder_.next(bytes, packet, error); step != mqtt::Decoder::Step::NeedMore;
         step = decoder_.next(bytes, packet, error)) {
      ASSERT_NE(step, mqtt::Decoder::Step::Malformed) << error.what;
      received_.push_back(describe(packet));
    }
  }

  BrokerFixture& world_;
  const ConnectionId id_;
  const mqtt::Version version_;
  mqtt::Decoder decoder_;
  ByteBuffer unread_;  // sent, and not yet read by the broker
  std::vector<std::string> received_;
  bool reads_ = true;
  bool closed_ = false;
};

// As a listener without layers would say it.
inline broker::Arrival from(std::string_view address, std::uint16_t port) {
  return {.address = IpAddress::parse(address).value(), .port = port};
}

struct ConnectOptions {
  std::string_view client_id = "client";
  mqtt::Version version = mqtt::Version::V5;
  bool clean_start = true;
  std::uint16_t keep_alive_s = 0;
  bool bridge = false;
  std::optional<mqtt::Will> will = std::nullopt;
  mqtt::PropertyView properties = {};
  std::optional<std::string_view> username = std::nullopt;
  std::optional<std::string_view> password = std::nullopt;
  std::optional<std::string> vouched_user = std::nullopt;
  std::string listener = {};
};

class BrokerFixture : public ::testing::Test {
 public:
  // A new network connection on which nothing was sent yet.
  Client& open(mqtt::Version version = mqtt::Version::V5) { return open(from("192.0.2.1", 1024), version); }
  Client& open(broker::Arrival arrival, mqtt::Version version) {
    const ConnectionId id = broker().handle_accept(std::move(arrival), now);
    clients_.push_back(std::make_unique<Client>(*this, id, version));
    return *clients_.back();
  }
  // And one whose CONNECT was sent; what came back is still there.
  Client& open(const ConnectOptions& asked) {
    broker::Arrival arrival = from("192.0.2.1", 1024);
    arrival.vouched_user = asked.vouched_user;
    arrival.listener = asked.listener;
    Client& client = open(std::move(arrival), asked.version);
    mqtt::Connect packet;
    packet.version = asked.version;
    packet.bridge = asked.bridge;
    packet.clean_start = asked.clean_start;
    packet.keep_alive_s = asked.keep_alive_s;
    packet.client_id = asked.client_id;
    packet.will = asked.will;
    packet.username = asked.username;
    if (asked.password) packet.password = as_bytes(*asked.password);
    packet.properties = asked.properties;
    client.send(packet);
    return client;
  }
  // And one that was accepted.
  Client& connect(const ConnectOptions& asked) {
    Client& client = open(asked);
    EXPECT_THAT(client.received(), ::testing::Contains(::testing::StartsWith("CONNACK reason=00")));
    return client;
  }

  // One whose session outlives its connection, by an hour (MQTT 5) or for good (before).
  Client& open_durable(std::string_view client_id, mqtt::Version version = mqtt::Version::V5,
                       bool clean_start = false) {
    const mqtt::PropertyView properties =
        version == mqtt::Version::V5 ? mqtt::PropertyView(an_hour) : mqtt::PropertyView();
    return open(ConnectOptions{
        .client_id = client_id, .version = version, .clean_start = clean_start, .properties = properties});
  }
  Client& connect_durable(std::string_view client_id, mqtt::Version version = mqtt::Version::V5) {
    Client& client = open_durable(client_id, version);
    EXPECT_THAT(client.received(), ::testing::Contains(::testing::StartsWith("CONNACK reason=00")));
    return client;
  }
  // Leaves such a session behind, subscribed with QoS 2 and stored.
  void leave_subscribed(std::string_view client_id, std::string_view filter) {
    Client& client = connect_durable(client_id);
    client.subscribe(filter, mqtt::Qos::ExactlyOnce);
    client.disconnect();
    advance(std::chrono::seconds(2));  // what is written without haste is written
  }

  // Started when it is first needed, so that a test can change `options` before.
  broker::Broker& broker() {
    if (broker_ == nullptr) {
      restored_ = store.restored();
      const auto stamp = [this](Instant instant) {
        const WallTime wall = wall_at_boot_ + instant.time_since_epoch();
        return ClockStamp{.boot = boot_, .monotonic = instant, .wall = wall, .trusted = clock_trusted_};
      };
      broker_ = std::make_unique<broker::Broker>(options, store, stamp, log, restored_, now);
    }
    return *broker_;
  }
  const broker::Stats& stats() { return broker().stats(); }

  // Turns the loop until nothing moves any more.
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& client : clients_) moved = feed(*client) || moved;
      broker().handle_turn_end(now);
      for (ConnectionId id; broker().poll_ready(id); moved = true) serve(id);
      if (store_answers && !store.submitted().empty()) {
        broker().handle_persisted(store.complete(), now);
        moved = true;
      }
      while (const auto page = store.answer_read()) {
        broker().handle_page(*page, now);
        moved = true;
      }
    }
  }

  // Time passes, deadline by deadline.
  void advance(Duration duration) {
    const Instant end = now + duration;
    settle();
    while (broker().next_deadline() <= end) {
      now = std::max(now, broker().next_deadline());
      broker().handle_timeout(now);
      settle();
    }
    now = end;
  }

  // What was submitted becomes durable, once, when `store_answers` is off.
  void persist() {
    if (!store.submitted().empty()) broker().handle_persisted(store.complete(), now);
    settle();
  }

  // The gateway ends without a word and starts again; all network connections are gone. Of the batch at the writer,
  // the first `commits` of its commits are durable (see MemoryStore).
  void crash(int commits = 0) {
    broker_.reset();
    clients_.clear();
    store.crash(commits);
    settle();
  }

  // A planned stop, until everything is written, and a start after it.
  void restart(Duration off = {}) {
    broker().shut_down(now);
    settle();
    for (Duration waited{}; !broker().journal().idle() && waited < std::chrono::seconds(5); waited += kStopStep) {
      advance(kStopStep);
    }
    EXPECT_TRUE(broker().journal().idle());
    now += off;
    crash();
  }

  // As crash(), with the machine switched off for `off`. What time it is then, it does not know before trust_clock().
  void power_off(Duration off) {
    const WallTime wall = wall_at_boot_ + now.time_since_epoch() + off;
    ++boot_;
    now = Instant(std::chrono::minutes(1));
    wall_at_boot_ = wall - std::chrono::minutes(1);
    clock_trusted_ = false;
    crash();
  }
  void distrust_clock() { clock_trusted_ = false; }
  WallTime wall_time() const { return wall_at_boot_ + now.time_since_epoch(); }
  void trust_clock() {
    clock_trusted_ = true;
    broker().handle_clock_trusted(now);
    advance(Duration::zero());
  }

  broker::Broker::Options options;
  MemoryStore store;
  LineLog log;
  Instant now{std::chrono::hours(1)};
  bool store_answers = true;
  const Properties an_hour = std::move(Properties().number(mqtt::PropertyId::SessionExpiryInterval, 3600));

 private:
  friend class Client;

  bool feed(Client& client) {
    if (client.unread_.empty() || client.closed_ || broker().reading_paused(client.id_)) return false;
    // The copy stands for the read buffer: what a handler keeps must be its own.
    const Bytes bytes(client.unread_.view().begin(), client.unread_.view().end());
    client.unread_.clear();
    broker().handle_bytes(client.id_, bytes, true, now);
    return true;
  }

  void serve(ConnectionId id) {
    const auto client =
        std::ranges::find_if(clients_, [&](const auto& one) { return one->id_ == id && !one->closed_; });
    if (client != clients_.end()) serve(**client);
  }

  void serve(Client& client) {
    ByteBuffer& output = broker().output(client.id_);
    if (client.reads_ && !output.empty()) {
      client.take(output.view());
      const std::size_t bytes = output.size();
      output.consume(bytes);
      broker().handle_sent(client.id_, bytes, now);
    }
    if (!broker().closing(client.id_) || !broker().output(client.id_).empty()) return;
    broker().handle_closed(client.id_, now);
    client.closed_ = true;
  }

  static constexpr Duration kStopStep = std::chrono::milliseconds(100);

  std::uint64_t boot_ = 1;
  WallTime wall_at_boot_{std::chrono::hours(500'000)};
  bool clock_trusted_ = true;
  broker::Restored restored_;
  std::unique_ptr<broker::Broker> broker_;
  std::vector<std::unique_ptr<Client>> clients_;
};

inline void Client::send_bytes(ByteView bytes) {
  unread_.append(bytes);
  world_.settle();
}

inline void Client::vanish() {
  if (!std::exchange(closed_, true)) world_.broker().handle_closed(id_, world_.now);
  world_.settle();
}

inline void Client::start_reading() {
  reads_ = true;
  if (!closed_) world_.serve(*this);
  world_.settle();
}

}  // namespace furrow::test
