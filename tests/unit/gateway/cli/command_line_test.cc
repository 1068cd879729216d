#include "gateway/cli/command_line.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace furrow::gateway {
namespace {

using namespace std::chrono_literals;

Command parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "furrow");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

int exit_code(const std::vector<const char*>& arguments) {
  const Command command = parse(arguments);
  const auto* answered = std::get_if<Answered>(&command);
  return answered == nullptr ? -1 : answered->exit_code;
}

TEST(CommandLine, RunTakesAFileAndADirectory) {
  const Command command = parse({"run", "-c", "a.yaml", "--data", "dir"});
  const auto* run = std::get_if<RunOptions>(&command);
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(run->config, "a.yaml");
  EXPECT_EQ(run->data, "dir");
}

TEST(CommandLine, RunNeedsNothing) {
  const Command command = parse({"run"});
  const auto* run = std::get_if<RunOptions>(&command);
  ASSERT_NE(run, nullptr);
  EXPECT_FALSE(run->config);
  EXPECT_FALSE(run->data);
}

TEST(CommandLine, CheckTakesAFile) {
  const Command command = parse({"check", "--config", "a.yaml"});
  const auto* check = std::get_if<CheckOptions>(&command);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->config, "a.yaml");
  EXPECT_FALSE(check->connect);
}

TEST(CommandLine, CheckTriesOneBridgeOrAll) {
  const Command all = parse({"check", "a.yaml", "--connect"});
  ASSERT_NE(std::get_if<CheckOptions>(&all), nullptr);
  EXPECT_TRUE(std::get<CheckOptions>(all).connect);
  EXPECT_EQ(std::get<CheckOptions>(all).config, "a.yaml");
  EXPECT_EQ(std::get<CheckOptions>(all).bridge, std::nullopt);
  const Command one = parse({"check", "-c", "a.yaml", "--connect", "region", "--json"});
  ASSERT_NE(std::get_if<CheckOptions>(&one), nullptr);
  EXPECT_EQ(std::get<CheckOptions>(one).bridge, "region");
  EXPECT_TRUE(std::get<CheckOptions>(one).json);
  EXPECT_EQ(exit_code({"check", "a.yaml", "--json"}), 2) << "without a step there is no line";
}

TEST(CommandLine, DemoHasAnOutageOfTenSecondsAndNoEnd) {
  const Command command = parse({"demo"});
  const auto* demo = std::get_if<DemoOptions>(&command);
  ASSERT_NE(demo, nullptr);
  EXPECT_EQ(demo->outage, Duration(10s));
  EXPECT_FALSE(demo->publish_for);
}

TEST(CommandLine, DemoTakesTimesWithAndWithoutTheirUnit) {
  for (const auto& [outage, publish_for] :
       {std::pair("120", "8"), std::pair("2m", "8s"), std::pair("120s", "8000ms")}) {
    const Command command = parse({"demo", "--outage", outage, "--for", publish_for});
    const auto* demo = std::get_if<DemoOptions>(&command);
    ASSERT_NE(demo, nullptr) << outage;
    EXPECT_EQ(demo->outage, Duration(120s));
    EXPECT_EQ(demo->publish_for, Duration(8s));
  }
}

TEST(CommandLine, AFileNeedsNoOption) {
  const Command run = parse({"run", "a.yaml", "--data", "dir"});
  ASSERT_NE(std::get_if<RunOptions>(&run), nullptr);
  EXPECT_EQ(std::get<RunOptions>(run).config, "a.yaml");
  const Command check = parse({"check", "a.yaml", "--data", "dir"});
  ASSERT_NE(std::get_if<CheckOptions>(&check), nullptr);
  EXPECT_EQ(std::get<CheckOptions>(check).config, "a.yaml");
  EXPECT_EQ(std::get<CheckOptions>(check).data, "dir");
}

