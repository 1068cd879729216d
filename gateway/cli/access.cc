#include "gateway/cli/access.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "broker-core/access/rights.h"
#include "broker-core/mqtt/topic.h"
#include "config/messages.h"
#include "config/validate_access.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"
#include "gateway/config_to_options.h"

namespace furrow::gateway {
namespace {

using access::Decision;

bool is_publish(const AccessOptions& options) {
  return options.action == "publish";
}

int refuse(const std::string& why) {
  return complain(why, kExitUsage);
}

// What is wrong with the question itself; empty when nothing is.
std::string fault_of(const AccessOptions& options, const config::Config& config) {
  const std::string topic = config::in_quotes(options.topic);
  if (options.action != "publish" && options.action != "subscribe") {
    return config::in_quotes(options.action) + " is neither publish nor subscribe";
  }
  if (is_publish(options) && !mqtt::is_valid_name(options.topic)) {
    return topic + " is not a topic that can be published to: it is empty or has a wildcard in it";
  }
  mqtt::SharedFilter shared;
  const bool is_shared = mqtt::parse_shared(options.topic, shared);
  if (!is_publish(options) && !(is_shared ? !shared.group.empty() : mqtt::is_valid_filter(options.topic))) {
    return topic + " is not a topic filter";
  }
  if (options.from && !IpAddress::parse(*options.from)) {
    return "--from: " + config::in_quotes(*options.from) + " is not an IP address";
  }
  std::string names;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const std::string name = config::listener_name(config, i);
    if (options.listener == name) return {};
    names += (names.empty() ? "" : ", ") + name;
  }
  if (!options.listener) return {};
  return "--listener: there is no listener " + config::in_quotes(*options.listener) + "; there are: " + names;
}

// The listener that a client comes by if it is not said: the one that there is.
std::string listener_of(const AccessOptions& options, const config::Config& config) {
  if (options.listener) return *options.listener;
  return config.listeners.size() == 1 ? config::listener_name(config, 0) : std::string();
}

std::string key_of(const AccessOptions& options, Decision::Why why) {
  return (why == Decision::Why::Denied ? "deny_" : "") + options.action;
}

// Why the rule at `decision` decides so.
std::string reason_of(const Decision& decision, const AccessOptions& options) {
  const std::string entry = key_of(options, decision.why) + ": " + printable(decision.entry, config::kShownBytesMax);
  switch (decision.why) {
    case Decision::Why::Granted:
    case Decision::Why::Denied:
      return entry;
    case Decision::Why::NotRetained:
      return entry + ", with retain: false";
    case Decision::Why::NameUnfit:
      return entry + ", where this client's name cannot stand: it is missing, empty or has one of + # / in it";
    case Decision::Why::NoRuleCovers:
      return "no rule covers it";
    case Decision::Why::Reserved:
      return "topics that begin with $ are the gateway's own, whatever the rules say";
  }
  return {};
}

// Options that were not given though rules ask about what they say; they were taken for nothing.
std::string unasked(const AccessOptions& options, const config::Config& config) {
  std::string names;
  const auto add = [&names](bool given, bool matters, std::string_view name) {
    if (!given && matters) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  const std::vector<config::AccessRule>& rules = *config.access.rules;
  const auto has_client = [](const config::AccessRule& rule) {
    const auto is_named = [](const std::string& entry) { return entry.find("{client}") != std::string::npos; };
    return !rule.client.empty() || std::ranges::any_of(rule.publish, is_named) ||
           std::ranges::any_of(rule.subscribe, is_named) || std::ranges::any_of(rule.deny_publish, is_named) ||
           std::ranges::any_of(rule.deny_subscribe, is_named);
  };
  add(options.client.has_value(), std::ranges::any_of(rules, has_client), "--client");
  add(options.listener || config.listeners.size() == 1,
      std::ranges::any_of(rules, [](const auto& rule) { return !rule.listener.empty(); }), "--listener");
  add(options.from.has_value(), std::ranges::any_of(rules, [](const auto& rule) { return !rule.from.empty(); }),
      "--from");
  return names;
}

int answer(bool allowed, const std::string& place, const std::string& why) {
  std::printf("%s %s: %s\n", allowed ? "allowed" : "refused", place.c_str(), why.c_str());
  return allowed ? kExitFine : kExitFailure;
}

int answer_without_rules(const AccessOptions& options, std::string_view filter, const std::string& file) {
  const bool allowed = is_publish(options) ? access::may_publish_without_rules(options.topic)
                                           : access::may_subscribe_without_rules(filter);
  return answer(allowed, file,
                allowed ? "there are no access.rules" : "topics that begin with $ are the gateway's own");
}

}  // namespace

int run_access(const AccessOptions& options) {
  const auto choice = choose_config(options.config, kDefaultConfigFile);
  if (!choice) return refuse(choice.error().message());
  const config::Config& config = choice->loaded.config;
  if (config::has_errors(choice->loaded.diagnostics)) {
    for (const config::Diagnostic& one : choice->loaded.diagnostics) {
      if (one.severity == config::Severity::Error)
        std::fprintf(stderr, "%s\n", config::format(one, choice->name).c_str());
    }
    return kExitUsage;
  }
  if (const std::string fault = fault_of(options, config); !fault.empty()) return refuse(fault);

  mqtt::SharedFilter shared;
  (void)mqtt::parse_shared(options.topic, shared);
  const std::string file = printable(choice->name, config::kShownBytesMax);
  const auto rules = access_rules(config.access);
  if (!rules) return answer_without_rules(options, shared.filter, file);

  const std::string listener = listener_of(options, config);
  const access::Subject subject{.user = options.user,
                                .client = options.client ? std::string_view(*options.client) : std::string_view(),
                                .listener = listener,
                                .address = options.from ? IpAddress::parse(*options.from) : std::nullopt};
  const access::Rights rights(*rules, subject, {});
  const Decision decision =
      is_publish(options) ? rights.publish(options.topic, options.retain) : rights.subscribe(shared.filter);
  const config::Place place =
      decision.is_by_rule() ? (*config.access.rules)[decision.rule].place : choice->loaded.places.at("access.rules");
  const std::string where = config::file_of(place, choice->name) + ":" + std::to_string(place.line);
  const int exit_code = answer(decision.is_granted(), where, reason_of(decision, options));
  if (const std::string names = unasked(options, config); !names.empty()) {
    std::printf("rules ask for what was not given: %s\n", names.c_str());
  }
  return exit_code;
}

}  // namespace furrow::gateway
