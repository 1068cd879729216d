// Everything an operator can decide, as plain values; a default-constructed Config is the documented default.
//
// Knows nothing of YAML. The members are named after the keys of the file; `schema` ties the two together.
// Where a number may be 0 for "no limit", its comment says so. Sizes carry `bytes`, times are durations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ip.h"
#include "broker-core/base/log.h"
#include "broker-core/base/time.h"
#include "broker-core/base/web_origin.h"
#include "config/address.h"
#include "config/daily_window.h"
#include "config/diagnostic.h"
#include "config/proxy.h"

namespace furrow::config {

using Days = std::chrono::days;
using Seconds = std::chrono::seconds;

// How a full queue treats the next message.
enum class WhenFull : std::uint8_t {
  DropOldest,
  DropNewest,
  Refuse,  // the publisher is told no, or waits; bridges only
};

struct Gateway {
  std::string id;  // empty: host name and six hex digits of the machine id, made by the gateway and kept in its store
  std::filesystem::path data = "/var/lib/furrow";

  bool operator==(const Gateway&) const = default;
};

enum class Protocol : std::uint8_t { Mqtt, WebSocket };

struct ProxyProtocol {
  std::vector<IpNetwork> from;  // empty: there is no PROXY header; else there is one, and nobody comes from elsewhere

  bool operator==(const ProxyProtocol&) const = default;
};

enum class TlsVersion : std::uint8_t { V1_2, V1_3 };
// What of a client's certificate is its user.
enum class UsernameFrom : std::uint8_t { Cn, Subject, SanDns, SanUri, Fingerprint };

struct ListenerTls {
  std::filesystem::path certificate;  // with its chain; empty: none
  std::filesystem::path key;
  std::filesystem::path client_ca;  // empty: clients are not asked for certificates
  bool require_client_certificate = true;
  UsernameFrom username_from = UsernameFrom::Cn;
  std::filesystem::path crl;  // empty: none
  TlsVersion version_min = TlsVersion::V1_2;

  bool operator==(const ListenerTls&) const = default;
};

struct Listener {
  std::string name;  // empty: listener_name() makes one
  Bind bind;
  Protocol protocol = Protocol::Mqtt;
  ListenerTls tls;
  std::filesystem::path psk_file;  // empty: none
  ProxyProtocol proxy_protocol;
  std::vector<IpNetwork> allow_from;      // empty: from everywhere
  bool wait = true;                       // for an address that is not there yet
  std::string mode = "0660";              // of a unix socket, in octal digits
  std::string group;                      // of a unix socket; empty: the process's
  std::vector<WebOrigin> origins;         // of web pages that may connect by WebSocket, beside the listener's own
  std::optional<bool> anonymous;          // nothing = Config::anonymous_by_default()
  std::vector<std::string> authenticate;  // certificate, psk, socket, password: all of these; empty: one of any
  Place place;

  bool asks_for(std::string_view proof) const {
    return std::find(authenticate.begin(), authenticate.end(), proof) != authenticate.end();
  }
  // Whether something else than a password may say who a client is.
  bool can_vouch() const { return bind.kind == Bind::Kind::Unix || !psk_file.empty() || !tls.client_ca.empty(); }
  bool is_encrypted() const { return !tls.certificate.empty() || !psk_file.empty(); }
  bool operator==(const Listener&) const = default;
};

// What client identifiers have to do with the names of users.
enum class ClientIdPolicy : std::uint8_t { Free, User, StartsWithUser };

// Users that rules name together.
struct UserGroup {
  std::string name;
  std::vector<std::string> members;  // patterns as in AccessRule::user
  Place place;

  bool operator==(const UserGroup&) const = default;
};

// Who may publish and subscribe what. A list of the subject that is empty does not matter; one that is not has to fit.
struct AccessRule {
  std::vector<std::string> user;  // patterns: `*` stands for any text, `?` for one character
  std::vector<std::string> group;
  std::vector<std::string> client;  // patterns
  std::vector<std::string> listener;
  std::vector<IpNetwork> from;
  bool anonymous = false;  // clients without a user name alone
  bool everyone = false;   // says that no user is meant in particular

  // Filters, in which {user} and {client} stand for the client's own.
  std::vector<std::string> publish;
  std::vector<std::string> subscribe;
  std::vector<std::string> deny_publish;
  std::vector<std::string> deny_subscribe;
  bool retain = true;  // what `publish` grants may be retained
  Place place;

