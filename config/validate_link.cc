#include "config/validate_link.h"

#include <algorithm>

#include "broker-core/base/ip.h"
#include "config/messages.h"
#include "config/scalar.h"

namespace furrow::config {
namespace {

// A local address, or something that an interface may be called.
bool is_source(std::string_view text) {
  if (IpAddress::parse(text.substr(0, text.find('%')))) return true;
  const bool is_printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c != 0x7F; });
  return is_printable && text.size() <= kInterfaceBytesMax && text.find_first_of("/:") == std::string_view::npos;
}

void check_source(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.source.empty() || is_source(bridge.source)) return;
  report.error(path + ".source", "bridges[].source: " + in_quotes(bridge.source) +
                                     " is neither an address, such as 192.168.4.2, nor the name of an interface, such "
                                     "as wwan0");
}

void check_proxy(const Bridge& bridge, const std::string& path, Report& report) {
  const bool has_password = !bridge.proxy_password_from.empty();
  if (has_password && bridge.proxy.user.empty() && !report.places().is_spoiled(path + ".proxy")) {
    report.error(path + ".proxy_password_from",
                 "bridges[].proxy_password_from needs a proxy with a user: http://USER@HOST:PORT");
  }
  const bool is_v6_link_local = bridge.proxy.host.find('%') != std::string::npos;
  if (is_v6_link_local && !bridge.source.empty() && !IpAddress::parse(bridge.source)) {
    report.warning(path + ".source", "bridges[].source: the address of the proxy names an interface already");
  }
}

void check_demand(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.demand.idle == Demand().idle || bridge.demand.is_asked_for()) return;
  report.warning(path + ".demand.idle",
                 "bridges[].demand.idle has no effect without messages or age: the bridge stays connected");
}

// "at 500 messages, or when one is 15m old".
std::string demand_text(const Demand& demand) {
  std::string text;
  if (demand.messages != 0) text = "at " + std::to_string(demand.messages) + " messages";
  if (demand.age != Duration::zero()) {
    text += (text.empty() ? "" : ", or ") + std::string("when one is ") + time_text(demand.age) + " old";
  }
  return text;
}

void note_way_down(const Bridge& bridge, const std::string& path, Report& report) {
  if (!bridge.comes_down()) return;
  report.note(path, "what comes down by bridge " + in_quotes(bridge.name) +
                        " comes while it is connected, and nothing that waits at the far side makes it connect");
}

void note_window(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.window.is_all_day()) return;
  report.note(path + ".window", "bridge " + in_quotes(bridge.name) + " connects from " + bridge.window.text() +
                                    " of this machine's local time alone; at other times messages wait");
  note_way_down(bridge, path + ".window", report);
}

void note_demand(const Bridge& bridge, const std::string& path, Report& report) {
  if (!bridge.demand.is_asked_for()) return;
  report.note(path + ".demand", "bridge " + in_quotes(bridge.name) + " connects " + demand_text(bridge.demand) +
                                    ", and leaves after " + time_text(bridge.demand.idle) + " without traffic");
  if (bridge.demand.age == Duration::zero()) {
    report.note(path + ".demand", "bridges[].demand without age: up to " + std::to_string(bridge.demand.messages - 1) +
                                      " messages may wait for good");
  }
  note_way_down(bridge, path + ".demand", report);
}

void note_rename(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.renamed_from.empty()) return;
  const bool has_name = bridge.client_id.find("{bridge}") != std::string::npos;
  report.note(path + ".renamed_from",
              "bridge " + in_quotes(bridge.name) + " goes on with the buffer of " + in_quotes(bridge.renamed_from) +
                  (has_name ? ", under the client id " + in_quotes(client_id_of(bridge, "{gateway}")) +
                                  ", which changes when this key goes: write it into client_id before"
                            : std::string()));
}

}  // namespace

void check_link(const Bridge& bridge, const std::string& path, Report& report) {
  check_source(bridge, path, report);
  check_proxy(bridge, path, report);
  check_demand(bridge, path, report);
}

void check_renames(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    const std::string& former = config.bridges[i].renamed_from;
    if (former.empty()) continue;
    const std::string path = bridge_path(i) + ".renamed_from";
    const std::string subject = "bridges[].renamed_from: " + in_quotes(former);
    const auto same = std::ranges::find(config.bridges, former, &Bridge::name);
    if (same != config.bridges.end()) {
      const bool is_itself = &*same == &config.bridges[i];
      report.error(path, subject +
                             (is_itself ? " is the name of the bridge itself"
                                        : " is still the name of the bridge " + in_line(same->place)) +
                             ", whose buffer it keeps");
    }
    for (std::size_t before = 0; before < i; ++before) {
      if (config.bridges[before].renamed_from != former) continue;
      report.error(path, subject + " is what the bridge " + in_line(config.bridges[before].place) +
                             " was called, too: a buffer goes to one bridge");
    }
  }
}

void note_links(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    note_window(config.bridges[i], bridge_path(i), report);
    note_demand(config.bridges[i], bridge_path(i), report);
    note_rename(config.bridges[i], bridge_path(i), report);
  }
}

}  // namespace furrow::config
