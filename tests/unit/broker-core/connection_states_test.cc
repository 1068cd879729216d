// The table of connection.h, cell by cell: what each packet of a client does in each state of its connection.
#include <functional>

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::Contains;
using testing::IsEmpty;
using testing::StartsWith;

enum class State { AwaitConnect, Connected, Closing };
constexpr State kStates[] = {State::AwaitConnect, State::Connected, State::Closing};

struct Row {
  const char* packet;
  std::function<void(Client&)> send;
  const char* when_awaiting;   // the beginning of the answer; "closed": the connection ends, and nothing is said
  const char* when_connected;  // likewise; "": nothing is said, and the connection goes on
};

void connect_on(Client& client) {
  client.send(mqtt::Connect{.version = mqtt::Version::V5, .clean_start = true, .client_id = "client"});
}

// What a server may send only is refused before any state is asked: see decoder_test.cc.
const Row kRows[] = {
    {"CONNECT", connect_on, "CONNACK reason=00", "DISCONNECT reason=82"},
    {"PUBLISH", [](Client& client) { client.publish("t", "1", Qos::AtLeastOnce, 7); }, "closed", "PUBACK id=7"},
    {"PUBACK", [](Client& client) { client.acknowledge(PacketType::Puback, 7); }, "closed", ""},
    {"PUBREC", [](Client& client) { client.acknowledge(PacketType::Pubrec, 7); }, "closed", "PUBREL id=7 reason=92"},
    {"PUBREL", [](Client& client) { client.acknowledge(PacketType::Pubrel, 7); }, "closed", "PUBCOMP id=7 reason=92"},
    {"PUBCOMP", [](Client& client) { client.acknowledge(PacketType::Pubcomp, 7); }, "closed", ""},
    {"SUBSCRIBE", [](Client& client) { client.subscribe("t"); }, "closed", "SUBACK id=1 reason=00"},
    {"UNSUBSCRIBE", [](Client& client) { client.unsubscribe("t"); }, "closed", "UNSUBACK id=1 reason=11"},
    {"PINGREQ", [](Client& client) { client.send(mqtt::Pingreq{}); }, "closed", "PINGRESP"},
    {"DISCONNECT", [](Client& client) { client.disconnect(); }, "closed", "closed"},
    {"AUTH", [](Client& client) { client.send(mqtt::Auth{}); }, "closed", "DISCONNECT reason=82"},
};

class ConnectionStates : public BrokerFixture {
 protected:
  // A connection in this state, of which everything has been read.
  Client& in(State state) {
    Client& client = open(mqtt::Version::V5);
    if (state == State::AwaitConnect) return client;
    connect_on(client);
    client.received();
    if (state == State::Closing) {
      client.stop_reading();  // its last words wait, and so does its end
      client.send(mqtt::Auth{});
    }
    return client;
  }

  static const char* expected(const Row& row, State state) {
    switch (state) {
      case State::AwaitConnect:
        return row.when_awaiting;
      case State::Connected:
        return row.when_connected;
      case State::Closing:
        return "";
    }
    return nullptr;
  }

  void expect(const Row& row, State state) {
    SCOPED_TRACE(std::string(row.packet) + " in state " + std::to_string(static_cast<int>(state)));
    Client& client = in(state);
    const std::string_view answer = expected(row, state);
    const auto packets_before = stats().protocol_errors;
    row.send(client);
    if (state == State::Closing) {
      EXPECT_EQ(stats().protocol_errors, packets_before);
      client.start_reading();
      EXPECT_THAT(client.received(), testing::ElementsAre(StartsWith("DISCONNECT"))) << "what it had to hear before";
      EXPECT_TRUE(client.closed());
      return;
    }
    const std::vector<std::string> received = client.received();
    if (answer.empty() || answer == "closed") {
      EXPECT_THAT(received, IsEmpty());
    } else {
      EXPECT_THAT(received, Contains(StartsWith(std::string(answer))));
    }
    const bool ends = answer == "closed" || answer.starts_with("DISCONNECT");
    EXPECT_EQ(client.closed(), ends);
    if (!client.closed()) client.vanish();
  }
};

TEST_F(ConnectionStates, EachPacketDoesWhatTheTableSays) {
  for (const Row& row : kRows) {
    for (const State state : kStates) expect(row, state);
  }
}

}  // namespace
}  // namespace furrow::test