  bool operator==(const AccessRule&) const = default;
};

// What becomes of a forbidden message of MQTT 3.1.1, whose publisher cannot be told.
enum class Denied : std::uint8_t { Drop, Disconnect };

struct Access {
  std::optional<bool> anonymous;  // nothing = Config::anonymous_by_default()
  ClientIdPolicy client_id = ClientIdPolicy::Free;
  std::filesystem::path password_file;  // empty: nobody has a password
  Denied denied = Denied::Drop;
  std::vector<UserGroup> groups;
  std::optional<std::vector<AccessRule>> rules;  // the first that covers an action decides; empty: nobody may anything

  bool operator==(const Access&) const = default;
};

// The queue of each session that outlives its connection.
struct SessionQueue {
  std::uint64_t messages_max = 1000;          // 0 = no limit
  std::uint64_t bytes_max = 4 * MiB;          // 0 = no limit
  WhenFull when_full = WhenFull::DropOldest;  // never Refuse

  bool operator==(const SessionQueue&) const = default;
};

struct Sessions {
  Duration expiry_max = Days(7);        // 0 = a session ends with its connection
  Duration keepalive_max = Seconds(0);  // whole seconds; 0 = no limit
  SessionQueue queue;

  bool operator==(const Sessions&) const = default;
};

// The limits of MQTT itself, which stand for "no limit" where the protocol has one.
inline constexpr std::uint64_t kPacketBytesMax = 268'435'460;  // remaining length 0xFF 0xFF 0xFF 0x7F, and its header
inline constexpr std::uint16_t kInflightMax = 65'535;          // Receive Maximum is two bytes
inline constexpr std::uint64_t kTopicLevelsMax = 65'536;       // a topic of 65,535 slashes

struct RetainedLimits {
  std::uint64_t messages_max = 100'000;  // 0 = no limit
  std::uint64_t bytes_max = 64 * MiB;    // 0 = no limit
  Duration age_max = Seconds(0);         // 0 = no limit

  bool operator==(const RetainedLimits&) const = default;
};

// Of one client.
struct PublishLimits {
  std::uint64_t messages_per_second = 0;  // 0 = no limit
  std::uint64_t bytes_per_second = 0;     // 0 = no limit
  Duration burst = Seconds(10);           // as much as comes in this time at the rate may come at once

  bool operator==(const PublishLimits&) const = default;
};

struct Limits {
  std::uint64_t connections_max = 10'000;          // 0 = no limit
  std::uint64_t connections_per_address_max = 0;   // 0 = no limit
  std::uint64_t connections_per_second_max = 200;  // 0 = no limit
  std::uint64_t packet_bytes_max = 1 * MiB;        // never 0
  std::uint16_t inflight_max = 100;                // never 0
  std::uint64_t topic_levels_max = 128;            // never 0
  std::uint64_t topic_bytes_max = 1 * KiB;         // 0 = no limit
  std::uint64_t client_id_bytes_max = 256;         // never 0
  std::uint64_t sessions_max = 10'000;             // 0 = no limit
  std::uint64_t sessions_per_user_max = 0;         // 0 = no limit
  Duration connect_timeout = Seconds(10);          // never 0
  std::uint64_t subscriptions_max = 10'000;        // per session; 0 = no limit
  std::uint64_t user_properties_max = 64;          // 0 = no limit
  PublishLimits publish;
  RetainedLimits retained;
  std::uint64_t queued_bytes_max = 256 * MiB;         // 0 = no limit
  std::uint64_t commit_waiting_bytes_max = 16 * MiB;  // 0 = no limit
  std::uint64_t memory_bytes_max = 256 * MiB;         // 0 = no limit

  bool operator==(const Limits&) const = default;
};

enum class Acknowledge : std::uint8_t { Durable, Received };
enum class RetainedDurability : std::uint8_t { Durable, Lazy };

struct Store {
  Acknowledge acknowledge = Acknowledge::Durable;
  std::optional<Duration> interval;  // nothing = auto (decided per destination from its acknowledgement times)
  RetainedDurability retained = RetainedDurability::Durable;
  Duration retained_interval = Seconds(1);
  std::uint64_t disk_reserve = 64 * MiB;  // bytes

  bool operator==(const Store&) const = default;
};

// A user property of MQTT 5.
struct UserProperty {
  std::string name;
  std::string value;
  Place place;

