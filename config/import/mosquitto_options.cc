#include "config/import/mosquitto_options.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "config/key_names.h"

namespace furrow::config {
namespace {

constexpr auto kBroker = MosquittoOption::About::Broker;
constexpr auto kSecurity = MosquittoOption::About::Security;
constexpr auto kListener = MosquittoOption::About::Listener;
constexpr auto kBridge = MosquittoOption::About::Bridge;

constexpr std::string_view kPlugin =
    "furrow has no plugins: who may log in goes into access.password_file, what they may do into access.rules";
constexpr std::string_view kCiphers = "- furrow takes the suites of OpenSSL that are safe with TLS 1.2 and 1.3";
constexpr std::string_view kEngine = "keys lie in PEM files here; there are no engines";
constexpr std::string_view kLocal = "- a bridge of furrow is no client of the local broker: it needs no rules there";
constexpr std::string_view kDurable = "- everything is written to disk before it is acknowledged (store.acknowledge)";
constexpr std::string_view kAliases = "- furrow decides itself about topic aliases, which save a few bytes";
constexpr std::string_view kTcpKeepalive = "- a link that is dead is found out by keepalive and ack_timeout";

constexpr MosquittoOption kOptions[] = {
    // The broker as a whole.
    {"allow_duplicate_messages", kBroker, "- Mosquitto itself has given it up"},
    {"autosave_interval", kBroker, kDurable},
    {"autosave_on_changes", kBroker, kDurable},
    {"check_retain_source", kBroker,
     "a retained message stays when its publisher loses the right to publish there; who may read it is judged anew"},
    {"clientid_prefixes", kBroker,
     "furrow lets in clients by their users; access.rules with client: PREFIX* say what clients may do"},
    {"connection_messages", kBroker, "- connections are logged once, at level info"},
    {"enable_control_api", kBroker, "- there are no topics under $CONTROL"},
    {"global_max_clients", kBroker},
    {"global_max_connections", kBroker},
    {"log_dest", kBroker},
    {"log_facility", kBroker, "- the log goes to standard error, and from there to the journal"},
    {"log_timestamp", kBroker, "- the journal has the times; log.format: json has them in each line"},
    {"log_timestamp_format", kBroker, "- the journal has the times; log.format: json has them in each line"},
    {"log_type", kBroker},
    {"max_inflight_bytes", kBroker, "limits.inflight counts messages, not bytes"},
    {"max_inflight_messages", kBroker},
    {"max_keepalive", kBroker},
    {"max_packet_size", kBroker},
    {"max_queued_bytes", kBroker},
    {"max_queued_messages", kBroker},
    {"memory_limit", kBroker},
    {"message_size_limit", kBroker},
    {"packet_buffer_size", kBroker, "- furrow decides itself how much it reads at once"},
    {"per_listener_settings", kBroker},
    {"persistence", kBroker},
    {"persistence_file", kBroker, "- furrow names the files of its store itself"},
    {"persistence_location", kBroker},
    {"persistent_client_expiration", kBroker},
    {"pid_file", kBroker, "- furrow writes none: systemd knows the process"},
    {"queue_qos0_messages", kBroker},
    {"retain_available", kBroker},
    {"retain_expiry_interval", kBroker,
     "retained messages stay until they are deleted or expire as they say themselves"},
    {"retry_interval", kBroker, "- Mosquitto has not looked at it since 2.0"},
    {"set_tcp_nodelay", kBroker, "- always so"},
    {"sys_interval", kBroker},
    {"upgrade_outgoing_qos", kBroker, "a message is delivered at its own QoS at most, as MQTT has it"},
    {"user", kBroker, "- the user comes from the service: furrow.service has one of its own"},
    {"websockets_headers_size", kBroker, "- heads of up to 8 KiB are read"},
    {"websockets_log_level", kBroker, "- WebSocket has no log of its own"},

    // Who may come in.
    {"acl_file", kSecurity},
    {"allow_anonymous", kSecurity},
    {"allow_zero_length_clientid", kSecurity, "clients without an identifier are given one, as MQTT has it"},
    {"auth_plugin", kSecurity, kPlugin},
    {"auth_plugin_deny_special_chars", kSecurity, "- names with + # or / open no topics of others, whatever the rule"},
    {"auto_id_prefix", kSecurity, "- furrow makes the identifiers of clients that bring none"},
    {"global_plugin", kSecurity, kPlugin},
    {"password_file", kSecurity},
    {"plugin", kSecurity, kPlugin},
    {"plugin_load", kSecurity, kPlugin},
    {"plugin_use", kSecurity, kPlugin},
    {"psk_file", kSecurity},

    // Listeners.
    {"accept_protocol_versions", kListener, "clients of MQTT 3.1, 3.1.1 and 5 are let in on every listener"},
    {"bind_address", kListener},
    {"bind_interface", kListener},
    {"cafile", kListener},
    {"capath", kListener},
    {"certfile", kListener},
    {"ciphers", kListener, kCiphers},
    {"ciphers_tls1.3", kListener, kCiphers},
    {"crlfile", kListener},
    {"dhparamfile", kListener, "- keys are exchanged by elliptic curves"},
    {"disable_client_cert_date_checks", kListener, "a certificate that has expired is refused"},
    {"enable_proxy_protocol", kListener,
     "write proxy_protocol: {from: [ADDRESSES OF THE PROXIES]} there; without it nobody who comes by them gets in"},
    {"http_api", kListener, "the status is at /status, /metrics and /healthz of a listener with protocol: websocket"},
    {"http_dir", kListener, "furrow serves its status page at /, and no files"},
    {"keyfile", kListener},
    {"max_connections", kListener},
    {"max_qos", kListener, "a listener takes messages of every QoS"},
    {"max_topic_alias", kListener, kAliases},
    {"max_topic_alias_broker", kListener, kAliases},
    {"mount_point", kListener,
     "clients of this listener see all topics, not those below the mount point alone: keep them apart with "
     "access.rules "
     "(listener: NAME), and let them write the whole topic"},
    {"port", kListener},
    {"protocol", kListener},
    {"proxy_protocol_v2_require_tls", kListener, "whether a proxy has used TLS is not looked at"},
    {"psk_hint", kListener},
    {"require_certificate", kListener},
    {"socket_domain", kListener},
    {"tls_engine", kListener, kEngine},
    {"tls_engine_kpass_sha1", kListener, kEngine},
    {"tls_keyform", kListener, kEngine},
    {"tls_version", kListener},
    {"use_identity_as_username", kListener},
    {"use_subject_as_username", kListener},
    {"use_username_as_clientid", kListener},
    {"websockets_origin", kListener},

    // Bridges.
    {"address", kBridge},
    {"bridge_alpn", kBridge},
    {"bridge_attempt_unsubscribe", kBridge, "- subscriptions of rules that are gone are taken back at the far side"},
    {"bridge_bind_address", kBridge},
    {"bridge_cafile", kBridge},
    {"bridge_capath", kBridge},
    {"bridge_certfile", kBridge},
    {"bridge_ciphers", kBridge, kCiphers},
    {"bridge_identity", kBridge},
    {"bridge_insecure", kBridge},
    {"bridge_keyfile", kBridge},
    {"bridge_max_packet_size", kBridge},
    {"bridge_max_topic_alias", kBridge, kAliases},
    {"bridge_outgoing_retain", kBridge},
    {"bridge_protocol_version", kBridge},
    {"bridge_psk", kBridge},
    {"bridge_receive_maximum", kBridge, "- the bridge takes what the far side sends as fast as it can be stored"},
    {"bridge_reload_type", kBridge, "- a reload reconnects the bridge where its settings ask for it"},
    {"bridge_require_ocsp", kBridge, "whether the far certificate was revoked is not asked for"},
    {"bridge_session_expiry_interval", kBridge},
    {"bridge_tcp_keepalive", kBridge, kTcpKeepalive},
    {"bridge_tcp_keepalive_counter", kBridge, kTcpKeepalive},
    {"bridge_tcp_keepalive_idle", kBridge, kTcpKeepalive},
    {"bridge_tcp_keepalive_interval", kBridge, kTcpKeepalive},
    {"bridge_tcp_user_timeout", kBridge, kTcpKeepalive},
    {"bridge_tls_use_os_certs", kBridge},
    {"bridge_tls_version", kBridge},
    {"cleansession", kBridge},
    {"idle_timeout", kBridge},
    {"keepalive_interval", kBridge},
    {"local_cleansession", kBridge, "- what waits for the far side is kept in any case (buffer)"},
    {"local_clientid", kBridge, kLocal},
    {"local_password", kBridge, kLocal},
    {"local_username", kBridge, kLocal},
    {"notification_topic", kBridge,
     "the state of the bridge is on $SYS/furrow/bridge/NAME and $SYS/broker/connection/CLIENT_ID/state here"},
    {"notifications", kBridge},
    {"notifications_local_only", kBridge, "- always so"},
    {"remote_clientid", kBridge},
    {"remote_password", kBridge},
    {"remote_username", kBridge},
    {"restart_timeout", kBridge},
    {"round_robin", kBridge, "the addresses are tried in their order, at each connect"},
    {"start_type", kBridge},
    {"threshold", kBridge},
    {"topic", kBridge},
    {"try_private", kBridge,
     "- the bridge tells the far side that it is one, and does without where that is refused, as mqtt_version says"},
};

constexpr MosquittoOption kPluginSetting{"plugin_opt_*", kSecurity, "- a setting of a plugin"};

}  // namespace

const MosquittoOption* find_mosquitto_option(std::string_view name) {
  if (name.starts_with("auth_opt_") || name.starts_with("plugin_opt_")) return &kPluginSetting;
  const auto found = std::ranges::find(kOptions, name, &MosquittoOption::name);
  return found == std::end(kOptions) ? nullptr : &*found;
}

std::string did_you_mean_option(std::string_view name) {
  std::vector<std::string_view> names{"listener", "connection", "include_dir"};
  for (const MosquittoOption& option : kOptions) names.push_back(option.name);
  const std::string nearest = nearest_name(name, names);
  return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
}

}  // namespace furrow::config
