// What a correct file becomes. What is said about incorrect ones: golden_test.cc.
#include "config/load_yaml.h"

#include <gtest/gtest.h>

#include "config/messages.h"
#include "config/yaml_tree.h"
#include "tests/unit/config/loaded.h"

namespace furrow::config {
namespace {

using namespace std::chrono_literals;

TEST(Load, EmptyFileMeansTheDefaults) {
  EXPECT_EQ(loaded(""), Config{});
  EXPECT_EQ(loaded("# nothing but a comment\n"), Config{});
  EXPECT_EQ(loaded("log:\nbridges:\nlisteners:\n"), Config{});
}

TEST(Load, EmptyListIsNotTheDefault) {
  EXPECT_TRUE(loaded("listeners: []").listeners.empty());
}

TEST(Load, ReadsEveryKindOfValue) {
  const Config config = loaded(R"(
gateway: {id: barn-7}
listeners:
  - bind: "[::1]:0"
sessions: {expiry_max: 12h}
limits: {packet: 2MiB, inflight: 20}
store: {interval: 250ms, acknowledge: durable}
bridges:
  - name: region
    enabled: false
    connect: [mqtt://a.example.org, "mqtt://[2001:db8::1]:2883"]
    mqtt_version: 3.1.1
    inflight: 10
    buffer: {age: 1d, when_full: refuse}
    topics:
      - filter: +/moisture
        direction: both
        qos: 2
        remote_prefix: us-east/
        except: [test/#]
)");
  EXPECT_EQ(config.gateway.id, "barn-7");
  EXPECT_EQ(config.listeners.at(0).bind, (Bind{"::1", 0}));
  EXPECT_EQ(config.sessions.expiry_max, Duration(12h));
  EXPECT_EQ(config.limits.packet_bytes_max, 2 * MiB);
  EXPECT_EQ(config.limits.inflight_max, 20);
  EXPECT_EQ(config.store.interval, Duration(250ms));
  const Bridge& bridge = config.bridges.at(0);
  EXPECT_FALSE(bridge.enabled);
  EXPECT_EQ(bridge.connect.at(1), (Address{Scheme::Mqtt, "2001:db8::1", 2883}));
  EXPECT_EQ(bridge.mqtt_version, MqttVersion::V311);
  EXPECT_EQ(bridge.inflight, 10);
  EXPECT_EQ(bridge.buffer.when_full, WhenFull::Refuse);
  const TopicRule& rule = bridge.topics.at(0);
  EXPECT_EQ(rule.direction, Direction::Both);
  EXPECT_EQ(rule.qos, 2);
  EXPECT_EQ(rule.except, std::vector<std::string>{"test/#"});
}

TEST(Load, OneValueWillDoForAListOfTexts) {
  const Config config = loaded("bridges: [{connect: mqtt://a, topics: [{filter: a/#, except: a/b}]}]");
  EXPECT_EQ(config.bridges.at(0).connect.size(), 1U);
  EXPECT_EQ(config.bridges.at(0).topics.at(0).except, std::vector<std::string>{"a/b"});
}

TEST(Load, RemembersWhereThingsStand) {
  const Config config =
      loaded("listeners:\n  - bind: 127.0.0.1:1\nbridges:\n  - connect: mqtt://a\n    topics:\n      - filter: a\n");
  EXPECT_EQ(config.listeners.at(0).place.line, 2U);
  EXPECT_EQ(config.bridges.at(0).place.line, 4U);
  EXPECT_EQ(config.bridges.at(0).topics.at(0).place.line, 6U);
  EXPECT_EQ(config.bridges.at(0).topics.at(0).place.column, 9U);
}

TEST(Load, PathsAreRelativeToTheFile) {
  const std::string text =
      "gateway: {data: ./store}\nbridges: [{connect: mqtt://a, username: u, password_from: ../region.password, topics: "
      "[{filter: a}]}]";
  EXPECT_EQ(loaded(text, "/etc/furrow/furrow.yaml").gateway.data, "/etc/furrow/store");
  EXPECT_EQ(loaded(text, "/etc/furrow/furrow.yaml").bridges.at(0).password_from, "/etc/region.password");
  EXPECT_EQ(loaded(text, "furrow.yaml").gateway.data, "store");
  EXPECT_EQ(loaded("gateway: {data: /srv/furrow}", "/etc/furrow/furrow.yaml").gateway.data, "/srv/furrow");
}

TEST(Load, ZeroBecomesTheLimitOfTheProtocol) {
  const Limits limits = loaded("limits: {packet: 0, inflight: 0, topic_levels: 0, connections: 0}").limits;
  EXPECT_EQ(limits.packet_bytes_max, kPacketBytesMax);
  EXPECT_EQ(limits.inflight_max, kInflightMax);
  EXPECT_EQ(limits.topic_levels_max, kTopicLevelsMax);
  EXPECT_EQ(limits.connections_max, 0U);
}

TEST(Load, FollowsAliases) {
  const Config config = loaded(R"(
bridges:
  - name: east
    connect: mqtt://east.example.org
    topics: &rules [{filter: farm/#}]
  - name: west
    connect: mqtt://west.example.org
    topics: *rules
)");
  EXPECT_EQ(config.bridges.at(0).topics, config.bridges.at(1).topics);
}

TEST(Load, VariablesAreNotYaml) {
  const Environment environment = [](const std::string&) -> std::optional<std::string> { return "a: [b] # c"; };
  const Loaded result =
      load("bridges: [{connect: mqtt://a, username: '${U}', topics: [{filter: a}]}]", "f", environment);
  EXPECT_EQ(errors_of(result), "");
  EXPECT_EQ(result.config.bridges.at(0).username, "a: [b] # c");
}

TEST(Load, VariablesAreCheckedLikeWhatIsWritten) {
  const Environment environment = [](const std::string&) -> std::optional<std::string> { return "\xFF"; };
  EXPECT_EQ(errors_of(load("gateway: {id: '${ID}'}", "f", environment)),
            "furrow.yaml:1:15: gateway.id is not valid UTF-8\n");
}

TEST(Load, RefusesTooLongTexts) {
  const std::string user(65'536, 'u');
  const Loaded result =
      load("bridges: [{connect: mqtt://a, username: " + user + ", topics: [{filter: a}]}]", "f", nothing_set());
  EXPECT_EQ(errors_of(result), "furrow.yaml:1:41: bridges[].username is longer than 65535 bytes\n");
}

TEST(Load, SaysWhyAFileCannotBeRead) {
  const Result<Loaded> missing = load_file("/nowhere/furrow.yaml", nothing_set());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), Errc::NotFound);
  EXPECT_EQ(missing.error().message(), "read /nowhere/furrow.yaml: No such file or directory");
  const Result<Loaded> directory = load_file("/", nothing_set());
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(directory.error().code(), Errc::Io);
}

TEST(Load, ReadsAFile) {
  const Result<Loaded> minimal = load_file(FURROW_TEST_DATA "/../../config/minimal.yaml", nothing_set());
  ASSERT_TRUE(minimal.has_value());
  EXPECT_EQ(minimal->config.bridges.size(), 1U);
}

// What an advice tells to write is read as what was meant, wherever it stands.
TEST(Advice, IsReadAsItIsWritten) {
  for (const char* text : {"*:1883", "[::]:1883", "mqtt://[::1]:1884", "#", "+/moisture", "farm/#", "a #b", "${X", "@x",
                           "a: b", "b:", "- c", "'d", "\"e\"", "back\\slash", "{gateway}-{bridge}", "", "a, b", "%f"}) {
    for (const std::string& file :
         {"bridges:\n  - username: " + as_written(text), "bridges: [{username: " + as_written(text) + "}]"}) {
      Diagnostics diagnostics;
      const YamlNode root = parse_yaml(file, diagnostics);
      ASSERT_TRUE(diagnostics.empty()) << file << ": " << diagnostics.front().message;
      EXPECT_EQ(root.items.at(1).items.at(0).items.at(1).text, text) << file;
    }
  }
}

// The values of the key, printed by whoever checks, cannot write to the terminal.
TEST(Advice, IsPrintableAndNotEndless) {
  const std::string said =
      errors_of(load("log: {\"a\\e[31m" + std::string(10'000, 'x') + "\": 1, level: " + std::string(10'000, 'y') + "}",
                     "f", nothing_set()));
  EXPECT_EQ(said.find('\x1b'), std::string::npos);
  EXPECT_LT(said.size(), 1000U);
}

TEST(YamlTree, RefusesFilesThatAreTooLarge) {
  EXPECT_EQ(errors_of(load(std::string(kTextBytesMax, ' '), "f", nothing_set())), "");
  EXPECT_EQ(errors_of(load(std::string(kTextBytesMax + 1, ' '), "f", nothing_set())),
            "furrow.yaml: the file is larger than 1 MiB\n");
}

// The search for the mistake must not take the square of such a file.
TEST(YamlTree, RefusesEndlessBracketsAtOnce) {
  for (const char* part : {"[", "{", "[]", "[a]:", "{\"", "- [", "a: {b", "[::1]:1 ", "'", "* "}) {
    std::string text = "log: ";
    while (text.size() < kTextBytesMax / 8) text += part;
    EXPECT_NE(errors_of(load(text, "f", nothing_set())), "") << part;
  }
}

TEST(YamlTree, RefusesTooManyValues) {
  std::string list = "log: [";
  for (std::size_t i = 0; i < kNodesMax; ++i) list += "1,";
  EXPECT_NE(errors_of(load(list + "]", "f", nothing_set())).find("more than 20000 values"), std::string::npos);
}

// Nine lists of nine, each made of the one before: 387 million values in 400 bytes.
TEST(YamlTree, AliasesCountAsWhatTheyStandFor) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int copy = 0; copy < 9; ++copy) bomb += before + ",";
    bomb += "]\n";
  }
  EXPECT_NE(errors_of(load(bomb, "f", nothing_set())).find("more than 20000 values"), std::string::npos);
}

TEST(YamlTree, AliasesOfLongTextsCountToo) {
  std::string bomb = "a: &a " + std::string(64 * 1024, 'x') + "\nb: [";
  for (int copy = 0; copy < 20; ++copy) bomb += "*a,";
  EXPECT_NE(errors_of(load(bomb + "]", "f", nothing_set())).find("more than 20000 values"), std::string::npos);
}

TEST(YamlTree, AliasesCountInDepth) {
  std::string chain = "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n";
  for (int i = 1; i < 5; ++i) {
    chain +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [[[[[[[[[[*a" + std::to_string(i - 1) + "]]]]]]]]]]\n";
  }
  EXPECT_NE(errors_of(load(chain, "f", nothing_set())).find("nested too deeply"), std::string::npos);
}

}  // namespace
}  // namespace furrow::config