  bool operator==(const UserProperty&) const = default;
};

enum class Direction : std::uint8_t { Up, Down, Both };
enum class RetainFlag : std::uint8_t { Keep, Clear };
enum class Keep : std::uint8_t { All, Latest };
enum class Priority : std::uint8_t { High, Normal, Low };
enum class Subscribe : std::uint8_t { Always, Wanted };

// One rule of a bridge. With X for whatever `filter` matches:
// the local topic is local_prefix + X, the remote topic remote_prefix + X, or what `remote` makes of X.
struct TopicRule {
  std::string filter;  // a valid filter after a load without errors; so are prefix + filter
  Direction direction = Direction::Up;
  std::uint8_t qos = 1;      // the highest that crosses
  std::uint8_t qos_min = 0;  // at most qos: a message of less is raised to it
  std::string local_prefix;  // see expand_names(); so is remote_prefix, and remote
  std::string remote_prefix;
  std::string remote;               // mqtt/topic_pattern.h; empty: prefixes alone
  std::vector<std::string> except;  // filters of X that this rule leaves alone
  RetainFlag retain = RetainFlag::Keep;
  bool buffer_qos0 = false;                 // QoS 0 messages are buffered too while the link is down
  Keep keep = Keep::All;                    // of what waits, on the way up
  Priority priority = Priority::Normal;     // on the way up
  Duration expire_after = Seconds(0);       // 0 = as the message says
  Duration every = Seconds(0);              // of each topic no more than one value in so long; 0 = all
  bool changed_only = false;                // of each topic no value that equals the one before
  Duration heartbeat = Seconds(0);          // but one in so long; 0 = none
  std::uint64_t messages_per_second = 0;    // on the way up; 0 = no limit
  std::vector<UserProperty> properties;     // added on the way up; see expand_names() for the values
  Subscribe subscribe = Subscribe::Always;  // at the far side: Wanted: to what somebody here is subscribed to
  Place place;

  bool goes_up() const { return direction != Direction::Down; }
  bool comes_down() const { return direction != Direction::Up; }
  bool operator==(const TopicRule&) const = default;
};

enum class MqttVersion : std::uint8_t { Auto, V5, V311 };

struct Backoff {
  Duration initial = Seconds(1);
  Duration max = Seconds(60);

  bool operator==(const Backoff&) const = default;
};

struct Buffer {
  std::uint64_t bytes_max = 1 * GiB;  // 0 = no limit
  std::uint64_t messages_max = 0;     // 0 = no limit
  Duration age_max = Days(30);        // 0 = no limit
  WhenFull when_full = WhenFull::DropOldest;

  bool operator==(const Buffer&) const = default;
};

enum class DrainOrder : std::uint8_t { OldestFirst, LiveFirst };

// How fast a backlog leaves.
struct DrainPace {
  DrainOrder order = DrainOrder::OldestFirst;
  std::uint64_t messages_per_second = 0;  // 0 = no limit
  std::uint64_t bytes_per_second = 0;     // of topics and payloads; 0 = no limit

  bool operator==(const DrainPace&) const = default;
};

// A broker in a cloud, whose limits `provider_limits` knows.
enum class Provider : std::uint8_t { None, AwsIot, AzureEventGrid, HivemqCloud, EmqxCloud };

// How a far broker is known, and how it knows us. All files are read again at each connect.
struct BridgeTls {
  std::optional<std::filesystem::path> ca;  // nothing = what this system trusts
  std::filesystem::path certificate;        // empty: none
  std::filesystem::path key;
  std::vector<std::string> alpn;
  std::string server_name;  // empty: the host of the address
  TlsVersion version_min = TlsVersion::V1_2;

  bool operator==(const BridgeTls&) const = default;
};

// Which messages say the gateways that they have come by.
enum class LoopGuard : std::uint8_t { Transit, Always, Off };

// When a bridge that is not always connected connects and leaves. Without `messages` and `age` it always is.
struct Demand {
  std::uint64_t messages = 0;   // connects once this many wait; 0 = whatever their number
  Duration age = Seconds(0);    // connects once one has waited this long; 0 = whatever their age
  Duration idle = Seconds(60);  // leaves when nothing was sent and nothing came for this long

