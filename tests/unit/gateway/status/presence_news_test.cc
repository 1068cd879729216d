#include "gateway/status/presence_news.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/broker_fixture.h"

namespace furrow::gateway {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A gateway with one bridge, whose far broker acknowledges at once what is said of the gateway.
class PresenceNewsTest : public test::BrokerFixture {
 protected:
  PresenceNewsTest() {
    facts_ = {.id = "barn", .version = "1", .acknowledge = "durable", .started = now};
    buffers_ = std::make_unique<bridge::Buffers>(broker::Restored{}, broker());
    watch_.emplace(log, now);
    sources_.emplace(facts_, std::vector<ListenerStatus>{}, links_, broker(), *watch_, clock_);
    sources_->set_alarms([this] { return alarms_; });
    news_.emplace(*sources_);
    bridge::Options bridge_options;
    bridge_options.name = "region";
    bridge_options.addresses = {{"far", 1883}};
    bridge_options.keep_alive = Duration::zero();
    bridge_options.rules.emplace_back().filter = "farm/#";
    bridge_options.presence = presence_options("fleet/{gateway}/{bridge}", "region", facts_);
    bridge::Buffer& buffer = buffers_->of("region");
    bridges_.push_back(std::make_unique<bridge::Bridge>(bridge_options, buffer, broker(), log, now));
    sources_->add(buffer, bridges_[0].get());
  }
  ~PresenceNewsTest() override {
    bridges_.clear();
    buffers_.reset();
  }

  bridge::Bridge& bridge() { return *bridges_[0]; }
  void connect_bridge() {
    (void)bridge().poll_command();
    bridge().handle_connected(std::nullopt, now);
    bridge().output().clear();
    far(mqtt::Connack{});
  }
  void far(const mqtt::Packet& packet) {
    ByteBuffer bytes;
    mqtt::encode(packet, mqtt::Version::V5, bytes);
    bridge().handle_bytes(bytes.view(), true, now);
  }
  // What the region is told now.
  std::vector<std::string> said() {
    news_->publish(bridges_, now);
    std::vector<std::string> payloads;
    mqtt::Decoder decoder(mqtt::Role::Server, UINT32_MAX);
    decoder.set_version(mqtt::Version::V5);
    ByteView bytes = bridge().output().view();
    mqtt::Packet packet;
    mqtt::ProtocolError error;
    std::vector<PacketId> ids;
    while (decoder.next(bytes, packet, error) == mqtt::Decoder::Step::Decoded) {
      const auto* const publish = std::get_if<mqtt::Publish>(&packet);
      if (publish == nullptr) continue;
      EXPECT_EQ(publish->topic, "fleet/barn/region");
      EXPECT_TRUE(publish->retain);
      payloads.emplace_back(as_text(publish->payload));
      ids.push_back(publish->packet_id);
    }
    bridge().output().clear();
    for (const PacketId id : ids) far(mqtt::Puback{id});
    return payloads;
  }

  Clock clock_;
  LinkStats links_;
  GatewayFacts facts_;
  std::vector<Alarm> alarms_;
  std::unique_ptr<bridge::Buffers> buffers_;
  std::optional<StoreWatch> watch_;
  std::optional<StatusSources> sources_;
  std::optional<PresenceNews> news_;
  std::vector<std::unique_ptr<bridge::Bridge>> bridges_;
};

TEST_F(PresenceNewsTest, NothingIsToldWhileTheRegionIsAway) {
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(news_->next_deadline(bridges_), kNever);
}

TEST_F(PresenceNewsTest, EachConnectionIsToldAtOnce) {
  connect_bridge();
  EXPECT_EQ(news_->next_deadline(bridges_), Instant::min());
  EXPECT_THAT(said(), ElementsAre(HasSubstr(R"("id":"barn","state":"online")")));
  EXPECT_EQ(news_->next_deadline(bridges_), now + PresenceNews::kLookInterval);
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(PresenceNewsTest, AlarmsAreToldWithTheNextLook) {
  connect_bridge();
  said();
  alarms_ = {{.id = "store"}};
  now += PresenceNews::kLookInterval;
  EXPECT_THAT(said(), ElementsAre(HasSubstr(R"("alarms":{"count":1,"ids":["store"]})")));
  now += PresenceNews::kLookInterval;
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(PresenceNewsTest, WhereNothingHappensItIsSaidNowAndThen) {
  connect_bridge();
  said();
  now += PresenceNews::kAnywayInterval - seconds(1);
  EXPECT_THAT(said(), IsEmpty());
  now += PresenceNews::kLookInterval;
  EXPECT_THAT(said(), ElementsAre(HasSubstr(R"("state":"online")")));
}

TEST(PresenceOptions, WithoutATopicNothingIsSaid) {
  EXPECT_EQ(presence_options("", "region", {}).topic, "");
}

}  // namespace
}  // namespace furrow::gateway
