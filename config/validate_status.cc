#include "config/validate_status.h"

#include <algorithm>
#include <string>
#include <vector>

#include "broker-core/mqtt/topic.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

void check_remote_topic(const Config& config, Report& report) {
  const std::string& topic = config.status.remote_topic;
  if (topic.empty()) return;
  const std::string key = "status.remote_topic";
  const std::string expanded = expand_names(topic, "gateway", "bridge");
  if (expanded.find_first_of("{}") != std::string::npos) {
    return report.error(key, key + ": in " + in_quotes(topic) + " only {gateway} and {bridge} stand for something");
  }
  if (!mqtt::is_valid_name(expanded)) {
    return report.error(key, key + ": " + in_quotes(topic) + " is not a topic: + and # have no place in it");
  }
  if (expanded.starts_with('$')) {
    return report.error(key, key + ": topics that begin with $ are the far broker's own; write fleet/{gateway}");
  }
  if (config.bridges.empty()) report.warning(key, key + " says nothing without a bridge");
  if (topic.find("{gateway}") == std::string::npos) {
    report.warning(key, key + ": without {gateway} two gateways at one region overwrite each other; write " +
                            as_written(topic + "/{gateway}"));
  }
}

void check_watch(const std::vector<TopicWatch>& watch, std::size_t index, Report& report) {
  const std::string path = "status.watch[" + std::to_string(index) + "]";
  const std::string& filter = watch[index].filter;
  const std::string key = "status.watch[].filter";
  const Places& places = report.places();
  if (watch[index].silent_after == Duration::zero() && !places.is_spoiled(path + ".silent_after")) {
    report.error(path, "status.watch[] needs silent_after, such as 2h: how long a topic may be silent");
  }
  if (places.is_spoiled(path + ".filter")) return;
  if (filter.empty()) return report.error(path, "status.watch[] needs a filter, such as farm/+/moisture");
  if (!mqtt::is_valid_filter(filter)) {
    return report.error(path + ".filter", key + ": " + in_quotes(filter) +
                                              " is no filter: # stands at the end, and + and # for whole levels");
  }
  if (filter.starts_with('$')) {
    return report.error(path + ".filter", key + ": topics that begin with $ are not watched");
  }
  const auto end = watch.begin() + static_cast<std::ptrdiff_t>(index);
  const auto same = std::ranges::find(watch.begin(), end, filter, &TopicWatch::filter);
  if (same == end) return;
  report.error(path + ".filter", key + ": " + in_quotes(filter) + " is watched already, " + in_line(same->place));
}

}  // namespace

void check_status(const Config& config, Report& report) {
  check_remote_topic(config, report);
  for (std::size_t i = 0; i < config.status.watch.size(); ++i) check_watch(config.status.watch, i, report);
}

}  // namespace furrow::config
