// config/furrow.yaml tells the truth: it is what the table of keys says, and the table says what the structs have.
#include "config/reference.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "config/load_yaml.h"

namespace furrow::config {
namespace {

constexpr const char* kReferenceFile = FURROW_TEST_DATA "/../../config/furrow.yaml";

std::string read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

Config loaded_without_warning(const std::string& text) {
  const Loaded result = load(text, "furrow.yaml", process_environment());
  for (const Diagnostic& one : result.diagnostics) {
    if (one.severity != Severity::Note) ADD_FAILURE() << format(one, "furrow.yaml");
  }
  return result.config;
}

TEST(Reference, FileIsWhatTheTableSays) {
  EXPECT_EQ(read(kReferenceFile), reference_yaml())
      << "build the target furrow_config_docs, and from the top of the checkout run its program:\n"
         "  furrow_config_docs yaml > config/furrow.yaml";
}

TEST(Reference, FileAsItStandsChangesNothing) {
  EXPECT_EQ(loaded_without_warning(reference_yaml()), Config{});
}

TEST(Reference, EveryDefaultWrittenOutIsTheDefaultOfItsMember) {
  Config expected;
  Bridge& bridge = expected.bridges.emplace_back();
  bridge.connect.push_back({.scheme = Scheme::Mqtt, .host = "region.example.org", .port = 1883});
  bridge.topics.emplace_back().filter = "farm/#";
  bridge.topics.back().properties = {{.name = "site", .value = "north", .place = {}}};
  expected.access.groups = {{.name = "field", .members = {"sensor-1", "sensor-2"}, .place = {}}};
  AccessRule& rule = expected.access.rules.emplace().emplace_back();
  rule.user = {"sensor-*"};
  rule.group = {"field"};
  rule.client = {"dev-*"};
  rule.listener = {"mqtt"};
  rule.publish = {"farm/{user}/#"};
  rule.from = {*IpNetwork::parse("192.168.4.0/24")};
  expected.status.watch = {{.filter = "farm/+/moisture", .silent_after = std::chrono::hours(2), .place = {}}};
  EXPECT_EQ(loaded_without_warning(uncommented(reference_yaml())), expected);
}

TEST(Reference, ManualPageHasEveryKey) {
  const std::string page = manual_page();
  EXPECT_NE(page.find(".B bridges[].topics[].qos\n"), std::string::npos);
  EXPECT_NE(page.find(".B bridges[].topics[].subscribe\n"), std::string::npos);
  EXPECT_NE(page.find("Default: drop\\-oldest\n"), std::string::npos);
}

TEST(Package, ServesThisMachineAlone) {
  EXPECT_EQ(loaded_without_warning(read(FURROW_TEST_DATA "/../../config/package.yaml")), Config{});
}

TEST(Package, ExamplesHoldTogether) {
  const Config config = loaded_without_warning(uncommented(read(FURROW_TEST_DATA "/../../config/package.yaml")));
  EXPECT_EQ(config.gateway.id, "barn-7");
  ASSERT_EQ(config.listeners.size(), 1U);
  EXPECT_EQ(config.access.password_file, "passwords");
  ASSERT_EQ(config.bridges.size(), 1U);
  EXPECT_EQ(config.bridges[0].topics.size(), 2U);
}

TEST(Minimal, IsOneAddressAndOneFilter) {
  const Config config = loaded_without_warning(read(FURROW_TEST_DATA "/../../config/minimal.yaml"));
  ASSERT_EQ(config.bridges.size(), 1U);
  EXPECT_EQ(config.bridges[0].connect[0].text(), "mqtt://region.example.org:1883");
  ASSERT_EQ(config.bridges[0].topics.size(), 1U);
  EXPECT_EQ(config.bridges[0].topics[0].filter, "farm/#");
}

}  // namespace
}  // namespace furrow::config
