#include "gateway/cli/route.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "bridge/topic_map.h"
#include "broker-core/mqtt/topic.h"
#include "config/messages.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/table_text.h"
#include "gateway/config_to_options.h"

namespace furrow::gateway {
namespace {

enum class Way : std::uint8_t { Up, Down };

// A bridge of the configuration, as the code that decides knows it.
struct Routes {
  // A gateway whose identifier is made at its first start stays `{gateway}` in names.
  Routes(const config::Config& config, const config::Bridge& of, const std::string& name)
      : bridge(of),
        file(name),
        map(bridge_options(of, config.gateway.id.empty() ? "{gateway}" : config.gateway.id, 0).rules) {}

  std::string place_of(std::size_t rule) const {
    const config::TopicRule& of = bridge.topics[rule];
    return config::file_of(of.place, file) + ":" + std::to_string(of.place.line) + " (" + shown(of.filter) + ")";
  }

  const config::Bridge& bridge;
  const std::string& file;
  const bridge::TopicMap map;
};

// What the rule makes of a message that it takes.
std::string terms(const bridge::Rule& rule, Way way) {
  const std::string most = std::to_string(static_cast<int>(rule.qos_max));
  const std::string least = std::to_string(static_cast<int>(rule.qos_min));
  std::string text = "QoS " + (rule.qos_min == mqtt::Qos::AtMostOnce ? most + " at most"
                               : rule.qos_min == rule.qos_max        ? most
                                                                     : least + " to " + most);
  text += rule.retain_keep ? ", retain flag kept" : ", retain flag cleared";
  if (way == Way::Down && rule.wanted.only) text += ", while somebody here is subscribed to it";
  if (way == Way::Down || rule.qos_min > mqtt::Qos::AtMostOnce) return text;
  if (rule.qos_max == mqtt::Qos::AtMostOnce || !rule.buffer_qos0) text += ", QoS 0 only while the link is up";
  return text;
}

std::string why_not(const Routes& routes, std::string_view topic, Way way) {
  std::string why;
  bool goes_so = false;
  const std::vector<bridge::Rule>& rules = routes.map.rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (way == Way::Up ? !rules[i].goes_up() : !rules[i].comes_down()) continue;
    goes_so = true;
    const std::string* const exception =
        way == Way::Up ? routes.map.exception_here(i, topic) : routes.map.exception_there(i, topic);
    if (exception == nullptr) continue;
    why += (why.empty() ? "" : "; ") + ("except " + shown(*exception)) + " of rule " + routes.place_of(i);
  }
  if (!why.empty()) return why;
  if (!goes_so) return way == Way::Up ? "none of its rules goes up" : "none of its rules comes down";
  if (topic.starts_with('$')) return "no rule names it, and wildcards at the beginning do not match topics with $";
  return "no rule matches it";
}

// The line of one bridge for a local topic on its way up.
bool add_way_up(const Routes& routes, std::string_view topic, std::string& text) {
  const config::Bridge& bridge = routes.bridge;
  text += "  " + shown(bridge.name) + (bridge.enabled ? "" : " (disabled)") + ": ";
  const auto mapping = routes.map.up(topic);
  if (!mapping) {
    text += "no, " + why_not(routes, topic, Way::Up) + "\n";
    return false;
  }
  text += "as " + shown(mapping->topic()) + ", " + terms(routes.map.rule(*mapping), Way::Up) + "; rule " +
          routes.place_of(mapping->rule) + "\n";
  return true;
}

RouteAnswer find_ways_up(std::string_view topic, const config::Config& config, const std::string& file,
                         std::string_view but) {
  RouteAnswer answer{.text = "up, from " + shown(topic) + ":\n"};
  bool has_any = false;
  for (const config::Bridge& one : config.bridges) {
    if (one.name == but) continue;
    has_any = true;
    answer.is_taken |= add_way_up(Routes(config, one, file), topic, answer.text);
  }
  if (!has_any) answer.text += but.empty() ? "  there are no bridges\n" : "  there are no other bridges\n";
  return answer;
}

}  // namespace

RouteAnswer find_routes(const RouteOptions& options, const config::Config& config, const std::string& file) {
  if (!options.from) return find_ways_up(options.topic, config, file, {});
  const auto from = std::ranges::find(config.bridges, *options.from, &config::Bridge::name);
  const Routes routes(config, *from, file);
  RouteAnswer answer{.text = "down, from " + shown(options.topic) + ":\n  " + shown(from->name) +
                             (from->enabled ? "" : " (disabled)") + ": "};
  const auto mapping = routes.map.down(options.topic);
  if (!mapping) {
    answer.text += "no, " + why_not(routes, options.topic, Way::Down) + "\n";
    return answer;
  }
  answer.is_taken = true;
  answer.text += "as " + shown(mapping->topic()) + ", " + terms(routes.map.rule(*mapping), Way::Down) + "; rule " +
                 routes.place_of(mapping->rule) + "\n";
  // It does not go back to where it came from.
  answer.text += find_ways_up(mapping->topic(), config, file, from->name).text;
  return answer;
}

int run_route(const RouteOptions& options) {
  const auto refuse = [](const std::string& why) { return complain(why, kExitUsage); };
  const auto choice = choose_config(options.config, kDefaultConfigFile);
  if (!choice) return refuse(choice.error().message());
  for (const config::Diagnostic& one : choice->loaded.diagnostics) {
    if (one.severity == config::Severity::Error) return refuse(config::format(one, choice->name));
  }
  const config::Config& config = choice->loaded.config;
  if (!mqtt::is_valid_name(options.topic)) {
    return refuse(config::in_quotes(options.topic) +
                  " is not a topic of a message: it is empty or has a wildcard in it");
  }
  if (options.from && std::ranges::find(config.bridges, *options.from, &config::Bridge::name) == config.bridges.end()) {
    return refuse("--from: there is no bridge " + config::in_quotes(*options.from));
  }
  const RouteAnswer answer = find_routes(options, config, shown(choice->name));
  std::fputs(answer.text.c_str(), stdout);
  return answer.is_taken ? kExitFine : kExitFailure;
}

}  // namespace furrow::gateway
