// What the tests of this folder have in common: SHOWS, raw packets, and what must become of those who send wrong ones.
#pragma once

#include <string>
#include <string_view>

#include "tests/support/broker_fixture.h"

// Names the statements of statements.tsv that a test shows. table.py looks for it, and a failure prints it.
#define SHOWS(statements) SCOPED_TRACE("shows " statements)

namespace furrow::test {

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::RetainHandling;
using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

inline constexpr Version kVersions[] = {kV3, kV5};

inline mqtt::Will will(std::string_view topic, std::string_view payload, mqtt::PropertyView properties = {}) {
  mqtt::Will will;
  will.topic = topic;
  will.payload = as_bytes(payload);
  will.properties = properties;
  return will;
}

// A packet of its first byte and of what follows the remaining length, both as bytes_from() reads them.
inline Bytes packet(std::string_view first, std::string_view rest) {
  Bytes bytes = bytes_from(first);
  const Bytes body = bytes_from(rest);
  for (std::size_t length = body.size(), more = 1; more != 0; length >>= 7U) {
    more = length > 0x7F ? 0x80 : 0;
    bytes.push_back(static_cast<std::uint8_t>((length & 0x7F) | more));
  }
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

class ConformanceTest : public BrokerFixture {
 public:
  // Connected, and subscribed to `filter`; nothing is left to read.
  Client& reader(std::string_view filter, Qos qos = kQos0, const Client::SubscribeOptions& how = {},
                 const ConnectOptions& asked = {.client_id = "reader"}) {
    Client& client = connect(asked);
    client.subscribe(filter, qos, how);
    EXPECT_THAT(client.received(), Contains(StartsWith("SUBACK id=1 reason=0")));
    return client;
  }

  // Leaves a retained message behind.
  void retain(std::string_view topic, std::string_view payload, Qos qos = kQos0, mqtt::PropertyView properties = {}) {
    Client& client = connect({.client_id = "retainer"});
    client.publish(topic, payload, qos, 1, {.retain = true, .properties = properties});
    client.disconnect();
    advance(seconds(2));
  }

  // The retained messages that somebody who subscribes now would get.
  std::vector<std::string> retained(std::string_view filter) {
    Client& client = connect({.client_id = "curious"});
    client.subscribe(filter, kQos2);
    std::vector<std::string> received = client.received();
    EXPECT_THAT(received, Contains(StartsWith("SUBACK id=1")));
    std::erase_if(received, [](const std::string& one) { return one.starts_with("SUBACK"); });
    client.disconnect();
    return received;
  }

  // The bytes that wait for a client that does not read.
  std::string unread(const Client& client) { return hex(broker().output(client.id()).view()); }

  // A client that was accepted and sends this is told `reason` (a regular expression of hex digits) in MQTT 5, nothing
  // before, and its connection is closed.
  void expect_closed(Version version, const Bytes& bytes, std::string_view reason = "81") {
    SCOPED_TRACE(hex(bytes) + (version == kV5 ? " in MQTT 5" : " in MQTT 3.1.1"));
    Client& client = connect({.client_id = "wrong", .version = version});
    client.send_bytes(bytes);
    if (version == kV5) {
      EXPECT_THAT(client.received(), ElementsAre(MatchesRegex("DISCONNECT reason=(" + std::string(reason) + ").*")));
    } else {
      EXPECT_THAT(client.received(), IsEmpty());
    }
    EXPECT_TRUE(client.closed());
  }

  // This CONNECT is refused with `reason` in MQTT 5, without a word before, and the connection is closed.
  void expect_refused(Version version, const Bytes& bytes, std::string_view reason = "81") {
    SCOPED_TRACE(hex(bytes));
    const std::size_t clients_before = broker().clients();
    Client& client = open(version);
    client.send_bytes(bytes);
    if (version == kV5) {
      EXPECT_THAT(client.received(), ElementsAre(MatchesRegex("CONNACK reason=(" + std::string(reason) + ").*")));
    } else {
      EXPECT_THAT(client.received(), IsEmpty());
    }
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(broker().clients(), clients_before);
  }

  // This CONNECT is accepted.
  Client& expect_accepted(Version version, const Bytes& bytes) {
    SCOPED_TRACE(hex(bytes));
    Client& client = open(version);
    client.send_bytes(bytes);
    EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00")));
    EXPECT_FALSE(client.closed());
    return client;
  }
};

}  // namespace furrow::test
