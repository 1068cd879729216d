#include "config/validate_link.h"

#include <algorithm>

#include "config/messages.h"

namespace furrow::config {
namespace {

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
    note_rename(config.bridges[i], bridge_path(i), report);
  }
}

}  // namespace furrow::config
