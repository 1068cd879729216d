// What the operator can know of this gateway: one picture of a moment, as plain values.
//
// Whatever shows it to people and programs (status topics, Mosquitto's counters) is made from this picture and asks
// nobody else. StatusSources takes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/snapshot.h"
#include "broker-core/base/histogram.h"
#include "broker-core/base/time.h"
#include "broker-core/session/books.h"
#include "broker-core/stats.h"
#include "broker-core/store.h"
#include "gateway/net/link_stats.h"
#include "gateway/status/load_average.h"

namespace furrow::gateway {

struct StatusModel;

// When a picture was taken, and its place in the order of pictures.
struct StatusMoment {
  std::uint64_t seq = 0;
  Instant now;
  WallTime wall;

  // The wall-clock time of a moment of this boot.
  WallTime wall_at(Instant then) const { return wall - (now - then); }
};

// What stays as it is while the gateway runs.
struct GatewayFacts {
  std::string id;
  std::string version;
  std::string acknowledge;
  Instant started;
};

struct ListenerStatus {
  std::string name;
  std::string protocol;
  std::string address;
  std::string waiting = {};  // why it waits for its address; empty: it listens
  std::string tls = {};      // `certificate` or `psk`; empty: none
};

// One of our own certificates.
struct CertificateStatus {
  std::string name;  // whose: `listener lan`, `bridge region`
  std::string file;
  std::string subject;
  WallTime not_after{};
  std::int64_t days = 0;  // left; negative: since it has expired
};

struct ClientStatus {
  std::uint64_t connected = 0;
  std::uint64_t sessions = 0;
  broker::SubscriptionCounts subscriptions;
  std::uint64_t wills_waiting = 0;          // see broker::Wills
  std::vector<std::string> contested = {};  // client identifiers; see broker::ContestedIds
};

// One client, or the session that it has left.
struct ClientDetails {
  std::string id;
  bool connected = false;
  Instant since{};                  // of the connection, or of its end
  std::optional<std::string> user;  // nothing: anonymous
  std::string listener;             // by which it came last; empty: not known
  std::string address;              // empty: not connected
  std::string version;              // of MQTT, likewise
  std::uint32_t expiry_s = 0;       // of the session, after the connection has ended; broker::kExpiryNever
  std::uint64_t subscriptions = 0;
  std::uint64_t queue_messages = 0;  // that wait and were not sent yet
  std::uint64_t queue_bytes = 0;     // of these and of those in flight
  std::uint64_t inflight = 0;

  bool operator==(const ClientDetails&) const = default;
};

// What a new subscriber gets.
struct RetainedStatus {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t own_messages = 0;  // of these, status topics, which no limit concerns
  std::uint64_t own_bytes = 0;
};

struct StoreStatus {
  broker::StoreHealth health;
  Instant since;               // of the state
  std::uint64_t messages = 0;  // that wait on disk or on their way to it
  std::uint64_t bytes = 0;     // of these, in the buffers of bridges and the queues of sessions
};

struct MemoryStatus {
  std::optional<std::uint64_t> resident_bytes;
  std::uint64_t heap_bytes = 0;          // allocated and not freed
  std::uint64_t heap_bytes_maximum = 0;  // as seen twice a second
  std::uint64_t limit_bytes = 0;         // `limits.memory`; 0: none
};

struct ClockStatus {
  bool trusted = false;
  std::uint64_t expired_by_correction = 0;  // see broker::Journal
};

// How long it takes, since start.
struct TimingStatus {
  Histogram commits;        // of the store
  Histogram loop_lateness;  // of the loop's timer
  Duration late_by{};       // the most of the last seconds; see LoopWatch
};

// As Mosquitto names them; see LoadAverage.
struct LoadStatus {
  LoadAverage messages_received;  // packets of any type
  LoadAverage messages_sent;
  LoadAverage publish_received;
  LoadAverage publish_sent;
  LoadAverage publish_dropped;
  LoadAverage bytes_received;
  LoadAverage bytes_sent;
  LoadAverage sockets;
  LoadAverage connections;  // CONNECT packets

  // All of them, to the totals of `model`.
  void move(const StatusModel& model, Duration passed);
};

// How often a limit was reached.
struct LimitStatus {
  std::string_view key;  // in `limits` of the configuration
  std::uint64_t reached = 0;
};

// A bridge; or, as `disabled`, a buffer from which none sends.
struct BridgeStatus {
  std::string name;
  bridge::Snapshot snapshot;
};

// Topics that are watched; see SilenceWatch.
struct SilentTopic {
  std::string topic;
  Instant last{};   // when it was heard
  Instant since{};  // when it should have been heard again
};
struct SilenceStatus {
  std::uint64_t topics = 0;
  std::uint64_t over_limit = 0;  // messages on topics beyond those
  std::vector<SilentTopic> silent;
};

// What asks for a person; see Alarms.
struct Alarm {
  enum class Severity : std::uint8_t { Error, Warning };  // the worse first

  std::string id;
  Severity severity = Severity::Warning;
  Instant since{};
  std::string about;  // with `what` a sentence
  std::string what;
  std::string todo;
};
std::string_view name(Alarm::Severity severity);

struct StatusModel {
  StatusMoment moment;
  GatewayFacts gateway;
  std::vector<ListenerStatus> listeners;
  std::vector<CertificateStatus> certificates;
  LinkStats links;
  ClientStatus clients;
  RetainedStatus retained;
  StoreStatus store;
  MemoryStatus memory;
  ClockStatus clock;
  TimingStatus timing;
  broker::Stats stats;
  broker::Books sessions;  // of all persistent sessions
  LoadStatus load;
  std::vector<BridgeStatus> bridges;
  SilenceStatus silence;
  std::vector<Alarm> alarms;  // as of the last look, the worst first

  std::array<LimitStatus, 17> limits() const;
  // By connections and by the queues of sessions.
  std::uint64_t messages_dropped() const;
};

std::string_view name(broker::StoreState state);

}  // namespace furrow::gateway
