// Rules that change at random while clients come, go and are written to, with crashes between: nothing forbidden
// arrives, nothing that was granted all the time is lost, and the books of the sessions balance.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "broker-core/access/rules.h"
#include "broker-core/base/random.h"
#include "broker-core/mqtt/topic.h"
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using access::Entry;
using access::Rule;
using mqtt::PacketType;
using mqtt::Qos;

constexpr std::array<const char*, 3> kUsers = {"ann", "bob", "eve"};
constexpr std::array<const char*, 6> kFilters = {"a/#", "b/#", "a/x", "+/x", "#", "a/+"};
constexpr std::array<const char*, 5> kTopics = {"a/x", "a/y", "b/x", "b/y", "c"};

// `PUBLISH "a/x" "17" qos=1 id=3`, as packet_text.h writes it.
struct Arrived {
  std::string topic;
  std::string payload;
  int qos = 0;
  std::uint16_t id = 0;
};

std::optional<Arrived> arrived(const std::string& line) {
  if (!line.starts_with("PUBLISH ")) return std::nullopt;
  const auto quoted = [&](std::size_t number) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < 2 * number; ++i) at = line.find('"', at) + 1;
    const std::size_t begin = line.find('"', at) + 1;
    return line.substr(begin, line.find('"', begin) - begin);
  };
  const auto number = [&](const std::string& name) { return std::stoi(line.substr(line.find(name) + name.size())); };
  return Arrived{quoted(0), quoted(1), number("qos="), static_cast<std::uint16_t>(number("id="))};
}

struct Waiting {
  std::string topic;
  Qos qos;
  bool granted_throughout = true;
};

struct Reader {
  std::string user;
  Client* client = nullptr;
  std::set<std::string> filters;
  std::map<std::string, Waiting> waiting;    // by payload: for the session, since it was away
  std::map<std::string, std::string> had{};  // QoS 1 that may come again after a crash: topics by payload
};

class AccessChange : public BrokerFixture, public testing::WithParamInterface<std::uint64_t> {
 protected:
  AccessChange() : random_(GetParam()) {
    for (const char* user : kUsers) readers_.push_back({.user = user});
  }

  void run() {
    for (int step = 0; step < 120 && !HasFailure(); ++step) {
      Reader& reader = readers_[random_.below(readers_.size())];
      switch (random_.below(10)) {
        case 0:
          change_rules();
          break;
        case 1:
          come(reader);
          subscribe(reader);
          break;
        case 2:
          leave(reader);
          break;
        case 3:
          come(reader);
          break;
        case 4:
          if (random_.chance(30)) die();
          break;
        default:
          publish();
          break;
      }
    }
    for (Reader& reader : readers_) come(reader);
    advance(std::chrono::seconds(3));
    const broker::Books& books = broker().session_books();
    EXPECT_EQ(books.accepted, books.ended());
  }

 private:
  // The rules as one reads them.
  bool may_receive(const Reader& reader, const std::string& topic) const {
    const auto any = [&](const std::vector<Entry>& entries) {
      return std::ranges::any_of(entries, [&](const Entry& one) { return mqtt::matches(one.text(), topic); });
    };
    if (!options.access_rules) return true;
    for (const Rule& rule : options.access_rules->list()) {
      if (!rule.users.empty() && rule.users.front() != reader.user) continue;
      if (any(rule.deny_subscribe)) return false;
      if (any(rule.subscribe)) return true;
    }
    return false;
  }

  void change_rules() {
    const auto some = [this] {
      std::vector<Entry> entries;
      while (random_.chance(50)) entries.emplace_back(kFilters[random_.below(kFilters.size())]);
      return entries;
    };
    std::vector<Rule> list;
    for (std::uint64_t count = random_.below(4); count > 0; --count) {
      Rule rule{.subscribe = some()};
      if (random_.chance(70)) rule.users = {kUsers[random_.below(kUsers.size())]};
      if (random_.chance(30)) rule.deny_subscribe = some();
      list.push_back(std::move(rule));
    }
    list.push_back({.publish = {Entry("#")}});
    options.access_rules = random_.chance(15) ? nullptr : std::make_shared<const access::Rules>(std::move(list));
    broker().apply(options, now);
    settle();
    for (Reader& reader : readers_) note_rules(reader);
  }

  void note_rules(Reader& reader) {
    for (auto& [payload, one] : reader.waiting) {
      if (!may_receive(reader, one.topic)) one.granted_throughout = false;
    }
  }

