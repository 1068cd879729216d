// The subscriptions of one client, from few to many and back: each is found by its filter, whatever came and went.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "broker-core/base/random.h"
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::Qos;
using ::testing::ElementsAre;
using ::testing::StartsWith;

class Subscriptions : public BrokerFixture {
 public:
  Subscriptions() {
    options.limits.subscriptions = 0;
    options.limits.packet_bytes = 0;
  }

  // Which of these topics reach the client.
  std::set<std::string> reaching(Client& client, const std::vector<std::string>& topics) {
    std::set<std::string> found;
    Client& publisher = connect({.client_id = "publisher"});
    for (const std::string& topic : topics) {
      publisher.publish(topic, "");
      if (!client.received().empty()) found.insert(topic);
    }
    return found;
  }
};

std::vector<std::string> filters(std::size_t count) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i)
    all.push_back("barn/" + std::to_string(i) + (i % 2 == 0 ? "" : "/a longer name"));
  return all;
}

mqtt::Subscribe subscribe_to(const std::vector<std::string>& filters, Qos qos) {
  mqtt::Subscribe packet;
  packet.packet_id = PacketId{1};
  for (const std::string& filter : filters) packet.requests.push_back({.filter = filter, .qos = qos});
  return packet;
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST_F(Subscriptions, ManyAreReplacedAndRemovedInTheOrderAskedFor) {
  constexpr std::size_t kCount = 20'000;
  const std::vector<std::string> all = filters(kCount);
  Client& client = connect({.client_id = "many"});
  client.send(subscribe_to(all, Qos::AtMostOnce));
  EXPECT_THAT(client.received(), ElementsAre("SUBACK id=1" + repeated(" reason=00", kCount)));
  client.send(subscribe_to(all, Qos::AtLeastOnce));
  EXPECT_THAT(client.received(), ElementsAre("SUBACK id=1" + repeated(" reason=01", kCount)));
  EXPECT_EQ(broker().subscriptions(), kCount);

  // Every other one, and each with one that is not there.
  mqtt::Unsubscribe packet;
  packet.packet_id = PacketId{2};
  for (std::size_t i = 0; i < kCount; i += 2) {
    packet.filters.push_back(all[i]);
    packet.filters.push_back("nobody's");
  }
  client.send(packet);
  EXPECT_THAT(client.received(), ElementsAre("UNSUBACK id=2" + repeated(" reason=00 reason=11", kCount / 2)));
  EXPECT_EQ(broker().subscriptions(), kCount / 2);
}

TEST_F(Subscriptions, AgreeWithAMapUnderChurnAndAfterARestart) {
  const std::vector<std::string> all = filters(80);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Client& client = open_durable("sensor", mqtt::Version::V5, true);
    client.received();
    std::set<std::string> expected;
    std::size_t most = 0;
    for (int i = 0; i < 900; ++i) {
      const std::string& filter = all[random.below(all.size())];
      // More come than go, then more go than come, and again.
      if (random.chance(i % 600 < 300 ? 80 : 20)) {
        client.subscribe(filter, static_cast<Qos>(random.below(3)));
        ASSERT_THAT(client.received(), ElementsAre(StartsWith("SUBACK id=1 reason=0")));
        expected.insert(filter);
      } else {
        client.unsubscribe(filter);
        const bool there = expected.erase(filter) > 0;
        ASSERT_THAT(client.received(), ElementsAre(there ? "UNSUBACK id=1 reason=00" : "UNSUBACK id=1 reason=11"));
      }
      ASSERT_EQ(broker().subscriptions(), expected.size());
      most = std::max(most, expected.size());
    }
    EXPECT_GT(most, 60U);
    EXPECT_EQ(reaching(client, all), expected);
    crash();
    Client& again = open_durable("sensor");
    again.received();
    EXPECT_EQ(reaching(again, all), expected);
    again.unsubscribe(*expected.begin());
    EXPECT_THAT(again.received(), ElementsAre("UNSUBACK id=1 reason=00"));
  }
}

}  // namespace
}  // namespace furrow::test
