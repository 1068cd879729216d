#include "gateway/cli/fleet_table.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "broker-core/base/printable.h"
#include "gateway/cli/status_table.h"
#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

std::string row(const std::array<std::string, 6>& cells) {
  // 24 + 8 + 10 + 9 + 9 + 7, and two blanks between two: 77.
  return left(cells[0], 24) + "  " + left(cells[1], 8) + "  " + left(cells[2], 10) + "  " + right(cells[3], 9) + "  " +
         right(cells[4], 9) + "  " + right(cells[5], 7) + "\n";
}

std::string details(const FleetDocument& gateway) {
  std::string text = shown(gateway.reason);
  const auto add = [&text](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  for (const std::string& alarm : gateway.alarms) add(shown(alarm));
  if (gateway.alarm_count > gateway.alarms.size()) {
    add("and " + short_count(gateway.alarm_count - gateway.alarms.size()) + " more");
  }
  return wrapped(text, "  ");
}

std::string lines_of(const FleetDocument& gateway, bool colour) {
  const std::string state = left(printable(gateway.state, 16), 8);
  const std::string bridges = short_count(gateway.bridges_well) + "/" + short_count(gateway.bridges);
  std::string line = row({shown(gateway.id), state, printable(gateway.version, 16), gateway.is_online ? bridges : "-",
                          gateway.is_online ? short_count(gateway.backlog) : "-",
                          gateway.is_online ? short_count(gateway.alarm_count) : "-"});
  if (colour) {
    const std::string_view with = !gateway.is_online ? kRed : gateway.alarm_count > 0 ? kYellow : kGreen;
    const std::size_t place = line.find(state, left(gateway.id, 24).size());
    if (place != std::string::npos) line.replace(place, state.size(), painted(state, with, colour));
  }
  return line + details(gateway);
}

}  // namespace

std::string fleet_table(std::vector<FleetDocument> gateways, bool colour) {
  if (gateways.empty()) return "no gateway has said anything there\n";
  std::ranges::sort(gateways, {},
                    [](const FleetDocument& one) { return std::tuple(one.is_online, one.alarm_count == 0, one.id); });
  std::string all = painted(row({"GATEWAY", "STATE", "VERSION", "BRIDGES", "WAITING", "ALARMS"}), kBold, colour);
  for (const FleetDocument& one : gateways) all += lines_of(one, colour);
  return all;
}

}  // namespace furrow::gateway
