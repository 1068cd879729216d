// Rules made from an ACL file of Mosquitto decide about each message as Mosquitto does: about many files that are made
// up, by a plain description of what Mosquitto 2.0 does (src/security_default.c). That the description is right is
// shown by tests/integration/import_test.py, which asks a Mosquitto.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "broker-core/access/rights.h"
#include "broker-core/mqtt/topic.h"
#include "config/import/mosquitto_acl.h"
#include "gateway/config_to_options.h"

namespace furrow::gateway {
namespace {

enum class Wish { Read, Write };

struct AclClient {
  std::optional<std::string> user;
  std::string id;
};

// One line of topics, with what stands before it.
struct AclLine {
  bool is_pattern;
  std::string user;  // of the `user` line before it; empty: none yet
  std::string action;
  std::string topic;

  std::string text() const { return (is_pattern ? "pattern " : "topic ") + action + " " + topic + "\n"; }
  bool grants(Wish wish) const { return action == "readwrite" || action == (wish == Wish::Read ? "read" : "write"); }
};

std::string put_in(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

// What Mosquitto does: the lines of the client itself, then the patterns; in each, those that deny before the others.
bool mosquitto_allows(const std::vector<AclLine>& lines, const AclClient& client, Wish wish, const std::string& topic) {
  for (const bool patterns : {false, true}) {
    const auto has_wildcard = [](const std::string& name) { return name.find_first_of("+#") != std::string::npos; };
    if (patterns && (has_wildcard(client.id) || has_wildcard(client.user.value_or("")))) return false;
    for (const bool denying : {true, false}) {
      for (const AclLine& line : lines) {
        if (line.is_pattern != patterns || (line.action == "deny") != denying) continue;
        if (!patterns && line.user != client.user.value_or("")) continue;
        std::string filter = line.topic;
        if (patterns) {
          if (!client.user && filter.find("%u") != std::string::npos) continue;
          filter = put_in(put_in(filter, "%u", client.user.value_or("")), "%c", client.id);
        }
        if (!mqtt::matches(filter, topic)) continue;
        if (denying) return false;
        if (line.grants(wish)) return true;
      }
    }
  }
  return false;
}

std::string text_of(const std::vector<AclLine>& lines) {
  std::string text;
  std::string user;
  for (const AclLine& line : lines) {
    if (line.user != user) text += "user " + line.user + "\n";
    user = line.user;
    text += line.text();
  }
  return text;
}

class AclMaker {
 public:
  explicit AclMaker(unsigned seed) : generator_(seed) {}

  std::vector<AclLine> lines() {
    std::vector<AclLine> lines;
    const std::size_t anonymous = below(4);
    std::string user;
    for (std::size_t i = 0; i < 12; ++i) {
      if (i >= anonymous && (user.empty() || below(3) == 0)) user = one_of({"ann", "bob", "c+d"});
      const bool is_pattern = below(3) == 0;
      const std::string action = one_of({"read", "write", "readwrite", "deny", "deny"});
      lines.push_back({is_pattern, user, action, topic(is_pattern)});
    }
    return lines;
  }

 private:
  std::size_t below(std::size_t limit) { return generator_() % limit; }
  std::string one_of(const std::vector<std::string>& all) { return all[below(all.size())]; }

  std::string topic(bool is_pattern) {
    std::vector<std::string> levels{"a", "b", "+", "ann", "x1"};
    if (is_pattern) levels.insert(levels.end(), {"%u", "%c", "%u", "%c"});
    std::string topic = below(8) == 0 ? "$SYS" : one_of(levels);
    for (std::size_t more = below(3); more > 0; --more) topic += "/" + one_of(levels);
    return below(3) == 0 ? topic + "/#" : topic;
  }

  std::mt19937 generator_;
};

std::vector<std::string> topics() {
  const std::vector<std::string> levels{"a", "b", "ann", "x1"};
  std::vector<std::string> all{"$SYS", "$SYS/a", "$SYS/ann/b"};
  for (const std::string& one : levels) {
    all.push_back(one);
    for (const std::string& two : levels) {
      all.push_back(one + "/" + two);
      for (const std::string& three : levels) all.push_back(one + "/" + two + "/" + three);
    }
  }
  return all;
}

TEST(ImportAcl, RulesDecideAsMosquittoDoes) {
  const std::vector<AclClient> clients{{std::nullopt, "x1"}, {"ann", "x1"}, {"bob", "ann"},      {"eve", "b"},
                                       {"c+d", "x1"},        {"ann", "x#"}, {std::nullopt, "+"}, {"bob", "nobody"}};
  std::size_t granted = 0;
  std::size_t asked = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    const std::vector<AclLine> lines = AclMaker(seed).lines();
    config::Remarks remarks;
    config::Access access;
    access.rules = config::mosquitto_acl_rules(text_of(lines), "acl", {}, remarks);
    const auto rules = access_rules(access);
    for (const AclClient& client : clients) {
      access::Subject subject{.client = client.id, .listener = "mqtt", .address = std::nullopt};
      if (client.user) subject.user = *client.user;
      const access::Rights rights(*rules, subject, {});
      for (const std::string& topic : topics()) {
        const auto where = [&](const char* action) {
          return std::string(action) + ", seed " + std::to_string(seed) + ", " + client.user.value_or("anonymous") +
                 "/" + client.id + ", " + topic + "\n" + text_of(lines);
        };
        const bool reads = mosquitto_allows(lines, client, Wish::Read, topic);
        ASSERT_EQ(rights.receive(topic).is_granted(), reads) << where("read");
        // A subscription to one topic is granted whole.
        ASSERT_EQ(rights.subscribe(topic).is_granted(), reads) << where("subscribe");
        // Topics with $ are written by nobody here, whatever the rules say.
        const bool writes = mosquitto_allows(lines, client, Wish::Write, topic) && !topic.starts_with('$');
        ASSERT_EQ(rights.publish(topic, false).is_granted(), writes) << where("write");
        granted += reads + writes;
        asked += 2;
      }
    }
  }
  EXPECT_GT(granted, asked / 20);  // the files are about something
  EXPECT_LT(granted, asked / 2);
}

class ImportAclRemarks : public testing::Test {
 protected:
  config::Remarks remarks;

