#include "config/schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "config/assign.h"
#include "config/key_names.h"
#include "config/scalar.h"
#include "config/value_text.h"

namespace furrow::config {
namespace {

// A configuration with one element in every list, so that every slot exists.
struct Everything {
  Everything() {
    config.bridges.emplace_back().topics.emplace_back();
    objects.listener = &config.listeners.front();
    objects.bridge = &config.bridges.front();
    objects.rule = &config.bridges.front().topics.front();
    objects.access_rule = &config.access.rules.emplace().emplace_back();
    objects.watch = &config.status.watch.emplace_back();
  }

  Status assign(const Key& key, std::string_view text) { return config::assign(key, objects, text, {}); }

  Config config;
  Objects objects{.config = config};
};

std::vector<const Key*> scalars_of_the_table() {
  std::vector<const Key*> scalars;
  for (const Key& key : keys()) {
    const bool is_map = key.kind == Kind::Section || key.kind == Kind::Groups || key.kind == Kind::Pairs;
    const bool is_scalar = !is_map && key.kind != Kind::List;
    if (is_scalar) scalars.push_back(&key);
  }
  return scalars;
}

TEST(Schema, PathsAreUniqueAndComeAfterTheirSection) {
  std::set<std::string_view> seen;
  for (const Key& key : keys()) {
    const std::size_t dot = key.path.rfind('.');
    EXPECT_TRUE(dot == std::string_view::npos || seen.contains(key.path.substr(0, dot))) << key.path;
    EXPECT_TRUE(seen.insert(key.path).second) << key.path;
  }
}

TEST(Schema, EveryKeyIsExplainedInOneLine) {
  for (const Key& key : keys()) {
    EXPECT_TRUE(key.doc.ends_with('.') || key.doc.ends_with('-') || key.doc.ends_with(')')) << key.path;
    EXPECT_EQ(key.doc.find('\n'), std::string_view::npos) << key.path;
  }
}

// What is shown of a value can be written, and means the same.
TEST(Schema, EveryTextOfAValueGivesTheValueBack) {
  for (const Key* key : scalars_of_the_table()) {
    std::vector<std::string_view> texts = {key->standard, key->least, key->most};
    for (const std::string_view word : split_words(key->words)) texts.push_back(word);
    for (const std::string_view text : texts) {
      Everything once;
      if (text.empty() || text.starts_with('"') || text.starts_with('[')) continue;
      ASSERT_TRUE(once.assign(*key, text).has_value()) << key->path;
      const std::string shown = value_text(*key, once.objects);
      if (shown.starts_with('[')) continue;
      Everything again;
      ASSERT_TRUE(again.assign(*key, shown).has_value()) << key->path << ": " << shown;
      EXPECT_TRUE(again.config == once.config) << key->path << ": " << shown;
    }
  }
}

// Neither the range nor the words of a key go beyond its type, nor leave out what the type has.
TEST(Schema, EveryValueThatIsAllowedCanBeAssigned) {
  for (const Key* key : scalars_of_the_table()) {
    Everything everything;
    for (const std::string_view text : {key->least, key->most}) {
      EXPECT_TRUE(text.empty() || everything.assign(*key, text).has_value()) << key->path << ": " << text;
    }
    for (const std::string_view word : split_words(key->words)) {
      EXPECT_TRUE(everything.assign(*key, word).has_value()) << key->path << ": " << word;
    }
  }
}

TEST(Schema, RangesHoldTheirOwnDefault) {
  for (const Key* key : scalars_of_the_table()) {
    if (key->least.empty() || key->is_required()) continue;
    Everything everything;
    EXPECT_TRUE(everything.assign(*key, key->standard).has_value()) << key->path;
  }
}

TEST(Schema, WordsStandInTheOrderOfTheirEnumeration) {
  const auto assigned = [](std::string_view path, std::string_view text) {
    Everything everything;
    EXPECT_TRUE(everything.assign(*find_key(path), text).has_value()) << path;
    return everything.config;
  };
  EXPECT_EQ(assigned("log.level", "debug").log.level, LogLevel::Debug);
  EXPECT_EQ(assigned("log.level", "error").log.level, LogLevel::Error);
  EXPECT_EQ(assigned("log.format", "json").log.format, LogFormat::Json);
  EXPECT_EQ(assigned("store.acknowledge", "received").store.acknowledge, Acknowledge::Received);
  EXPECT_EQ(assigned("store.retained", "lazy").store.retained, RetainedDurability::Lazy);
  EXPECT_EQ(assigned("sessions.queue.when_full", "drop-newest").sessions.queue.when_full, WhenFull::DropNewest);
  EXPECT_EQ(assigned("bridges[].buffer.when_full", "refuse").bridges[0].buffer.when_full, WhenFull::Refuse);
  EXPECT_EQ(assigned("bridges[].mqtt_version", "5").bridges[0].mqtt_version, MqttVersion::V5);
  EXPECT_EQ(assigned("bridges[].mqtt_version", "3.1.1").bridges[0].mqtt_version, MqttVersion::V311);
  EXPECT_EQ(assigned("bridges[].topics[].direction", "down").bridges[0].topics[0].direction, Direction::Down);
  EXPECT_EQ(assigned("access.denied", "disconnect").access.denied, Denied::Disconnect);
  EXPECT_EQ(assigned("bridges[].topics[].retain", "clear").bridges[0].topics[0].retain, RetainFlag::Clear);
}

// Two keys that share a slot by mistake would overwrite each other.
TEST(Schema, EveryKeyHasASlotOfItsOwn) {
  Everything everything;
  std::set<const void*> slots;
  for (const Key* key : scalars_of_the_table()) {
    const void* slot = std::visit([](auto* member) -> const void* { return member; }, key->slot(everything.objects));
    EXPECT_TRUE(slots.insert(slot).second) << key->path;
  }
}

TEST(KeyNames, FindsListsWithAndWithoutBrackets) {
  ASSERT_NE(find_key("bridges"), nullptr);
  EXPECT_EQ(find_key("bridges"), find_key("bridges[]"));
  EXPECT_EQ(find_key("bridges[].topics"), find_key("bridges[].topics[]"));
  EXPECT_EQ(find_key("bridges.topics"), nullptr);
  EXPECT_EQ(find_key(""), nullptr);
}

TEST(KeyNames, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(explain_unknown("log", "evell"), "unknown key 'evell'; 'log' has level, format");
  EXPECT_EQ(explain_unknown("log", "lvel"), "unknown key 'lvel'; did you mean 'level'?");
  EXPECT_EQ(explain_unknown("log", "levle"), "unknown key 'levle'; did you mean 'level'?");
  EXPECT_EQ(explain_unknown("log", "Level"), "unknown key 'Level'; did you mean 'level'?");
  EXPECT_EQ(explain_unknown("sessions", "queue_limits"), "unknown key 'queue_limits'; did you mean 'queue'?");
  EXPECT_EQ(explain_unknown("log", "when_full"), "unknown key 'when_full' here; it belongs into 'sessions.queue'");
}

TEST(KeyNames, KnowsWhatOtherBrokersSay) {
  EXPECT_EQ(explain_unknown("bridges[]", "password"),
            "unknown key 'password'; furrow has 'password_from', a file that holds it");
  EXPECT_EQ(explain_unknown("bridges[]", "bridge_cafile"),
            "unknown key 'bridge_cafile'; furrow has 'ca' inside of 'bridges[].tls'");
  EXPECT_EQ(explain_unknown("", "max_queued_messages"),
            "unknown key 'max_queued_messages'; furrow has 'messages' inside of 'sessions.queue'");
  EXPECT_EQ(explain_unknown("", "remote_password"),
            "unknown key 'remote_password'; furrow has 'password_from' inside of 'bridges[]', a file that holds it");
}

// A name that furrow has itself must never be answered with another one of the same map.
TEST(KeyNames, NoOtherNameIsOneOfOurOwnThere) {
  for (const Key& key : keys()) {
    const std::string_view parent = key.path.substr(0, std::min(key.path.rfind('.'), key.path.size()));
    for (const std::string_view word : split_words(key.also)) {
      for (const Key* sibling : keys_in(key.path.find('.') == std::string_view::npos ? "" : parent)) {
        EXPECT_NE(written_name(sibling->path), word) << key.path;
        const auto others = split_words(sibling->also);
        EXPECT_TRUE(sibling == &key || std::find(others.begin(), others.end(), word) == others.end())
            << word << " is " << key.path << " and " << sibling->path;
      }
    }
  }
}

TEST(KeyNames, ListsNoMoreThanHelps) {
  EXPECT_EQ(explain_unknown("bridges[]", "frobnicate"),
            "unknown key 'frobnicate'; 'furrow help config' shows the keys of 'bridges[]'");
}

TEST(KeyNames, UntiesDots) {
  EXPECT_EQ(explain_unknown("", "log.level"), "unknown key 'log.level'; write 'level' inside of 'log'");
  EXPECT_EQ(explain_unknown("bridges[]", "buffer.age"),
            "unknown key 'buffer.age'; write 'age' inside of 'bridges[].buffer'");
}

// A file can hold names of a megabyte; the message about one cannot.
TEST(KeyNames, CutsEndlessNames) {
  EXPECT_LT(explain_unknown("log", std::string(1'000'000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace furrow::config
