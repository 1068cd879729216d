#include "gateway/cli/status_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "broker-core/base/printable.h"
#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kReasonBytesMax = 400;

std::string with_one_place(double value) {
  std::array<char, 32> text{};
  // Below ten one place tells something.
  std::snprintf(text.data(), text.size(), value < 9.95 ? "%.1f" : "%.0f", value);
  return text.data();
}

std::string plural(std::uint64_t count, std::string_view thing) {
  return short_count(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

std::string_view colour_of_state(std::string_view state) {
  if (state == "online") return kGreen;
  if (state == "stalled" || state == "backoff") return kRed;
  return kYellow;
}

std::string gateway_lines(const GatewayDocument& gateway, bool colour) {
  const std::string head = cut(printable(gateway.id, kReasonBytesMax), 24);
  const std::string rest = "  furrow " + printable(gateway.version, 16) + ", up " + short_time(gateway.uptime_s) +
                           ", " + plural(gateway.clients, "client") + ", " + plural(gateway.sessions, "session") + "\n";
  std::string all = painted(head, kBold, colour) + rest;
  const auto complain = [&](const std::string& what) { all += painted(wrapped(what, "  "), kRed, colour); };
  if (gateway.store_state != "ok") {
    complain("store " + printable(gateway.store_state, 16) + ": " + printable(gateway.store_reason, kReasonBytesMax));
  }
  for (const GatewayDocument::Listener& one : gateway.listeners) {
    if (one.reason.empty()) continue;
    complain("listener " + printable(one.name, 64) + " waits: " + printable(one.reason, kReasonBytesMax));
  }
  if (!gateway.clock_trusted) complain("the clock is not trusted: it may be wrong");
  return all;
}

std::string row(const std::array<std::string, 9>& cells) {
  // 12 + 10 + 7 + 8 + 6 + 6 + 6 + 9 + 7, and a blank between two: 79.
  return left(cells[0], 12) + " " + left(cells[1], 10) + " " + right(cells[2], 7) + " " + right(cells[3], 8) + " " +
         right(cells[4], 6) + " " + right(cells[5], 6) + " " + right(cells[6], 6) + " " + right(cells[7], 9) + " " +
         right(cells[8], 7) + "\n";
}

std::string reason_of(const BridgeDocument& bridge) {
  std::string reason = printable(bridge.reason, kReasonBytesMax);
  const auto add = [&reason](const std::string& what) { reason += (reason.empty() ? "" : "; ") + what; };
  if (bridge.next_attempt_s) {
    add(*bridge.next_attempt_s < 1 ? "next attempt now" : "next attempt in " + short_time(*bridge.next_attempt_s));
  }
  if (bridge.quarantined > 0) add(plural(bridge.quarantined, "message") + " in quarantine");
  return reason;
}

std::string bridge_lines(const BridgeDocument& bridge, bool colour) {
  const std::string name = printable(bridge.name, 64);
  const std::string state = printable(bridge.state, 16);
  std::string line =
      row({name, state, short_count(bridge.backlog_messages), short_size(bridge.backlog_bytes),
           time_or_none(bridge.oldest_s), with_one_place(bridge.up_per_s), time_or_none(bridge.drain_eta_s),
           short_count(bridge.delivered), short_count(bridge.dropped)});
  if (colour) {
    const std::string shown = left(state, 10);
    line.replace(line.find(shown, left(name, 12).size()), shown.size(), painted(shown, colour_of_state(state), colour));
  }
  return line + wrapped(reason_of(bridge), "  ");
}

// `2026-11-24T09:59:00.123Z` as `2026-11-24 09:59 UTC`.
std::string to_the_minute(const std::string& rfc3339) {
  const std::string text = printable(rfc3339, 32);
  constexpr std::size_t kDate = 10, kMinute = 16;
  if (text.size() <= kMinute) return text;
  return text.substr(0, kDate) + " " + text.substr(kDate + 1, kMinute - kDate - 1) + " UTC";
}

std::string alarm_lines(const AlarmsDocument& alarms, bool colour) {
  std::string all;
  for (const AlarmDocument& one : alarms.alarms) {
    const std::string severity = printable(one.severity, 16);
    all += "\n" + painted(severity, severity == "error" ? kRed : kYellow, colour);
    all += ", since " + to_the_minute(one.since_at) + "\n";
    all += wrapped(printable(one.about, kReasonBytesMax) + " " + printable(one.what, kReasonBytesMax), "  ");
    if (!one.todo.empty()) all += wrapped("To do: " + printable(one.todo, kReasonBytesMax), "  ");
  }
  if (alarms.more > 0) all += "\nand " + plural(alarms.more, "more alarm") + "\n";
  return all;
}

}  // namespace

std::string short_count(std::uint64_t count) {
  if (count < 100'000) return std::to_string(count);
  double value = static_cast<double>(count);
  std::string_view unit;
  for (const std::string_view next : {"k", "M", "G", "T"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return with_one_place(value) + std::string(unit);
}

std::string short_size(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  std::string_view unit;
  for (const std::string_view next : {"KiB", "MiB", "GiB", "TiB"}) {
    value /= 1024;
    unit = next;
    if (value < 999.5) break;
  }
  return with_one_place(value) + " " + std::string(unit);
}

std::string time_or_none(const std::optional<double>& seconds) {
  return seconds ? short_time(*seconds) : "-";
}

std::string short_time(double seconds) {
  const double whole = std::max(0.0, std::floor(seconds));
  constexpr double kMinute = 60, kHour = 3600, kDay = 86400;
  const auto in = [whole](double unit, const char* name) {
    return std::to_string(static_cast<std::uint64_t>(whole / unit)) + " " + name;
  };
  if (whole < kMinute) return in(1, "s");
  if (whole < kHour) return in(kMinute, "min");
  if (whole < 2 * kDay) return in(kHour, "h");
  return in(kDay, "d");
}

std::string status_table(const StatusPicture& picture, bool colour) {
  std::string all = gateway_lines(picture.gateway, colour);
  if (picture.bridges.empty()) return all + "\nno bridges\n" + alarm_lines(picture.alarms, colour);
  const std::string head =
      row({"BRIDGE", "STATE", "BACKLOG", "SIZE", "OLDEST", "PER S", "ETA", "DELIVERED", "DROPPED"});
  all += "\n" + painted(head, kBold, colour);
  for (const BridgeDocument& one : picture.bridges) all += bridge_lines(one, colour);
  return all + alarm_lines(picture.alarms, colour);
}

}  // namespace furrow::gateway
