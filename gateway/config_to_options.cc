#include "gateway/config_to_options.h"

#include <algorithm>
#include <limits>

#include "config/provider_limits.h"
#include "config/validate_access.h"

namespace furrow::gateway {
namespace {

// Limits of the core are as wide as what they count; a configured number beyond that is as good as the widest.
template <typename Narrow>
Narrow clamp_to(std::uint64_t value) {
  return static_cast<Narrow>(std::min<std::uint64_t>(value, std::numeric_limits<Narrow>::max()));
}

broker::WhenFull when_full(config::WhenFull choice) {
  switch (choice) {
    case config::WhenFull::DropOldest:
      return broker::WhenFull::DropOldest;
    case config::WhenFull::DropNewest:
      return broker::WhenFull::DropNewest;
    case config::WhenFull::Refuse:
      return broker::WhenFull::Refuse;
  }
  return broker::WhenFull::DropOldest;
}

broker::Limits limits(const config::Config& config) {
  const config::Limits& from = config.limits;
  const config::SessionQueue& queue = config.sessions.queue;
  return {.connections = clamp_to<std::uint32_t>(from.connections_max),
          .connections_per_address = clamp_to<std::uint32_t>(from.connections_per_address_max),
          .connections_per_second = clamp_to<std::uint32_t>(from.connections_per_second_max),
          .packet_bytes = clamp_to<std::uint32_t>(from.packet_bytes_max),
          .inflight = from.inflight_max,
          .topic_levels = clamp_to<std::uint32_t>(from.topic_levels_max),
          .topic_bytes = clamp_to<std::uint32_t>(from.topic_bytes_max),
          .client_id_bytes = clamp_to<std::uint32_t>(from.client_id_bytes_max),
          .sessions = clamp_to<std::uint32_t>(from.sessions_max),
          .sessions_per_user = clamp_to<std::uint32_t>(from.sessions_per_user_max),
          .subscriptions = clamp_to<std::uint32_t>(from.subscriptions_max),
          .user_properties = clamp_to<std::uint32_t>(from.user_properties_max),
          .retained_messages = clamp_to<std::size_t>(from.retained.messages_max),
          .retained_bytes = clamp_to<std::size_t>(from.retained.bytes_max),
          .retained_age = from.retained.age_max,
          .publish = {.messages_per_second = clamp_to<std::uint32_t>(from.publish.messages_per_second),
                      .bytes_per_second = clamp_to<std::uint32_t>(from.publish.bytes_per_second),
                      .burst = from.publish.burst},
          .commit_waiting_bytes = clamp_to<std::size_t>(from.commit_waiting_bytes_max),
          .memory_bytes = from.memory_bytes_max,
          .session_expiry_max = config.sessions.expiry_max,
          .connect_timeout = from.connect_timeout,
          .keep_alive_max = config.sessions.keepalive_max,
          .session_queue = {.messages_max = queue.messages_max,
                            .bytes_max = queue.bytes_max,
                            .age_max = {},
                            .when_full = when_full(queue.when_full),
                            .bytes_max_together = from.queued_bytes_max}};
}

std::vector<broker::ListenerPolicy> listeners(const config::Config& config) {
  std::vector<broker::ListenerPolicy> all;
  for (std::size_t place = 0; place < config.listeners.size(); ++place) {
    const config::Listener& from = config.listeners[place];
    all.push_back({.name = config::listener_name(config, place),
                   .anonymous = config.lets_in_anonymous(from),
                   .needs_vouched = from.asks_for("certificate") || from.asks_for("psk") || from.asks_for("socket"),
                   .needs_password = from.asks_for("password")});
  }
  return all;
}

broker::ClientIdPolicy client_id_policy(config::ClientIdPolicy choice) {
  switch (choice) {
    case config::ClientIdPolicy::Free:
      return broker::ClientIdPolicy::Free;
    case config::ClientIdPolicy::User:
      return broker::ClientIdPolicy::User;
    case config::ClientIdPolicy::StartsWithUser:
      return broker::ClientIdPolicy::StartsWithUser;
  }
  return broker::ClientIdPolicy::Free;
}

broker::Journal::Options journal_options(const config::Store& store) {
  broker::Journal::Options options;
  options.acknowledge_when_received = store.acknowledge == config::Acknowledge::Received;
  options.retained_lazy = store.retained == config::RetainedDurability::Lazy;
  options.retained_interval = store.retained_interval;
  // A fixed interval also says how long messages gather for a destination that is away (`store.interval`).
  if (store.interval) options.gather_interval = *store.interval;
  return options;
}

std::vector<access::Entry> entries(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

access::Rule access_rule(const config::AccessRule& from, const std::vector<config::UserGroup>& groups) {
  access::Rule rule{.users = from.user,
                    .clients = from.client,
                    .listeners = from.listener,
                    .from = from.from,
                    .anonymous = from.anonymous,
                    .publish = entries(from.publish),
                    .subscribe = entries(from.subscribe),
                    .deny_publish = entries(from.deny_publish),
                    .deny_subscribe = entries(from.deny_subscribe),
                    .may_retain = from.retain};
  // A group without members leaves a rule for nobody.
  if (!from.group.empty()) rule.members.emplace();
  for (const config::UserGroup& group : groups) {
    if (std::ranges::find(from.group, group.name) == from.group.end()) continue;
    rule.members->insert(rule.members->end(), group.members.begin(), group.members.end());
  }
  return rule;
}

bridge::Direction direction(config::Direction choice) {
  switch (choice) {
    case config::Direction::Up:
      return bridge::Direction::Up;
    case config::Direction::Down:
      return bridge::Direction::Down;
    case config::Direction::Both:
      return bridge::Direction::Both;
  }
  return bridge::Direction::Up;
}

bridge::VersionChoice version(config::MqttVersion choice) {
  switch (choice) {
    case config::MqttVersion::Auto:
      return bridge::VersionChoice::Auto;
    case config::MqttVersion::V5:
      return bridge::VersionChoice::V5;
    case config::MqttVersion::V311:
      return bridge::VersionChoice::V3_1_1;
  }
  return bridge::VersionChoice::Auto;
}

bridge::Priority priority(config::Priority choice) {
  switch (choice) {
    case config::Priority::High:
      return bridge::Priority::High;
    case config::Priority::Normal:
      return bridge::Priority::Normal;
    case config::Priority::Low:
      return bridge::Priority::Low;
  }
  return bridge::Priority::Normal;
}

// A local client chooses what is subscribed to, and a provider may end the connection at more than it takes: the
// subscriptions that it leaves are shared out among the rules.
bridge::WantedTerms wanted_terms(const config::TopicRule& rule, const config::Bridge& bridge) {
  bridge::WantedTerms terms{.only = rule.subscribe == config::Subscribe::Wanted};
  const config::ProviderLimits* provider = config::provider_limits(bridge.provider);
  if (provider == nullptr) return terms;
  if (provider->topic_levels_max > 0) terms.levels_max = provider->topic_levels_max;
  if (provider->topic_bytes_max > 0) terms.bytes_max = provider->topic_bytes_max;
  const auto rules = static_cast<std::size_t>(std::ranges::count_if(bridge.topics, &config::TopicRule::comes_down));
  if (provider->subscriptions_max > 0 && rules > 0) {
    // Half of them: those of filters that are not wanted any more end after those of others have begun.
    const std::size_t share = provider->subscriptions_max / rules / 2;
    terms.filters_max = std::clamp<std::size_t>(share, 1, terms.filters_max);
  }
  return terms;
}

bridge::Rule rule(const config::TopicRule& from, const config::Bridge& of, const std::string& gateway_id) {
  const std::string& bridge_name = of.name;
  const auto expand = [&](const std::string& prefix) { return config::expand_names(prefix, gateway_id, bridge_name); };
  std::vector<bridge::UserProperty> properties;
  for (const config::UserProperty& one : from.properties) properties.emplace_back(one.name, expand(one.value));
  return {.filter = from.filter,
          .local_prefix = expand(from.local_prefix),
          .remote_prefix = expand(from.remote_prefix),
          .remote = expand(from.remote),
          .direction = direction(from.direction),
          .qos_max = static_cast<mqtt::Qos>(from.qos),
          .qos_min = static_cast<mqtt::Qos>(from.qos_min),
          .except = from.except,
          .retain_keep = from.retain == config::RetainFlag::Keep,
          .buffer_qos0 = from.buffer_qos0,
          .expire_after = from.expire_after,
          .thinning = {.every = from.every, .changed_only = from.changed_only, .heartbeat = from.heartbeat},
          .keep_latest = from.keep == config::Keep::Latest,
          .priority = priority(from.priority),
          .messages_per_second = clamp_to<std::uint32_t>(from.messages_per_second),
          .properties = std::move(properties),
          .wanted = wanted_terms(from, of)};
}

bridge::LoopGuard::Mode loop_guard(config::LoopGuard choice) {
  switch (choice) {
    case config::LoopGuard::Transit:
      return bridge::LoopGuard::Mode::Transit;
    case config::LoopGuard::Always:
      return bridge::LoopGuard::Mode::Always;
    case config::LoopGuard::Off:
      return bridge::LoopGuard::Mode::Off;
  }
  return bridge::LoopGuard::Mode::Transit;
}

bridge::StampOptions stamp(const std::vector<std::string>& wanted) {
  const auto has = [&](std::string_view one) { return std::ranges::find(wanted, one) != wanted.end(); };
  return {.received_at = has("received_at"), .gateway = has("gateway"), .sequence = has("sequence")};
}

// What is known of a far broker that cannot say it.
bridge::RemoteLimits known_limits(const config::Bridge& bridge) {
  bridge::RemoteLimits known;
  if (bridge.packet_bytes_max > 0) known.packet_bytes_max = clamp_to<std::uint32_t>(bridge.packet_bytes_max);
  const config::ProviderLimits* provider = config::provider_limits(bridge.provider);
  if (provider == nullptr) return known;
  if (provider->topic_bytes_max > 0) known.topic_bytes_max = provider->topic_bytes_max;
  if (provider->topic_levels_max > 0) known.topic_levels_max = provider->topic_levels_max;
  return known;
}

}  // namespace

broker::Broker::Options broker_options(const config::Config& config, std::uint64_t seed) {
  return {{.limits = limits(config),
           .journal = journal_options(config.store),
           .commit_interval = {.fixed = config.store.interval},
           .access_rules = access_rules(config.access),
           .forbidden_disconnects = config.access.denied == config::Denied::Disconnect,
           .listeners = listeners(config),
           .client_id = client_id_policy(config.access.client_id)},
          seed};
}

std::shared_ptr<const access::Rules> access_rules(const config::Access& access) {
  if (!access.rules) return nullptr;
  std::vector<access::Rule> list;
  for (const config::AccessRule& rule : *access.rules) list.push_back(access_rule(rule, access.groups));
  return std::make_shared<const access::Rules>(std::move(list));
}

bridge::Options bridge_options(const config::Bridge& written, const std::string& gateway_id, std::uint64_t seed) {
  const config::Bridge bridge = config::within_provider(written);
  bridge::Options options;
  options.name = bridge.name;
  options.enabled = bridge.enabled;
  for (const config::Address& address : bridge.connect) {
    options.addresses.push_back({.host = address.host,
                                 .port = address.port,
                                 .scheme = std::string(config::scheme_text(address.scheme)),
                                 .path = address.path});
  }
  options.failback = bridge.failback;
  options.version = version(bridge.mqtt_version);
  options.client_id = config::client_id_of(bridge, gateway_id);
  if (!bridge.username.empty()) options.username = bridge.username;
  options.keep_alive = bridge.keepalive;
  options.ack_timeout = bridge.ack_timeout;
  options.inflight_max = bridge.inflight.value_or(0);
  options.session_expiry_s = clamp_to<std::uint32_t>(whole_seconds(bridge.session_expiry));
  options.known = known_limits(bridge);
  options.times = {.window_begin = bridge.window.begin,
                   .window_end = bridge.window.end,
                   .demand_messages = bridge.demand.messages,
                   .demand_age = bridge.demand.age,
                   .idle = bridge.demand.idle};
  options.coalesce = bridge.coalesce;
  options.retain_sync = bridge.retain_sync;
  options.gateway_id = gateway_id;
  options.stamp = stamp(bridge.stamp);
  options.loop_guard = {.mode = loop_guard(bridge.loop_guard), .hop_limit = bridge.hop_limit};
  options.mesh = bridge.mesh;
  options.drain = {.messages_per_second = clamp_to<std::uint32_t>(bridge.drain.messages_per_second),
                   .bytes_per_second = clamp_to<std::uint32_t>(bridge.drain.bytes_per_second),
                   .burst = std::chrono::seconds(1)};
  options.live_first = bridge.drain.order == config::DrainOrder::LiveFirst;
  options.backoff_initial = bridge.backoff.initial;
  options.backoff_max = bridge.backoff.max;
  options.buffer = {.messages_max = bridge.buffer.messages_max,
                    .bytes_max = bridge.buffer.bytes_max,
                    .age_max = bridge.buffer.age_max,
                    .when_full = when_full(bridge.buffer.when_full)};
  for (const config::TopicRule& one : bridge.topics) options.rules.push_back(rule(one, bridge, gateway_id));
  options.seed = seed;
  return options;
}

bool has_tls(const config::Config& config, std::string_view listener) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    if (config::listener_name(config, i) == listener) return config.listeners[i].is_encrypted();
  }
  return false;
}

bool has_bridge(const config::Config& config, std::string_view name) {
  return std::ranges::find(config.bridges, name, &config::Bridge::name) != config.bridges.end();
}

LogSink::Options log_options(const config::Logging& logging) {
  return {.level = logging.level,
          .format = logging.format == config::LogFormat::Json ? LogFormat::Json : LogFormat::Text};
}

}  // namespace furrow::gateway
