#include "broker-core/mqtt/topic.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/random.h"

namespace furrow::mqtt {
namespace {

using namespace std::string_view_literals;

std::vector<std::string> levels_of(std::string_view topic) {
  std::vector<std::string> levels;
  TopicLevels walk(topic);
  for (std::string_view level; walk.next(level);) levels.emplace_back(level);
  return levels;
}

TEST(TopicLevels, KeepsEmptyLevels) {
  using Levels = std::vector<std::string>;
  EXPECT_EQ(levels_of("a"), (Levels{"a"}));
  EXPECT_EQ(levels_of("a/b//c"), (Levels{"a", "b", "", "c"}));
  EXPECT_EQ(levels_of("/finance"), (Levels{"", "finance"}));
  EXPECT_EQ(levels_of("a/"), (Levels{"a", ""}));
  EXPECT_EQ(levels_of("/"), (Levels{"", ""}));
}

TEST(TopicLevels, AreCounted) {
  EXPECT_EQ(level_count("a"), 1U);
  EXPECT_EQ(level_count("/"), 2U);
  EXPECT_EQ(level_count("a/b//c"), 4U);
}

TEST(TopicName, Valid) {
  for (const std::string_view topic :
       {"a", "/", "/finance", "ACCOUNTS", "Accounts payable", "$SYS/broker", "a//b", "sport/tennis/player1/ranking",
        "gr\xC3\xBC\xC3\x9F"
        "e/\xF0\x9F\x8C\xBE"}) {
    EXPECT_TRUE(is_valid_name(topic)) << topic;
  }
  EXPECT_TRUE(is_valid_name(std::string(65'535, 'a')));
}

TEST(TopicName, Invalid) {
  EXPECT_FALSE(is_valid_name(""));
  EXPECT_FALSE(is_valid_name(std::string(65'536, 'a')));
  EXPECT_FALSE(is_valid_name("sport/\xFF"));
  EXPECT_FALSE(is_valid_name("sport/\xED\xA0\x80/tennis"));
}

// Words of bytes are looked at together: whatever is wrong must be found at each place and behind each length, and what
// is nearly wrong (the neighbours of `#`, `+` and zero) must pass.
TEST(TopicName, WrongByteAnywhere) {
  for (std::size_t size = 1; size <= 40; ++size) {
    std::string topic(size, 'a');
    for (std::size_t at = 0; at < size; ++at) {
      for (const char wrong : {'+', '#', '\0', '\xFF'}) {
        topic[at] = wrong;
        EXPECT_FALSE(is_valid_name(topic)) << "size " << size << " at " << at;
      }
      for (const char right : {'"', '$', '*', ',', '\x01', '\x7F'}) {
        topic[at] = right;
        EXPECT_TRUE(is_valid_name(topic)) << "size " << size << " at " << at;
      }
      topic[at] = 'a';
    }
  }
}

// The examples of [MQTT 5.0 §4.7.1.2, §4.7.1.3].
TEST(TopicFilter, Valid) {
  for (const std::string_view filter : {"sport/tennis/player1/#", "sport/#", "#", "sport/tennis/#", "+", "+/tennis/#",
                                        "sport/+/player1", "/+", "+/+", "/", "$SYS/#", "$SYS/monitor/+", "a"}) {
    EXPECT_TRUE(is_valid_filter(filter)) << filter;
  }
}

TEST(TopicFilter, Invalid) {
  for (const std::string_view filter : {"", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "+sport", "a/+b",
                                        "a/#b", "##", "++", "#/", "#/+", "+#", "a/b\xFF"}) {
    EXPECT_FALSE(is_valid_filter(filter)) << filter;
  }
  EXPECT_FALSE(is_valid_filter("a\0b"sv));
  EXPECT_FALSE(is_valid_filter(std::string(65'536, 'a')));
}

struct Match {
  std::string_view filter;
  std::string_view topic;
  bool matches;
};

TEST(TopicMatch, ExamplesOfTheSpecification) {
  const Match cases[] = {
      // §4.7.1.2
      {"sport/tennis/player1/#", "sport/tennis/player1", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
      {"sport/tennis/player1/#", "sport/tennis/player2", false},
      {"sport/#", "sport", true},
      {"#", "anything/at/all", true},
      // §4.7.1.3
      {"sport/tennis/+", "sport/tennis/player1", true},
      {"sport/tennis/+", "sport/tennis/player2", true},
      {"sport/tennis/+", "sport/tennis/player1/ranking", false},
      {"sport/+", "sport", false},
      {"sport/+", "sport/", true},
      {"+/+", "/finance", true},
      {"/+", "/finance", true},
      {"+", "/finance", false},
      // §4.7.2
      {"#", "$SYS/monitor", false},
      {"+/monitor/Clients", "$SYS/monitor/Clients", false},
      {"$SYS/#", "$SYS/monitor/Clients", true},
      {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
      // §4.7.3
      {"ACCOUNTS", "Accounts", false},
      {"/A", "A", false},
      {"A", "A", true},
  };
  for (const Match& match : cases) {
    EXPECT_EQ(matches(match.filter, match.topic), match.matches) << match.filter << " and " << match.topic;
  }
}

TEST(TopicMatch, MoreCases) {
  const Match cases[] = {
      {"a/b", "a/b/c", false},   {"a/b/c", "a/b", false}, {"a/+/c", "a/b/c", true}, {"a/+/c", "a//c", true},
      {"a/+/c", "a/b/d", false}, {"+/#", "a", true},      {"a/+/#", "a", false},    {"a/+/#", "a/b", true},
      {"/#", "/", true},         {"/#", "a", false},      {"a//b", "a//b", true},   {"a/$x/+", "a/$x/y", true},
      {"+/b", "a/b", true},      {"a/#", "ab", false},    {"a/+", "a/$b", true},
  };
  for (const Match& match : cases) {
    EXPECT_EQ(matches(match.filter, match.topic), match.matches) << match.filter << " and " << match.topic;
  }
}

// All filters and topics of up to `depth` levels out of `words`.
std::vector<std::string> all_of(const std::vector<std::string>& words, int depth) {
  std::vector<std::string> made = words;
  std::vector<std::string> last = words;
  for (int i = 1; i < depth; ++i) {
    std::vector<std::string> longer;
    for (const std::string& head : last) {
      for (const std::string& word : words) longer.push_back(head + '/' + word);
    }
    made.insert(made.end(), longer.begin(), longer.end());
    last = longer;
  }
  return made;
}

// All valid filters of up to `depth` levels out of `words`.
std::vector<std::string> filters_of(const std::vector<std::string>& words, int depth) {
  std::vector<std::string> filters = all_of(words, depth);
  std::erase_if(filters, [](const std::string& filter) { return !is_valid_filter(filter); });
  return filters;
}

// covers() and overlaps() against their definition. One word more in topics than in filters stands for all words that
// no filter names, and one level more for all depths.
TEST(TopicMatch, CoversAndOverlapsAreWhatMatchingSays) {
  const std::vector<std::string> filters = filters_of({"a", "$s", "+", "#"}, 3);
  const std::vector<std::string> topics = all_of({"a", "$s", "z"}, 4);
  for (const std::string& one : filters) {
    for (const std::string& other : filters) {
      bool covered = true;
      bool overlapping = false;
      for (const std::string& topic : topics) {
        const bool by_one = matches(one, topic);
        const bool by_other = matches(other, topic);
        covered = covered && (by_one || !by_other);
        overlapping = overlapping || (by_one && by_other);
      }
      ASSERT_EQ(covers(one, other), covered) << one << " and " << other;
      ASSERT_EQ(overlaps(one, other), overlapping) << one << " and " << other;
    }
  }
}

// As above; with empty levels, too, since a topic may have those and may not be one.
TEST(TopicMatch, IntersectionIsWhatMatchesBoth) {
  const std::vector<std::string> filters = filters_of({"a", "", "$s", "+", "#"}, 3);
  std::vector<std::string> topics = all_of({"a", "", "$s", "z"}, 4);
  std::erase_if(topics, [](const std::string& topic) { return !is_valid_name(topic); });
  for (const std::string& one : filters) {
    for (const std::string& other : filters) {
      const std::optional<std::string> both = intersection(one, other);
      ASSERT_TRUE(!both || is_valid_filter(*both)) << one << " and " << other << " make " << *both;
      bool is_there = false;
      for (const std::string& topic : topics) {
        const bool is_in_both = matches(one, topic) && matches(other, topic);
        is_there = is_there || is_in_both;
        ASSERT_EQ(both && matches(*both, topic), is_in_both) << topic << " by " << one << " and " << other;
      }
      ASSERT_EQ(both.has_value(), is_there) << one << " and " << other;
    }
  }
}

TEST(TopicMatch, IntersectionExamples) {
  EXPECT_EQ(intersection("command/#", "command/7/#"), "command/7/#");
  EXPECT_EQ(intersection("+/7/#", "command/+/valve"), "command/7/valve");
  EXPECT_EQ(intersection("command/#", "command"), "command");
  EXPECT_EQ(intersection("command/#", "command/+/#"), "command/+/#");
  EXPECT_EQ(intersection("#", "+"), "+");
  EXPECT_EQ(intersection("#", "$SYS/#"), std::nullopt);
  EXPECT_EQ(intersection("command/+", "command/7/valve"), std::nullopt);
}

TEST(TopicMatch, CoversExamples) {
  EXPECT_TRUE(covers("farm/#", "farm/+/moisture"));
  EXPECT_TRUE(covers("farm/#", "farm"));
  EXPECT_FALSE(covers("farm/+", "farm/#"));
  EXPECT_TRUE(covers("+/#", "#"));
  EXPECT_FALSE(covers("#", "$SYS/#"));
  EXPECT_TRUE(overlaps("farm/+/moisture", "farm/one/+"));
  EXPECT_FALSE(overlaps("farm/+", "farm/one/two"));
}

TEST(SharedFilter, TakesApart) {
  SharedFilter shared;
  EXPECT_TRUE(parse_shared("$share/consumer1/sport/tennis/+", shared));
  EXPECT_EQ(shared.group, "consumer1");
  EXPECT_EQ(shared.filter, "sport/tennis/+");
  EXPECT_TRUE(parse_shared("$share/consumer1//finance", shared));
  EXPECT_EQ(shared.filter, "/finance");
  EXPECT_TRUE(parse_shared("$share/g/#", shared));
  EXPECT_EQ(shared.filter, "#");
}

TEST(SharedFilter, LeavesOrdinaryFilters) {
  for (const std::string_view filter : {"sport/#", "$share", "$shared/g/a", "$Share/g/a", "a/$share/g/b"}) {
    SharedFilter shared;
    EXPECT_FALSE(parse_shared(filter, shared)) << filter;
    EXPECT_EQ(shared.group, "");
    EXPECT_EQ(shared.filter, filter);
  }
}

TEST(SharedFilter, MalformedHasNoParts) {
  for (const std::string_view filter :
       {"$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/a#/a", "$share/g/a#", "$share/g/#/a"}) {
    SharedFilter shared{.group = "left", .filter = "over"};
    EXPECT_TRUE(parse_shared(filter, shared)) << filter;
    EXPECT_EQ(shared.group, "") << filter;
    EXPECT_EQ(shared.filter, "") << filter;
  }
}

}  // namespace
}  // namespace furrow::mqtt