TEST(CommandLine, QuestionsAreAnswered) {
  EXPECT_EQ(exit_code({"--version"}), 0);
  EXPECT_EQ(exit_code({"-V"}), 0);
  EXPECT_EQ(exit_code({"help", "config"}), 0);
  EXPECT_EQ(exit_code({"--help"}), 0);
  EXPECT_EQ(exit_code({"help"}), 0);
  EXPECT_EQ(exit_code({"help", "run"}), 0);
  EXPECT_EQ(exit_code({"run", "--help"}), 0);
}

TEST(CommandLine, AccessTakesAQuestion) {
  const Command command = parse({"access", "ann", "publish", "farm/t", "--client", "c", "--listener", "lan", "--from",
                                 "10.0.0.1", "--retain", "-c", "a.yaml"});
  const auto* access = std::get_if<AccessOptions>(&command);
  ASSERT_NE(access, nullptr);
  EXPECT_EQ(access->user, "ann");
  EXPECT_EQ(access->action, "publish");
  EXPECT_EQ(access->topic, "farm/t");
  EXPECT_EQ(access->client, "c");
  EXPECT_EQ(access->listener, "lan");
  EXPECT_EQ(access->from, "10.0.0.1");
  EXPECT_TRUE(access->retain);
  EXPECT_EQ(access->config, "a.yaml");
}

TEST(CommandLine, AccessOfAClientWithoutAUserName) {
  const Command command = parse({"access", "--anonymous", "subscribe", "#"});
  const auto* access = std::get_if<AccessOptions>(&command);
  ASSERT_NE(access, nullptr);
  EXPECT_EQ(access->user, std::nullopt);
  EXPECT_EQ(access->action, "subscribe");
  EXPECT_EQ(access->topic, "#");
  const Command empty = parse({"access", "", "subscribe", "#"});
  ASSERT_NE(std::get_if<AccessOptions>(&empty), nullptr);
  EXPECT_EQ(std::get_if<AccessOptions>(&empty)->user, "") << "an empty name is a name";
}

TEST(CommandLine, MistakesAreUsageErrors) {
  EXPECT_EQ(exit_code({"access", "ann", "publish"}), 2);
  EXPECT_EQ(exit_code({"access", "--anonymous", "ann", "publish", "x"}), 2);
  EXPECT_EQ(exit_code({}), 2);
  EXPECT_EQ(exit_code({"nonsense"}), 2);
  EXPECT_EQ(exit_code({"--nonsense"}), 2);
  EXPECT_EQ(exit_code({"run", "--nonsense"}), 2);
  EXPECT_EQ(exit_code({"demo", "--outage", "soon"}), 2);
  EXPECT_EQ(exit_code({"demo", "--outage", "-1"}), 2);
  EXPECT_EQ(exit_code({"demo", "--for", "0"}), 2);
  EXPECT_EQ(exit_code({"demo", "--for", ""}), 2);
  EXPECT_EQ(exit_code({"check", "a.yaml", "b.yaml"}), 2);
  EXPECT_EQ(exit_code({"check", "a.yaml", "-c", "b.yaml"}), 2);
  EXPECT_EQ(exit_code({"-c", "a.yaml"}), 2);
  EXPECT_EQ(exit_code({"help", "nonsense"}), 2);
}

TEST(CommandLine, ClientsTakesAnActionAndAClient) {
  const Command command = parse({"clients", "forget", "sensor-1", "-c", "a.yaml", "--data", "dir", "--json"});
  const auto* clients = std::get_if<ClientsOptions>(&command);
  ASSERT_NE(clients, nullptr);
  EXPECT_EQ(clients->action, ClientsOptions::Action::Forget);
  EXPECT_EQ(clients->client, "sensor-1");
  EXPECT_EQ(clients->config, "a.yaml");
  EXPECT_EQ(clients->data, "dir");
  EXPECT_TRUE(clients->json);
  EXPECT_EQ(exit_code({"clients"}), 2);
  EXPECT_EQ(exit_code({"clients", "kick"}), 2);
  EXPECT_EQ(exit_code({"clients", "list", "sensor-1"}), 2);
}

