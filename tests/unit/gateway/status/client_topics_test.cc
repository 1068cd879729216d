#include "gateway/status/client_topics.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/broker_fixture.h"

namespace furrow::gateway {
namespace {

using std::chrono::seconds;
using test::Client;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ClientTopicsTest : public test::BrokerFixture {
 protected:
  void start() {
    watch_.emplace(log, now);
    sources_.emplace(GatewayFacts{.id = "barn", .version = "1", .acknowledge = "durable", .started = now},
                     std::vector<ListenerStatus>{}, links_, broker(), *watch_, clock_);
    topics_.emplace(*sources_, broker());
    topics_->set_enabled(true, now);
    publish();
  }
  void publish() {
    for (int turn = 0; turn < 1000 && topics_->next_deadline() <= now; ++turn) topics_->publish(now);
    settle();
  }
  void pass(Duration time) {
    now += time;
    publish();
  }
  // The document of a client; empty: there is none.
  std::string document(std::string_view client_id) {
    const broker::MessageRef message = broker().retained().find(client_topic(client_id));
    return message ? std::string(as_text(message->payload())) : "";
  }

  Clock clock_;
  LinkStats links_;
  std::optional<StoreWatch> watch_;
  std::optional<StatusSources> sources_;
  std::optional<ClientTopics> topics_;
};

TEST(ClientTopic, EscapesWhatMeansSomethingInATopic) {
  EXPECT_EQ(client_topic("pump-7"), "$SYS/furrow/client/pump-7");
  EXPECT_EQ(client_topic("a/b+c#d%"), "$SYS/furrow/client/a%2Fb%2Bc%23d%25");
}

TEST_F(ClientTopicsTest, ClientComesLeavesAndEnds) {
  start();
  Client& pump = connect({.client_id = "pump", .version = mqtt::Version::V3_1_1, .clean_start = false});
  pass(seconds(1));
  EXPECT_THAT(document("pump"), HasSubstr(R"("id":"pump","connected":true)"));
  EXPECT_THAT(document("pump"), HasSubstr(R"("user":null)"));
  EXPECT_THAT(document("pump"), HasSubstr(R"("address":"192.0.2.1:1024","version":"3.1.1")"));
  pump.disconnect();
  pass(seconds(1));
  EXPECT_THAT(document("pump"), HasSubstr(R"("connected":false)"));
  EXPECT_THAT(document("pump"), HasSubstr(R"("address":null,"version":null)"));
  connect({.client_id = "pump", .version = mqtt::Version::V3_1_1, .clean_start = true}).disconnect();
  pass(seconds(1));
  EXPECT_EQ(document("pump"), "") << "its session has ended";
}

TEST_F(ClientTopicsTest, AtMostOnceASecond) {
  start();
  connect({.client_id = "one"});
  pass(seconds(1));
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("$SYS/furrow/client/+");
  reader.received();
  for (int i = 0; i < 5; ++i) connect({.client_id = "one"});
  publish();
  EXPECT_THAT(reader.received(), IsEmpty());
  EXPECT_EQ(topics_->next_deadline(), now + seconds(1));
  pass(seconds(1));
  std::vector<std::string> lines = reader.received();
  std::erase_if(lines, [](const std::string& line) { return line.find("client/one") == std::string::npos; });
  EXPECT_THAT(lines, SizeIs(1));
}

TEST_F(ClientTopicsTest, QueueIsToldWithTheInterval) {
  start();
  Client& pump = connect({.client_id = "pump", .version = mqtt::Version::V3_1_1, .clean_start = false});
  pump.subscribe("farm/#", mqtt::Qos::AtLeastOnce);
  pump.disconnect();
  pass(seconds(1));
  connect({.client_id = "sensor"}).publish("farm/1", "21", mqtt::Qos::AtLeastOnce, 1);
  pass(seconds(1));
  EXPECT_THAT(document("pump"), HasSubstr(R"("queue":{"messages":0)"));
  topics_->note_round();
  publish();
  EXPECT_THAT(document("pump"), HasSubstr(R"("queue":{"messages":1)"));
}

TEST_F(ClientTopicsTest, ManyThatComeAtOnceLeaveInPieces) {
  start();
  for (int i = 0; i < 250; ++i) connect({.client_id = "client-" + std::to_string(i)});
  now += seconds(1);
  topics_->publish(now);
  const auto there = [&] {
    int count = 0;
    for (int i = 0; i < 250; ++i) count += document("client-" + std::to_string(i)).empty() ? 0 : 1;
    return count;
  };
  EXPECT_EQ(there(), 100);
  EXPECT_EQ(topics_->next_deadline(), now + ClientTopics::kApart);
  pass(ClientTopics::kApart);
  EXPECT_EQ(there(), 200);
  pass(ClientTopics::kApart);
  EXPECT_EQ(there(), 250);
}

TEST_F(ClientTopicsTest, SwitchedOffAllGo) {
  start();
  connect({.client_id = "pump"});
  pass(seconds(1));
  topics_->set_enabled(false, now);
  EXPECT_EQ(document("pump"), "");
  EXPECT_EQ(topics_->next_deadline(), kNever);
}

}  // namespace
}  // namespace furrow::gateway
