// When publishers of retained messages are answered, and what that costs in commits: in a time of its own, where a
// commit takes two milliseconds and nothing else takes any.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/broker_fixture.h"

namespace furrow::broker {
namespace {

using mqtt::Qos;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::Client;

constexpr Duration kCommitTime = milliseconds(2);

class RetainedAnswersTest : public test::BrokerFixture {
 protected:
  RetainedAnswersTest() { store_answers = false; }

  // Runs until `end`; what the store has been given is durable two milliseconds later.
  void run_until(Instant end) {
    for (;;) {
      settle();
      if (!store.submitted().empty() && commit_ends_ == kNever) {
        commit_ends_ = now + kCommitTime;
        ++commits;
      }
      const Instant next = std::min(commit_ends_, broker().next_deadline());
      if (next > end) break;
      now = std::max(now, next);
      if (now >= commit_ends_) {
        commit_ends_ = kNever;
        persist();
      }
      broker().handle_timeout(now);
    }
    now = end;
  }
  void run_for(Duration time) { run_until(now + time); }

  Client& connected(std::string_view client_id) {
    Client& client = connect({.client_id = client_id});
    return client;
  }
  void publish(Client& client, std::string_view topic, std::string_view payload, std::uint16_t packet_id) {
    client.publish(topic, payload, Qos::AtLeastOnce, packet_id, {.retain = true});
  }
  // Publishes, and says how long the answer took.
  Duration answer_time(Client& client, std::string_view topic, std::string_view payload) {
    const Instant begin = now;
    publish(client, topic, payload, 1);
    while (client.received().empty()) run_for(milliseconds(1));
    return now - begin;
  }
  // Topics that have had a value before are what the budget is for.
  void retain_before(const std::vector<std::string>& topics) {
    Client& client = connected("yesterday");
    for (const std::string& topic : topics) client.publish(topic, "old", Qos::AtMostOnce, 0, {.retain = true});
    run_for(seconds(2));
    commits = 0;
  }

  int commits = 0;

 private:
  Instant commit_ends_ = kNever;
};

TEST_F(RetainedAnswersTest, OneOnAQuietGatewayIsAnsweredAfterOneCommit) {
  retain_before({"farm/1"});
  EXPECT_EQ(answer_time(connected("sensor"), "farm/1", "21.5"), kCommitTime);
  EXPECT_EQ(commits, 1);
}

TEST_F(RetainedAnswersTest, SixtyClientsOneAfterTheOtherAreAnsweredAtOnce) {
  retain_before({"farm/1"});
  const Instant begin = now;
  for (int i = 0; i < 60; ++i) {
    Client& client = connected("client-" + std::to_string(i));
    answer_time(client, "farm/1", std::to_string(i));
    client.disconnect();
  }
  EXPECT_LE(now - begin, 60 * (kCommitTime + milliseconds(1)));
  EXPECT_EQ(commits, 60);
}

TEST_F(RetainedAnswersTest, ThousandNewTopicsOneAfterTheOtherAreAnsweredAtOnce) {
  Client& client = connected("commissioning");
  const Instant begin = now;
  for (int i = 0; i < 1000; ++i) answer_time(client, "farm/" + std::to_string(i), "1");
  EXPECT_LE(now - begin, 1000 * (kCommitTime + milliseconds(1)));
}

// Sensors that renew a topic each, all of them once a second, one after the other.
TEST_F(RetainedAnswersTest, TwentySensorsThatRenewTheirTopicsCostOneCommitAnInterval) {
  std::vector<std::string> topics;
  std::vector<Client*> sensors;
  for (int i = 0; i < 20; ++i) topics.push_back("farm/" + std::to_string(i));
  retain_before(topics);
  for (int i = 0; i < 20; ++i) sensors.push_back(&connected("sensor-" + std::to_string(i)));
  constexpr int kSeconds = 1800;
  std::size_t answers = 0;
  for (int second = 0; second < kSeconds; ++second) {
    for (std::size_t i = 0; i < sensors.size(); ++i) {
      publish(*sensors[i], topics[i], std::to_string(second), static_cast<std::uint16_t>(second % 60'000 + 1));
      run_for(milliseconds(50));
      answers += sensors[i]->received().size();
    }
  }
  run_for(seconds(1));
  for (Client* sensor : sensors) answers += sensor->received().size();
  EXPECT_EQ(answers, 20U * kSeconds);
  EXPECT_LE(commits, kSeconds + RetainedPace::kCommitsMax + 1);
}

// Publishers that have up to `window` messages under way, as libraries do, until `total` are answered.
class WindowsTest : public RetainedAnswersTest {
 protected:
  struct Publisher {
    Client* client;
    std::string topic;
    int sent = 0;
    int answered = 0;
  };

  void run_publishers(int count, int window, int each) {
    std::vector<Publisher> publishers;
    std::vector<std::string> topics;
    for (int i = 0; i < count; ++i) topics.push_back("farm/" + std::to_string(i));
    retain_before(topics);
    for (int i = 0; i < count; ++i) {
      publishers.push_back(
          {&connected("publisher-" + topics[static_cast<std::size_t>(i)]), topics[static_cast<std::size_t>(i)]});
    }
    begin_ = now;
    for (int left = count * each; left > 0;) {
      for (Publisher& publisher : publishers) {
        const auto answers = static_cast<int>(publisher.client->received().size());
        publisher.answered += answers;
        left -= answers;
        for (; publisher.sent < std::min(publisher.answered + window, each); ++publisher.sent) {
          publish(*publisher.client, publisher.topic, std::to_string(publisher.sent),
                  static_cast<std::uint16_t>(publisher.sent % 60'000 + 1));
        }
      }
      ASSERT_LT(now - begin_, minutes(1)) << left << " are not answered";
      run_for(milliseconds(1));
    }
  }

  Instant begin_;
};

TEST_F(WindowsTest, OnePublisherIsHeldBackByNothingButCommits) {
  run_publishers(1, 20, 20'000);
  EXPECT_LE(commits, 1000 + 5);
  EXPECT_LE(now - begin_, commits * (kCommitTime + milliseconds(1)));
}

TEST_F(WindowsTest, TenPublishersShareTheirCommits) {
  run_publishers(10, 20, 2'000);
  EXPECT_LE(commits, 100 + 5);
  EXPECT_LE(now - begin_, commits * (kCommitTime + milliseconds(1)));
}

TEST_F(WindowsTest, SomebodyElseIsAnsweredAtOnceAfterwards) {
  run_publishers(2, 20, 10'000);
  EXPECT_EQ(answer_time(connected("phone"), "farm/0", "21.5"), kCommitTime);
}

}  // namespace
}  // namespace furrow::broker