TEST(CommandLine, BridgeIsPausedForAWhile) {
  const Command command = parse({"bridge", "pause", "region", "--for", "2h"});
  const auto* bridge = std::get_if<BridgeOptions>(&command);
  ASSERT_NE(bridge, nullptr);
  EXPECT_EQ(bridge->action, BridgeOptions::Action::Pause);
  EXPECT_EQ(bridge->bridge, "region");
  EXPECT_EQ(bridge->length, 7200s);
  EXPECT_EQ(exit_code({"bridge", "pause", "region", "--for", "0s"}), 2);
  EXPECT_EQ(exit_code({"bridge", "pause", "region", "--for", "2"}), 2) << "a time has a unit";
  EXPECT_EQ(exit_code({"bridge", "resume", "region", "--for", "2h"}), 2);
}

TEST(CommandLine, BridgeUseTakesAnAddress) {
  const Command command = parse({"bridge", "use", "region", "b.example.org"});
  const auto* bridge = std::get_if<BridgeOptions>(&command);
  ASSERT_NE(bridge, nullptr);
  EXPECT_EQ(bridge->action, BridgeOptions::Action::Use);
  EXPECT_EQ(bridge->address, "b.example.org");
  EXPECT_EQ(exit_code({"bridge", "use", "region"}), 2);
}

TEST(CommandLine, RetainedTakesAFilterAndAnAge) {
  const Command command = parse({"retained", "delete", "farm/#", "--older", "30d", "--yes"});
  const auto* retained = std::get_if<RetainedOptions>(&command);
  ASSERT_NE(retained, nullptr);
  EXPECT_EQ(retained->action, RetainedOptions::Action::Delete);
  EXPECT_EQ(retained->filter, "farm/#");
  EXPECT_EQ(retained->older, std::chrono::hours(30 * 24));
  EXPECT_TRUE(retained->yes);
  const Command list = parse({"retained", "list"});
  ASSERT_NE(std::get_if<RetainedOptions>(&list), nullptr);
  EXPECT_EQ(std::get<RetainedOptions>(list).filter, "#");
  EXPECT_EQ(exit_code({"retained", "delete"}), 2) << "nobody means all of them by saying nothing";
  EXPECT_EQ(exit_code({"retained", "list", "a/#/b"}), 2);
  EXPECT_EQ(exit_code({"retained", "list", "--yes"}), 2);
}

TEST(CommandLine, BufferTakesABridgeAndAFile) {
  const Command command = parse({"buffer", "export", "--bridge", "region", "-o", "file"});
  const auto* buffer = std::get_if<BufferOptions>(&command);
  ASSERT_NE(buffer, nullptr);
  EXPECT_EQ(buffer->action, BufferOptions::Action::Export);
  EXPECT_EQ(buffer->bridge, "region");
  EXPECT_EQ(buffer->output, "file");
  EXPECT_EQ(exit_code({"buffer", "show", "--limit", "0"}), 2);
  EXPECT_EQ(exit_code({"buffer", "replay", "--quarantine"}), 2);
  EXPECT_EQ(exit_code({"buffer", "repeat"}), 2);
}

TEST(CommandLine, TraceTakesWhatItIsAboutAndItsBounds) {
  const Command command = parse({"trace", "--topic", "farm/#", "--address", "192.168.4.0/24", "--for", "5m", "--count",
                                 "20", "--payload", "-c", "a.yaml"});
  const auto* trace = std::get_if<TraceOptions>(&command);
  ASSERT_NE(trace, nullptr);
  EXPECT_EQ(trace->filter, "farm/#");
  EXPECT_EQ(trace->address, "192.168.4.0/24");
  EXPECT_EQ(trace->length, std::chrono::seconds(300));
  EXPECT_EQ(trace->count, 20U);
  EXPECT_TRUE(trace->payload);
  EXPECT_EQ(trace->config, "a.yaml");
  EXPECT_EQ(exit_code({"trace"}), 2);
  EXPECT_EQ(exit_code({"trace", "--bridge", "region", "--client", "a"}), 2);
}

}  // namespace
}  // namespace furrow::gateway