  bool is_asked_for() const { return messages != 0 || age != Duration::zero(); }
  bool operator==(const Demand&) const = default;
};

struct Bridge {
  std::string name = "bridge";
  std::string renamed_from;  // the name that its buffer had before; empty: none
  bool enabled = true;
  std::vector<Address> connect;      // tried in this order; at least one after a load without errors
  Duration failback = Seconds(300);  // how often an earlier address is tried again; 0 = never
  MqttVersion mqtt_version = MqttVersion::Auto;
  std::string client_id = "{gateway}-{bridge}";  // see client_id_of()
  std::string username;
  std::filesystem::path password_from;  // empty: no password. Read again at each connect
  BridgeTls tls;
  std::vector<std::string> pins;   // `sha256/BASE64` of the far public key, which alone decides then
  std::string psk_identity;        // empty: none
  std::filesystem::path psk_from;  // its key; read again at each connect
  Proxy proxy;
  std::filesystem::path proxy_password_from;  // empty: no password. Read again at each connect
  std::string source;                         // a local address or a network interface; empty: the system chooses
  Duration keepalive = Seconds(30);           // whole seconds
  Duration ack_timeout = Seconds(30);
  // Nothing = auto: CONNACK receive maximum, at most 1000; in 3.1.1 100, but no QoS 2 beyond 20.
  std::optional<std::uint16_t> inflight;
  Duration session_expiry = Days(7);  // whole seconds
  Backoff backoff;
  Buffer buffer;
  DrainPace drain;
  Duration coalesce = Seconds(0);      // less than ack_timeout
  bool retain_sync = false;            // retained values that differ here and there become the same
  std::uint64_t packet_bytes_max = 0;  // that the far side takes, where it does not say so; 0 = any size
  Provider provider = Provider::None;  // see within_provider()
  DailyWindow window;                  // of local time; connects in these hours alone
  Demand demand;
  std::vector<std::string> stamp;  // of received_at, gateway, sequence
  LoopGuard loop_guard = LoopGuard::Transit;
  std::uint8_t hop_limit = 4;
  bool mesh = false;
  std::vector<TopicRule> topics;  // per direction, the first that matches decides
  Place place;

  bool comes_down() const { return std::ranges::any_of(topics, &TopicRule::comes_down); }
  bool operator==(const Bridge&) const = default;
};

// An alarm for each topic that was heard and then is not.
struct TopicWatch {
  std::string filter;
  Duration silent_after{};
  Place place;

  bool operator==(const TopicWatch&) const = default;
};

struct StatusTopics {
  Duration interval = Seconds(10);
  std::string remote_topic;  // {gateway} and {bridge} stand for the names; empty: none
  bool clients = false;
  std::vector<TopicWatch> watch;

  bool operator==(const StatusTopics&) const = default;
};

enum class LogFormat : std::uint8_t { Text, Json };

struct Logging {
  LogLevel level = LogLevel::Info;
  LogFormat format = LogFormat::Text;

  bool operator==(const Logging&) const = default;
};

struct Config {
  Gateway gateway;
  std::vector<Listener> listeners{Listener{}};  // default: MQTT on 127.0.0.1:1883
  Access access;
  Sessions sessions;
  Limits limits;
  Store store;
  std::vector<Bridge> bridges;
  std::vector<std::string> include;  // patterns of files that were read as parts of this one
  StatusTopics status;
  Logging log;

  // Whether clients may connect that prove nothing, where their listener does not say: as `access.anonymous` says,
  // else only if nobody can reach a listener from another machine.
  bool anonymous_by_default() const;
  bool lets_in_anonymous(const Listener& listener) const {
    return listener.authenticate.empty() && listener.anonymous.value_or(anonymous_by_default());
  }
  bool operator==(const Config&) const = default;
};

// The configuration of `furrow run` without a file: the defaults, a listener for WebSocket on 127.0.0.1:8083 beside
// that for MQTT, and the data in `./furrow-data`.
Config embedded_default();

// The name of the listener in this place, for rules, logs and the status: its own, or "mqtt", "websocket-2".
std::string listener_name(const Config& config, std::size_t place);

// `pattern` with `{gateway}` and `{bridge}` replaced; everything else stays.
std::string expand_names(std::string_view pattern, std::string_view gateway_id, std::string_view bridge_name);

// The client identifier of `bridge`. In it {bridge} is the name of before where the bridge was renamed: the far side
// knows the session by it, which goes on with the buffer.
std::string client_id_of(const Bridge& bridge, std::string_view gateway_id);

}  // namespace furrow::config
