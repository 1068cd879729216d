#include "gateway/cli/demo_ledger.h"

#include <charconv>
#include <optional>

namespace furrow::gateway {
namespace {

std::optional<std::size_t> parse_count(std::string_view text) {
  std::size_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

// The text between `before` and `after` in `text`; empty when they are not there.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  if (!text.starts_with(before) || !text.ends_with(after) || text.size() < before.size() + after.size()) return {};
  return text.substr(before.size(), text.size() - before.size() - after.size());
}

constexpr std::string_view kTopicBegin = "farm/field-";
constexpr std::string_view kTopicEnd = "/moisture";

}  // namespace

DemoLedger::Message DemoLedger::send(std::size_t sensor) {
  arrivals_[sensor].push_back(0);
  ++sums_.sent;
  return {.topic = std::string(kTopicBegin) + std::to_string(sensor + 1) + std::string(kTopicEnd),
          .payload = std::to_string(arrivals_[sensor].size())};
}

bool DemoLedger::arrive(std::string_view topic, std::string_view payload) {
  const auto sensor = parse_count(between(topic, kTopicBegin, kTopicEnd));
  const auto number = parse_count(payload);
  if (!sensor || *sensor > arrivals_.size() || !number || *number > arrivals_[*sensor - 1].size()) {
    ++sums_.foreign;
    return false;
  }
  const std::uint32_t times = ++arrivals_[*sensor - 1][*number - 1];
  ++(times == 1 ? sums_.arrived : sums_.duplicated);
  return true;
}

}  // namespace furrow::gateway
