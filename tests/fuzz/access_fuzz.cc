// Any rules, names, filters and topics: what the rules decide must fit together, and a name must not open more than
// the rule with another name in its place.
//
//   input := user 0x0A client 0x0A grant 0x0A deny 0x0A filter 0x0A topic, the last to the end
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/access/glob.h"
#include "broker-core/access/rights.h"
#include "broker-core/base/bytes.h"
#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::access {
namespace {

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

void check_names(const Entry& entry, const Subject& subject) {
  const std::optional<std::string> filter = entry.expand(subject);
  if (!filter) return;
  FURROW_CHECK(mqtt::is_valid_filter(*filter));
  FURROW_CHECK(mqtt::level_count(*filter) == mqtt::level_count(entry.text()));
  if (!entry.text().starts_with('$')) FURROW_CHECK(!filter->starts_with('$'));
  if (entry.has_placeholder()) FURROW_CHECK(mqtt::covers(entry.reach(), *filter));
}

void check_topic(Rights& rights, std::string_view filter, std::string_view topic) {
  for (const bool retain : {false, true}) {
    const Decision decision = rights.publish(topic, retain);
    FURROW_CHECK(rights.may_publish(topic, retain) == decision.is_granted());
    FURROW_CHECK(rights.may_publish(topic, retain) == decision.is_granted());
    if (topic.starts_with('$')) FURROW_CHECK(decision.why == Decision::Why::Reserved);
  }
  FURROW_CHECK(rights.may_receive(topic) == rights.receive(topic).is_granted());
  // A name is the filter of itself alone.
  FURROW_CHECK(rights.subscribe(topic).is_granted() == rights.receive(topic).is_granted());
  if (rights.may_subscribe(filter) && mqtt::matches(filter, topic)) FURROW_CHECK(rights.may_receive(topic));
}

void run(std::string_view input) {
  const std::string_view user = take_line(input);
  const std::string_view client = take_line(input);
  const std::string_view grant = take_line(input);
  const std::string_view deny = take_line(input);
  const std::string_view filter = take_line(input);
  (void)Entry::unknown_placeholder(grant);
  (void)glob_matches(grant, user);
  FURROW_CHECK(glob_matches("*", client));
  if (!is_glob(user)) FURROW_CHECK(glob_matches(user, user));
  if (!Entry::is_valid(grant) || !Entry::is_valid(deny)) return;
  const Subject subject{.user = user, .client = client};
  const Entry granted{std::string(grant)};
  const Entry denied{std::string(deny)};
  check_names(granted, subject);
  check_names(denied, subject);
  if (!mqtt::is_valid_filter(filter) || !mqtt::is_valid_name(input)) return;
  const Rules rules({Rule{.deny_publish = {denied}, .deny_subscribe = {denied}},
                     Rule{.publish = {granted}, .subscribe = {granted}, .may_retain = false},
                     Rule{.publish = {denied}, .subscribe = {Entry(std::string("$SYS/#"))}}});
  Rights rights(rules, subject, broker::HashKey::from_seed(1));
  check_topic(rights, filter, input);
}

}  // namespace
}  // namespace furrow::access

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size <= 65'535) furrow::access::run(furrow::as_text({data, size}));
  return 0;
}
