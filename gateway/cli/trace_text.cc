#include "gateway/cli/trace_text.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "broker-core/base/printable.h"
#include "gateway/cli/control_items.h"

namespace furrow::gateway {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kTraceTextBytesMax = 4096;
constexpr std::string_view kHeadFields[] = {"time", "client", "bridge", "address", "direction", "packet", "event"};
// Where `false` says something.
constexpr std::string_view kTwoSided[] = {"clean_start", "session_present"};

template <typename List>
bool has(const List& list, std::string_view key) {
  for (const std::string_view one : list) {
    if (one == key) return true;
  }
  return false;
}

std::string field_text(const OrderedJson& object, std::string_view key) {
  const auto field = object.find(std::string(key));
  if (field == object.end() || !field->is_string()) return {};
  return printable(field->get_ref<const std::string&>(), kTraceTextBytesMax);
}

std::string quoted_if_needed(const std::string& text) {
  const std::string shown = printable(text, kTraceTextBytesMax);
  return shown.empty() || shown.find_first_of(" =,[]{}'") != std::string::npos ? "'" + shown + "'" : shown;
}

std::string reason_code_text(std::uint64_t code) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%02llx", static_cast<unsigned long long>(code));
  return text.data();
}

std::string value_text(std::string_view key, const OrderedJson& value);

// ` KEY=VALUE` for each field but those that stand before them.
std::string fields_text(const OrderedJson& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    if (has(kHeadFields, key)) continue;
    if (key == "properties" && value.is_object()) {
      text += fields_text(value);
    } else if (value.is_boolean() && !has(kTwoSided, key)) {
      if (value.get<bool>()) text += " " + key;
    } else {
      text += " " + printable(key, kTraceTextBytesMax) + "=" + value_text(key, value);
    }
  }
  return text;
}

std::string list_text(std::string_view key, const OrderedJson& list) {
  std::string text;
  for (const OrderedJson& one : list) {
    const bool is_pair = one.is_array() && one.size() == 2;
    if (!text.empty()) text += ", ";
    text += is_pair ? value_text(key, one[0]) + "=" + value_text(key, one[1]) : value_text(key, one);
  }
  return "[" + text + "]";
}

std::string value_text(std::string_view key, const OrderedJson& value) {
  if (value.is_string()) return quoted_if_needed(value.get_ref<const std::string&>());
  if (value.is_null()) return "?";
  if (value.is_array()) return list_text(key, value);
  if (value.is_object()) {
    const std::string fields = fields_text(value);
    return "{" + fields.substr(fields.empty() ? 0 : 1) + "}";
  }
  const bool is_code = key == "reason_code" || key == "reason_codes";
  if (is_code && value.is_number_unsigned()) return reason_code_text(value.get<std::uint64_t>());
  return printable(value.dump(), kTraceTextBytesMax);
}

std::string packets(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " packet" : " packets");
}

}  // namespace

std::string trace_line(std::string_view json) {
  const OrderedJson object = OrderedJson::parse(json, nullptr, false);
  if (!object.is_object()) return printable(json, kTraceTextBytesMax) + "\n";
  if (const auto lost = object.find("not_shown"); lost != object.end() && lost->is_number_unsigned()) {
    return "… " + packets(lost->get<std::uint64_t>()) + " not shown: the reader is slow\n";
  }
  const std::string time = field_text(object, "time");
  std::string line = time.substr(time.find('T') == std::string::npos ? 0 : time.find('T') + 1);
  const bool is_bridge = object.contains("bridge");
  const std::string name = field_text(object, is_bridge ? "bridge" : "client");
  line += is_bridge ? " bridge " : " ";
  line += name.empty() ? "-" : quoted_if_needed(name);
  for (const std::string_view key : {"address", "direction", "packet", "event"}) {
    if (const std::string text = field_text(object, key); !text.empty()) line += " " + text;
  }
  return line + fields_text(object) + "\n";
}

std::string trace_summary(std::string_view end) {
  const std::string why = read_end_text(end, "ended_by");
  const std::uint64_t lost = read_end_number(end, "not_shown");
  std::string text = packets(read_end_number(end, "shown"));
  if (lost > 0) text += ", and " + std::to_string(lost) + " not shown because the reader was slow";
  if (why == "time") text += "; the time is over, --for takes another";
  if (why == "count") text += "; that is as many as were asked for, --count takes another number";
  return text + "\n";
}

}  // namespace furrow::gateway
