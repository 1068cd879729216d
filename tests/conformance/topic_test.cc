// Topic names and filters, and which match: MQTT 5.0 and 3.1.1 §4.7.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Topic : public ConformanceTest {
 public:
  // Whether SUBSCRIBE to `filter` is granted; one that is not valid ends the connection.
  bool is_filter(Version version, std::string_view filter) {
    Client& client = connect({.client_id = "judge", .version = version});
    client.subscribe(filter);
    const std::vector<std::string> received = client.received();
    const bool granted = received == std::vector<std::string>{"SUBACK id=1 reason=00"};
    EXPECT_NE(granted, client.closed()) << filter;
    if (!client.closed()) client.disconnect();
    return granted;
  }
  bool matches(std::string_view filter, std::string_view topic) {
    Client& reader = this->reader(filter);
    connect({.client_id = "sensor"}).publish(topic, "1");
    const bool matched = !reader.received().empty();
    reader.disconnect();
    return matched;
  }
};

TEST_F(Topic, TheMultiLevelWildcardStandsLastAndFillsItsLevel) {
  SHOWS("MQTT-4.7.1-1 v3.1.1:MQTT-4.7.1-2");
  for (const Version version : kVersions) {
    for (const std::string_view filter : {"#", "/#", "a/#", "a/b/#", "+/#"}) {
      EXPECT_TRUE(is_filter(version, filter)) << filter;
    }
    for (const std::string_view filter : {"a#", "a/#/b", "#/a", "a/b#", "##", "a/#b", "#a"}) {
      EXPECT_FALSE(is_filter(version, filter)) << filter;
    }
  }
  EXPECT_TRUE(matches("a/#", "a"));
  EXPECT_TRUE(matches("a/#", "a/b/c"));
  EXPECT_FALSE(matches("a/#", "ab"));
  EXPECT_TRUE(matches("#", "/"));
}

TEST_F(Topic, TheSingleLevelWildcardFillsALevelAnywhere) {
  SHOWS("MQTT-4.7.1-2 v3.1.1:MQTT-4.7.1-3");
  for (const Version version : kVersions) {
    for (const std::string_view filter : {"+", "+/a", "a/+", "a/+/b", "/+", "+/+", "+/a/#"}) {
      EXPECT_TRUE(is_filter(version, filter)) << filter;
    }
    for (const std::string_view filter : {"a+", "+a", "a/b+", "a/+b/c", "++"}) {
      EXPECT_FALSE(is_filter(version, filter)) << filter;
    }
  }
  EXPECT_TRUE(matches("a/+", "a/b"));
  EXPECT_TRUE(matches("a/+", "a/")) << "a level may be empty";
  EXPECT_FALSE(matches("a/+", "a"));
  EXPECT_FALSE(matches("a/+", "a/b/c"));
  EXPECT_TRUE(matches("+/+", "/a"));
  EXPECT_FALSE(matches("+", "/a"));
}

TEST_F(Topic, WildcardsAtTheBeginningDoNotMatchADollar) {
  SHOWS("MQTT-4.7.2-1 v3.1.1:MQTT-4.7.2-1");
  broker().publish_status("$SYS/broker/version", "furrow", now);
  settle();
  for (const Version version : kVersions) {
    const auto receives = [&](std::string_view filter) {
      Client& client = reader(filter, kQos0, {}, {.client_id = "reader", .version = version});
      broker().publish_status("$SYS/broker/version", "furrow", now);
      settle();
      const bool received = !client.received().empty();
      client.disconnect();
      return received;
    };
    EXPECT_TRUE(receives("$SYS/#"));
    EXPECT_TRUE(receives("$SYS/+/version"));
    for (const std::string_view filter : {"#", "+/broker/version", "+/#", "+/+/version"}) {
      EXPECT_FALSE(receives(filter)) << filter;
    }
    for (const std::string_view filter : {"#", "+/broker/version"}) {
      Client& client = connect({.client_id = "reader", .version = version});
      client.subscribe(filter);
      EXPECT_THAT(client.received(), ElementsAre("SUBACK id=1 reason=00")) << "nothing that is retained either";
      client.disconnect();
    }
  }
}

TEST_F(Topic, HasAtLeastOneCharacter) {
  SHOWS("MQTT-4.7.3-1 v3.1.1:MQTT-4.7.3-1");
  for (const Version version : kVersions) EXPECT_FALSE(is_filter(version, ""));
  expect_closed(kV5, packet("30", "00 00 00 'x'"), "82");
  expect_closed(kV3, packet("30", "00 00 'x'"));
}

TEST_F(Topic, MayBeAsLongAsATextCan) {
  SHOWS("MQTT-4.7.3-3 v3.1.1:MQTT-4.7.3-3");
  options.limits.topic_bytes = 0;
  const std::string longest(65'535, 'x');
  EXPECT_TRUE(matches(longest, longest));
  for (const Version version : kVersions) EXPECT_TRUE(is_filter(version, longest));
}

TEST_F(Topic, IsMatchedAsItIs) {
  SHOWS("MQTT-4.7.3-4 v3.1.1:MQTT-4.7.3-4");
  EXPECT_TRUE(matches("a b/ c", "a b/ c"));
  EXPECT_FALSE(matches("a", "A"));
  EXPECT_FALSE(matches("a", "/a"));
  EXPECT_FALSE(matches("a", "a/"));
  EXPECT_FALSE(matches("a/b", "a//b"));
  EXPECT_FALSE(matches("a", "a "));
  EXPECT_FALSE(matches("a/../b", "b"));
  EXPECT_FALSE(matches("\xC3\xA4", "a\xCC\x88")) << "one character or two, to us they differ";
  EXPECT_TRUE(matches("\xC3\xA4", "\xC3\xA4"));
  EXPECT_TRUE(matches("+", "\xF0\x9F\x8C\xBE"));
}

}  // namespace
}  // namespace furrow::test
