#include "config/provider_limits.h"

#include <algorithm>
#include <array>
#include <string>

#include "broker-core/base/bytes.h"

namespace furrow::config {
namespace {

// In the order of the enumeration, without None.
constexpr std::array kProviders{
    // https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits: a payload has 128 KB, which
    // is asked here of the packet; a topic has 256 bytes and 7 slashes. QoS:
    // https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html. Port 443:
    // https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
    ProviderLimits{.name = "aws-iot",
                   .qos_max = 1,
                   .packet_bytes_max = 128 * KiB,
                   .inflight_max = 100,
                   .keepalive_max = std::chrono::seconds(1200),
                   .session_expiry_max = std::chrono::days(7),
                   .client_id_bytes_max = 128,
                   .topic_levels_max = 8,
                   .topic_bytes_max = 256,
                   .subscriptions_max = 50,
                   .messages_per_second = 100,
                   .alpn_at_443 = "x-amzn-mqtt-ca"},
    // https://learn.microsoft.com/azure/event-grid/mqtt-support: QoS, packet, keep-alive.
    // https://learn.microsoft.com/azure/event-grid/quotas-limits: the others
    ProviderLimits{.name = "azure-event-grid",
                   .qos_max = 1,
                   .packet_bytes_max = 512 * KiB,
                   .inflight_max = 100,
                   .keepalive_max = std::chrono::seconds(1160),
                   .session_expiry_max = std::chrono::hours(8),
                   .client_id_bytes_max = 128,
                   .topic_levels_max = 15,
                   .topic_bytes_max = 256,
                   .subscriptions_max = 50,
                   .messages_per_second = 1000,
                   .refuses_user_properties = true},
    // https://community.hivemq.com/t/frequently-asked-questions-hivemq-cloud/514: all of MQTT, by TLS and with
    // credentials. It names no limits of packets, and CONNACK does.
    ProviderLimits{.name = "hivemq-cloud", .needs_username = true},
    // https://docs.emqx.com/en/cloud/latest/create/restriction.html: what Serverless and Dedicated have in common
    ProviderLimits{
        .name = "emqx-cloud", .packet_bytes_max = 1 * MiB, .client_id_bytes_max = 1024, .needs_username = true}};

template <typename Value>
void lower(Value& value, Value most) {
  if (most != Value{} && (value == Value{} || value > most)) value = most;
}

bool is_behind_443(const Address& address) {
  constexpr std::uint16_t kHttpsPort = 443;
  return address.scheme == Scheme::Mqtts && address.port == kHttpsPort;
}

}  // namespace

const ProviderLimits* provider_limits(Provider provider) {
  return provider == Provider::None ? nullptr : &kProviders.at(static_cast<std::size_t>(provider) - 1);
}

Bridge within_provider(Bridge bridge) {
  const ProviderLimits* limits = provider_limits(bridge.provider);
  if (limits == nullptr) return bridge;
  lower(bridge.packet_bytes_max, limits->packet_bytes_max);
  lower(bridge.keepalive, limits->keepalive_max);
  if (limits->session_expiry_max != Duration::zero()) {
    bridge.session_expiry = std::min(bridge.session_expiry, limits->session_expiry_max);
  }
  if (limits->inflight_max != 0) {
    bridge.inflight = std::min(bridge.inflight.value_or(limits->inflight_max), limits->inflight_max);
  }
  if (limits->refuses_user_properties) bridge.loop_guard = LoopGuard::Off;
  for (TopicRule& rule : bridge.topics) {
    rule.qos = std::min(rule.qos, limits->qos_max);
    rule.qos_min = std::min(rule.qos_min, limits->qos_max);
  }
  const bool asks_443 = !bridge.connect.empty() && std::ranges::all_of(bridge.connect, is_behind_443);
  if (asks_443 && bridge.tls.alpn.empty() && !limits->alpn_at_443.empty()) {
    bridge.tls.alpn.emplace_back(limits->alpn_at_443);
  }
  return bridge;
}

}  // namespace furrow::config
