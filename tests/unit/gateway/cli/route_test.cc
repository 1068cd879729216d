// Where a topic goes, as `furrow route` says it, by the rules of a file.
#include "gateway/cli/route.h"

#include <gtest/gtest.h>

#include "config/load_yaml.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kConfig = R"(bridges:
  - name: region
    connect: mqtt://region.example.org
    topics:
      - {filter: farm/#, remote_prefix: us/, except: [farm/test/#]}
      - {filter: command/+, direction: down, remote_prefix: us/, qos: 2, retain: clear}
      - {filter: site/#, direction: both, qos: 0, subscribe: wanted}
  - name: lab
    enabled: false
    connect: mqtt://lab.example.org
    topics:
      - {filter: "#", local_prefix: farm/, qos: 2, buffer_qos0: true, retain: clear}
      - {filter: command/#, remote_prefix: copy/}
)";

RouteAnswer routes(const std::string& topic, const std::optional<std::string>& from = std::nullopt) {
  const config::Loaded loaded = config::load(std::string(kConfig), "f.yaml", {});
  EXPECT_FALSE(config::has_errors(loaded.diagnostics));
  return find_routes({.topic = topic, .from = from, .config = {}}, loaded.config, "f.yaml");
}

TEST(Route, NamesRuleAndTermsOfEachBridge) {
  const RouteAnswer answer = routes("farm/1");
  EXPECT_TRUE(answer.is_taken);
  EXPECT_EQ(answer.text,
            "up, from farm/1:\n"
            "  region: as us/farm/1, QoS 1 at most, retain flag kept, QoS 0 only while the link is up; "
            "rule f.yaml:5 (farm/#)\n"
            "  lab (disabled): as 1, QoS 2 at most, retain flag cleared; rule f.yaml:12 (#)\n");
}

TEST(Route, SaysWhyABridgeDoesNotTakeATopic) {
  EXPECT_EQ(routes("farm/test/1").text,
            "up, from farm/test/1:\n"
            "  region: no, except farm/test/# of rule f.yaml:5 (farm/#)\n"
            "  lab (disabled): as test/1, QoS 2 at most, retain flag cleared; rule f.yaml:12 (#)\n");
  const RouteAnswer nobody = routes("house/1");
  EXPECT_FALSE(nobody.is_taken);
  EXPECT_EQ(nobody.text,
            "up, from house/1:\n"
            "  region: no, no rule matches it\n"
            "  lab (disabled): no, no rule matches it\n");
  EXPECT_EQ(routes("$SYS/furrow/gateway").text,
            "up, from $SYS/furrow/gateway:\n"
            "  region: no, no rule names it, and wildcards at the beginning do not match topics with $\n"
            "  lab (disabled): no, no rule names it, and wildcards at the beginning do not match topics with $\n");
}

TEST(Route, ComesDownAndGoesOnByOtherBridges) {
  const RouteAnswer answer = routes("us/command/7", "region");
  EXPECT_TRUE(answer.is_taken);
  EXPECT_EQ(answer.text,
            "down, from us/command/7:\n"
            "  region: as command/7, QoS 2 at most, retain flag cleared; rule f.yaml:6 (command/+)\n"
            "up, from command/7:\n"
            "  lab (disabled): as copy/command/7, QoS 1 at most, retain flag kept, QoS 0 only while the link is up; "
            "rule f.yaml:13 (command/#)\n");
}

TEST(Route, SaysThatItComesDownOnlyIfItIsWanted) {
  EXPECT_EQ(routes("site/1", "region").text,
            "down, from site/1:\n"
            "  region: as site/1, QoS 0 at most, retain flag kept, while somebody here is subscribed to it; "
            "rule f.yaml:7 (site/#)\n"
            "up, from site/1:\n"
            "  lab (disabled): no, no rule matches it\n");
  EXPECT_EQ(routes("site/1").text.find("subscribed"), std::string::npos) << "that is not about the way up";
}

TEST(Route, SaysWhyNothingComesDown) {
  const RouteAnswer other = routes("us/farm/1", "region");
  EXPECT_FALSE(other.is_taken);
  EXPECT_EQ(other.text, "down, from us/farm/1:\n  region: no, no rule matches it\n");
  EXPECT_EQ(routes("x", "lab").text, "down, from x:\n  lab (disabled): no, none of its rules comes down\n");
}

TEST(Route, NamesStandInPrefixesAndTheQosIsRaised) {
  const auto route = [](const std::string& gateway) {
    const config::Loaded loaded =
        config::load(gateway +
                         "bridges:\n"
                         "  - name: region\n"
                         "    connect: mqtt://region.example.org\n"
                         "    topics:\n"
                         "      - {filter: a, remote_prefix: '{gateway}/{bridge}/', qos_min: 1}\n",
                     "f.yaml", {});
    EXPECT_FALSE(config::has_errors(loaded.diagnostics));
    return find_routes({.topic = "a", .from = {}, .config = {}}, loaded.config, "f.yaml").text;
  };
  EXPECT_EQ(route("gateway: {id: barn-7}\n"),
            "up, from a:\n  region: as barn-7/region/a, QoS 1, retain flag kept; rule f.yaml:6 (a)\n");
  EXPECT_EQ(route(""), "up, from a:\n  region: as {gateway}/region/a, QoS 1, retain flag kept; rule f.yaml:5 (a)\n");
}

TEST(Route, APatternNamesTheTopicOnBothWays) {
  const auto route = [](const std::string& topic, const std::optional<std::string>& from) {
    const config::Loaded loaded = config::load(
        "gateway: {id: barn-7}\n"
        "bridges:\n"
        "  - name: region\n"
        "    connect: mqtt://region.example.org\n"
        "    topics:\n"
        "      - {filter: farm/+/t/#, direction: both, remote: '{gateway}/{1}/{rest}', except: [farm/9/t/#], "
        "qos_min: 1}\n",
        "f.yaml", {});
    EXPECT_FALSE(config::has_errors(loaded.diagnostics));
    return find_routes({.topic = topic, .from = from, .config = {}}, loaded.config, "f.yaml").text;
  };
  EXPECT_EQ(route("farm/1/t/a", {}),
            "up, from farm/1/t/a:\n"
            "  region: as barn-7/1/a, QoS 1, retain flag kept; rule f.yaml:6 (farm/+/t/#)\n");
  EXPECT_EQ(route("barn-7/1/a", "region"),
            "down, from barn-7/1/a:\n"
            "  region: as farm/1/t/a, QoS 1, retain flag kept; rule f.yaml:6 (farm/+/t/#)\n"
            "up, from farm/1/t/a:\n"
            "  there are no other bridges\n");
  EXPECT_EQ(route("barn-7/9/a", "region"),
            "down, from barn-7/9/a:\n"
            "  region: no, except farm/9/t/# of rule f.yaml:6 (farm/+/t/#)\n");
}

TEST(Route, NamesOfOthersCannotPaintTheTerminal) {
  EXPECT_EQ(routes("farm/\x1b[2J").text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace furrow::gateway
