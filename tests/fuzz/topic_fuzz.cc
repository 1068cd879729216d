// Any three strings as topics and filters: what the topic functions say about them must fit together.
//
//   input := string 0x0A string 0x0A string, the last to the end
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/mqtt/utf8.h"

namespace furrow::mqtt {
namespace {

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

// The definition of UTF-8, by way of code points and without tricks [Unicode 15 §3.9].
bool is_utf8_by_definition(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xC0 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF8 ? 4
                                           : 0;
    if (size == 0 || text.size() - at < size) return false;
    std::uint32_t point = size == 1 ? lead : lead & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      if ((byte & 0xC0U) != 0x80) return false;
      point = point << 6U | (byte & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 1, 0x80, 0x800, 0x1'0000};  // 1: U+0000 is not allowed in MQTT
    if (point < kSmallest[size] || point > 0x10'FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    at += size;
  }
  return true;
}

void check_one(std::string_view text) {
  FURROW_CHECK(is_valid_utf8(text) == is_utf8_by_definition(text));

  std::string joined;
  std::size_t count = 0;
  TopicLevels levels(text);
  for (std::string_view level; levels.next(level); ++count) {
    if (count > 0) joined += '/';
    joined += level;
  }
  FURROW_CHECK(joined == text);
  FURROW_CHECK(level_count(text) == count);

  const bool has_wildcard = text.find_first_of("+#") != std::string_view::npos;
  FURROW_CHECK(is_valid_name(text) == (!text.empty() && !has_wildcard && is_utf8_by_definition(text)));
  if (is_valid_name(text)) {
    FURROW_CHECK(is_valid_filter(text));
    FURROW_CHECK(matches(text, text));
  }

  SharedFilter shared;
  FURROW_CHECK(parse_shared(text, shared) == text.starts_with("$share/"));
  if (!shared.group.empty()) {
    FURROW_CHECK(is_valid_filter(shared.filter));
    FURROW_CHECK("$share/" + std::string(shared.group) + '/' + std::string(shared.filter) == text);
  }
}

void check_filters(std::string_view one, std::string_view other) {
  FURROW_CHECK(covers(one, one));
  FURROW_CHECK(overlaps(one, other) == overlaps(other, one));
  if (covers(one, other)) FURROW_CHECK(overlaps(one, other));
}

void check_match(std::string_view one, std::string_view other, std::string_view topic) {
  if (!matches(other, topic)) return;
  if (covers(one, other)) FURROW_CHECK(matches(one, topic));
  if (matches(one, topic)) FURROW_CHECK(overlaps(one, other));
  FURROW_CHECK(covers(other, topic));  // a name is the filter of itself alone
}

void run(std::string_view input) {
  const std::string_view one = take_line(input);
  const std::string_view other = take_line(input);
  for (const std::string_view text : {one, other, input}) check_one(text);
  if (!is_valid_filter(one) || !is_valid_filter(other)) return;
  check_filters(one, other);
  if (is_valid_name(input)) check_match(one, other, input);
}

}  // namespace
}  // namespace furrow::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Longer strings are refused by their length alone, which a unit test shows.
  if (size <= 65'535) furrow::mqtt::run(furrow::as_text({data, size}));
  return 0;
}
