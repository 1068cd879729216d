#include "config/validate_provider.h"

#include <algorithm>
#include <string>

#include "broker-core/mqtt/topic.h"
#include "config/messages.h"
#include "config/provider_limits.h"
#include "config/rule_filters.h"
#include "config/scalar.h"

namespace furrow::config {
namespace {

// The levels that every topic of `filter` has: `#` stands for none, too.
std::size_t least_levels(std::string_view filter) {
  const std::size_t levels = mqtt::level_count(filter);
  return filter.ends_with('#') ? levels - 1 : levels;
}

bool is_too_long(Duration time, Duration most) {
  return most != Duration::zero() && time > most;
}

void check_qos(const TopicRule& rule, const ProviderLimits& limits, const std::string& path, Report& report) {
  if (rule.qos <= limits.qos_max) return;
  report.warning(path + ".qos", "bridges[].topics[].qos: " + std::string(limits.name) + " has no QoS " +
                                    std::to_string(rule.qos) + ": what crosses goes at QoS " +
                                    std::to_string(limits.qos_max));
}

void check_levels(const TopicRule& rule, const ProviderLimits& limits, const std::string& path, Report& report) {
  if (limits.topic_levels_max == 0 || !has_valid_filters(rule)) return;
  const std::string remote = remote_filter(rule);
  const std::string subject = in_quotes(remote) + " has more than the " + std::to_string(limits.topic_levels_max) +
                              " levels that " + std::string(limits.name) + " takes";
  // A subscription counts its `#`, a topic need not have a level there.
  if (rule.comes_down() && mqtt::level_count(remote) > limits.topic_levels_max) {
    report.error(path + ".filter", "bridges[].topics[].filter: " + subject);
  } else if (least_levels(remote) > limits.topic_levels_max) {
    report.error(path + ".filter", "bridges[].topics[].filter: " + subject + ": every message would be dropped");
  }
}

void check_keepalive(const Bridge& bridge, const ProviderLimits& limits, const std::string& path, Report& report) {
  if (!is_too_long(bridge.keepalive, limits.keepalive_max)) return;
  report.warning(path + ".keepalive", "bridges[].keepalive: " + std::string(limits.name) + " takes at most " +
                                          time_text(limits.keepalive_max) + ", which is used");
}

void check_session_expiry(const Bridge& bridge, const ProviderLimits& limits, const std::string& path, Report& report) {
  const bool is_written = report.places().is_written(path + ".session_expiry");
  if (!is_written || !is_too_long(bridge.session_expiry, limits.session_expiry_max)) return;
  report.warning(path + ".session_expiry", "bridges[].session_expiry: " + std::string(limits.name) + " takes at most " +
                                               time_text(limits.session_expiry_max) + ", which is used");
}

// {gateway} stands for a name that is made at start unless it is written.
void check_client_id(const Config& config, const Bridge& bridge, const ProviderLimits& limits, const std::string& path,
                     Report& report) {
  const std::string id = client_id_of(bridge, config.gateway.id);
  if (limits.client_id_bytes_max == 0 || id.size() <= limits.client_id_bytes_max) return;
  report.error(path + ".client_id", "bridges[].client_id: " + in_quotes(id) + " has more than the " +
                                        std::to_string(limits.client_id_bytes_max) + " bytes that " +
                                        std::string(limits.name) + " takes");
}

void check_encryption(const Bridge& bridge, const ProviderLimits& limits, const std::string& path, Report& report) {
  for (const Address& address : bridge.connect) {
    if (address.is_encrypted()) continue;
    report.warning(path + ".connect", "bridges[].connect: " + address.text() + ": " + std::string(limits.name) +
                                          " takes TLS alone: mqtts:// or wss://");
  }
}

void check_credentials(const Bridge& bridge, const ProviderLimits& limits, const std::string& path, Report& report) {
  if (!limits.needs_username || !bridge.username.empty()) return;
  report.warning(path + ".provider", "bridges[].provider: " + std::string(limits.name) +
                                         " lets in nobody without username and password_from");
}

void check_subscriptions(const Bridge& bridge, const ProviderLimits& limits, const std::string& path, Report& report) {
  const auto count = static_cast<std::uint64_t>(std::ranges::count_if(bridge.topics, &TopicRule::comes_down));
  if (limits.subscriptions_max == 0 || count <= limits.subscriptions_max) return;
  report.error(path + ".topics", "bridges[].topics: " + std::to_string(count) + " rules come down, and " +
                                     std::string(limits.name) + " takes " + std::to_string(limits.subscriptions_max) +
                                     " subscriptions");
}

void note_rate(const Bridge& bridge, const ProviderLimits& limits, const std::string& path, Report& report) {
  const std::uint64_t ours = bridge.drain.messages_per_second;
  if (limits.messages_per_second == 0 || (ours != 0 && ours <= limits.messages_per_second)) return;
  const std::string rate = std::to_string(limits.messages_per_second);
  report.note(path + ".provider", std::string(limits.name) + " takes " + rate +
                                      " messages a second from one client: with drain: {messages_per_second: " + rate +
                                      "} a backlog keeps to that");
}

}  // namespace

void check_provider(const Config& config, std::size_t index, Report& report) {
  const Bridge& bridge = config.bridges[index];
  const ProviderLimits* limits = provider_limits(bridge.provider);
  if (limits == nullptr) return;
  const std::string path = bridge_path(index);
  check_encryption(bridge, *limits, path, report);
  check_client_id(config, bridge, *limits, path, report);
  check_credentials(bridge, *limits, path, report);
  check_keepalive(bridge, *limits, path, report);
  check_session_expiry(bridge, *limits, path, report);
  check_subscriptions(bridge, *limits, path, report);
  for (std::size_t rule = 0; rule < bridge.topics.size(); ++rule) {
    check_qos(bridge.topics[rule], *limits, rule_path(index, rule), report);
    check_levels(bridge.topics[rule], *limits, rule_path(index, rule), report);
  }
}

void note_providers(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    const Bridge& bridge = config.bridges[i];
    if (const ProviderLimits* limits = provider_limits(bridge.provider))
      note_rate(bridge, *limits, bridge_path(i), report);
  }
}

}  // namespace furrow::config