  std::vector<config::AccessRule> rules(const std::string& text) {
    return config::mosquitto_acl_rules(text, "acl", {}, remarks);
  }
  std::string said() const {
    std::string all;
    for (const config::Remark& one : remarks) all += config::format(one) + "\n";
    return all;
  }
};

TEST_F(ImportAclRemarks, SubscriptionsAreSpokenOf) {
  (void)rules("topic read a\n");
  EXPECT_THAT(said(), testing::HasSubstr("acl: acl_file: Mosquitto takes every subscription"));
}

TEST_F(ImportAclRemarks, TopicsAreForBothUnlessTheySayMore) {
  const auto made = rules("topic a b\ntopic c\n");
  ASSERT_EQ(made.size(), 1U);
  EXPECT_THAT(made[0].publish, testing::ElementsAre("c"));
  EXPECT_THAT(made[0].subscribe, testing::ElementsAre("c"));
  EXPECT_THAT(said(), testing::HasSubstr("acl:1: topic: 'a' is not one of: read, write, readwrite, deny"));
}

TEST_F(ImportAclRemarks, BracesAreDeniedMoreAndGrantedNothing) {
  const auto made = rules("topic a/{user}/b\ntopic deny c/{x}/d\n");
  ASSERT_EQ(made.size(), 1U);
  EXPECT_THAT(made[0].publish, testing::IsEmpty());
  EXPECT_THAT(made[0].deny_publish, testing::ElementsAre("c/+/d"));
  EXPECT_THAT(said(), testing::HasSubstr("acl:1: topic: 'a/{user}/b'"));
}

TEST_F(ImportAclRemarks, UserWithAWildcardGetsNothingForOthers) {
  const auto made = rules("user a*\ntopic x\ntopic deny y\n");
  ASSERT_EQ(made.size(), 1U);
  EXPECT_THAT(made[0].publish, testing::IsEmpty());
  EXPECT_THAT(made[0].deny_subscribe, testing::ElementsAre("y"));
}

TEST_F(ImportAclRemarks, TopicsWithADollarAreReadOnly) {
  const auto made = rules("topic readwrite $SYS/#\npattern write $SYS/broker/connection/%c/state\n");
  ASSERT_EQ(made[0].subscribe.size(), 1U);
  EXPECT_THAT(made[0].publish, testing::IsEmpty());
  EXPECT_THAT(said(), testing::HasSubstr("acl:2: note: pattern: notices of bridges"));
}

TEST_F(ImportAclRemarks, LinesThatAreNone) {
  EXPECT_THAT(rules("topics a\ntopic\n\n# x\n"), testing::IsEmpty());
  EXPECT_THAT(said(), testing::HasSubstr("acl:1: topics: is no line of an ACL file"));
  EXPECT_THAT(said(), testing::HasSubstr("acl:2: topic: has no topic"));
}

}  // namespace
}  // namespace furrow::gateway