  void come(Reader& reader) {
    if (reader.client != nullptr) return;
    reader.client = &open(ConnectOptions{
        .client_id = reader.user, .clean_start = false, .properties = an_hour, .vouched_user = reader.user});
    const std::set<std::string> came = read(reader);
    for (const auto& [payload, one] : reader.waiting) {
      if (one.granted_throughout) {
        EXPECT_TRUE(came.contains(payload)) << payload << " of " << one.topic << " is lost for " << reader.user;
      }
    }
    reader.waiting.clear();
  }

  void leave(Reader& reader) {
    if (reader.client == nullptr) return;
    read(reader);
    random_.chance(50) ? reader.client->vanish() : reader.client->disconnect();
    reader.client = nullptr;
  }

  void die() {
    settle();
    publisher_ = nullptr;
    for (Reader& reader : readers_) {
      if (reader.client != nullptr) read(reader);
      reader.client = nullptr;
    }
    random_.chance(50) ? crash() : restart();
  }

  void subscribe(Reader& reader) {
    const std::string filter = kFilters[random_.below(kFilters.size())];
    reader.client->subscribe(filter, Qos::ExactlyOnce);
    advance(std::chrono::seconds(1));
    const std::vector<std::string> lines = reader.client->received();
    ASSERT_FALSE(lines.empty());
    if (lines.front().ends_with("reason=02")) {
      reader.filters.insert(filter);
      for (const char* topic : kTopics) {
        if (!mqtt::matches(filter, topic)) continue;
        EXPECT_TRUE(may_receive(reader, topic)) << filter << " of " << reader.user;
      }
    }
  }

  void publish() {
    if (publisher_ == nullptr) publisher_ = &connect({.client_id = "publisher"});
    const std::string topic = kTopics[random_.below(kTopics.size())];
    const std::string payload = std::to_string(++last_);
    const auto qos = static_cast<Qos>(random_.below(3));
    const auto id = static_cast<std::uint16_t>(qos == Qos::AtMostOnce ? 0 : last_);
    publisher_->publish(topic, payload, qos, id);
    if (qos == Qos::ExactlyOnce) publisher_->acknowledge(PacketType::Pubrel, id);
    advance(std::chrono::seconds(1));
    for (Reader& reader : readers_) {
      const bool wanted =
          std::ranges::any_of(reader.filters, [&](const auto& one) { return mqtt::matches(one, topic); });
      if (reader.client != nullptr) {
        reader.waiting[payload] = {topic, qos, wanted && may_receive(reader, topic)};
        const bool came = read(reader).contains(payload);
        EXPECT_EQ(came, reader.waiting[payload].granted_throughout)
            << payload << " of " << topic << " for " << reader.user;
        reader.waiting.clear();
      } else if (wanted && qos != Qos::AtMostOnce && may_receive(reader, topic)) {
        reader.waiting[payload] = {topic, qos, true};
      }
    }
  }

  // What has come: each message is one that waits, or comes again, and is granted now. Acknowledges all of it.
  std::set<std::string> read(Reader& reader) {
    std::set<std::string> came;
    for (std::vector<std::string> lines = reader.client->received(); !lines.empty();
         lines = reader.client->received()) {
      for (const std::string& line : lines) {
        if (line.starts_with("PUBREL id=")) {
          const int id = std::stoi(line.substr(line.find('=') + 1));
          reader.client->acknowledge(PacketType::Pubcomp, static_cast<std::uint16_t>(id));
        }
        const std::optional<Arrived> one = arrived(line);
        if (!one) continue;
        EXPECT_TRUE(may_receive(reader, one->topic)) << line << " is forbidden to " << reader.user;
        EXPECT_TRUE(reader.waiting.contains(one->payload) || reader.had.contains(one->payload)) << line;
        came.insert(one->payload);
        if (one->qos == 1) {
          reader.had[one->payload] = one->topic;
          reader.client->acknowledge(PacketType::Puback, one->id);
        } else if (one->qos == 2) {
          reader.client->acknowledge(PacketType::Pubrec, one->id);
        }
      }
      settle();
    }
    return came;
  }

  Random random_;
  std::vector<Reader> readers_;
  Client* publisher_ = nullptr;
  int last_ = 0;
};

TEST_P(AccessChange, LetsThroughWhatIsGrantedAndNothingElse) {
  run();
}

INSTANTIATE_TEST_SUITE_P(Seeds, AccessChange, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace furrow::test
