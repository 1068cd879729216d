// What one simulated world consists of, and which faults strike it how often: drawn from its seed, or set by a
// scenario.
//
// Swarm: each world turns some faults and features off and others far up, so that a fault is also met without the
// others hiding it. Source: Groce et al., "Swarm Testing", ISSTA 2012.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/random.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/session/outbox.h"
#include "tests/sim/mutation.h"

namespace furrow::sim {

enum class Fault : std::uint8_t {
  ClientCut,      // the connection of a client breaks
  ClientSilence,  // it goes silent, and nobody is told
  ClientAway,     // a client is away for a while
  UplinkCut,
  UplinkSilence,
  UplinkOutage,        // no connection to the region for a while
  RegionRestart,       // the region keeps its sessions
  RegionForgets,       // it loses them
  GatewayKill,         // the process ends; the machine and its page cache live on
  PowerCut,            // the machine ends; what was not synced is lost or torn, the wall clock is wrong after boot
  GatewayRestart,      // a clean stop
  DiskStall,           // nothing becomes durable for a while
  DiskFull,            // nothing can be written for a while
  ClockJump,           // the wall clock jumps ten years ahead or back
  RegionFull,          // the region answers messages with 0x97 for a while, where its version can
  ClientLeaves,        // a client with a will says DISCONNECT
  ClientDies,          // a client with a will never comes back
  MemberRenewed,       // the session of a member of the shared subscription ends, and begins anew
  SyncFails,           // the medium takes what is written, and cannot sync it, for a while
  MemberUnsubscribes,  // a member of the shared subscription unsubscribes, and subscribes again later
  BridgeRemade,        // the bridge is taken away and made anew on its buffer, with its rules in another order
};
inline constexpr std::size_t kFaults = 21;
std::string_view name(Fault fault);

struct Options {
  std::uint64_t seed = 1;
  std::size_t gateways = 1;
  std::size_t sensors = 3;                // of each gateway
  std::size_t retainers = 0;              // of each gateway: sensors whose messages are retained
  std::size_t subscribers = 0;            // of each gateway, with persistent sessions
  std::uint32_t messages = 100;           // of each sensor
  std::uint32_t commands = 0;             // messages from the region to each gateway
  bool shared = false;                    // some topics are shared by all gateways, up and down
  bool exactly_once = false;              // everything travels at QoS 2
  std::size_t padding = 0;                // bytes of a payload, beyond what names it
  std::optional<std::uint32_t> expiry_s;  // of some streams
  mqtt::Version region_version = mqtt::Version::V5;
  std::uint16_t receive_maximum = 20;  // of the region
  std::uint16_t topic_alias_maximum = 10;
  Duration answer_after{};  // how long a receiver takes to answer a message, at most
  bool sqlite = false;      // the real store on a simulated disk; else the model in memory
  Duration commit_time_max = std::chrono::milliseconds(20);
  broker::OutboxLimits buffer;  // of bridges
  broker::OutboxLimits sessions{.messages_max = 0, .bytes_max = 0, .age_max = {}, .when_full = {}};
  std::size_t commit_waiting_bytes = 16 * MiB;
  bool warm_up = false;                       // no fault before everybody is connected and subscribed
  bool last_crash = false;                    // phase two begins with a power cut of every gateway
  std::array<Duration, kFaults> mean_time{};  // between two strikes of a fault; 0 = never
  Mutation mutation = Mutation::None;
  std::size_t qos0_sensors = 0;     // of each gateway, beside the others: their messages may be lost, and not repeated
  bool buffer_qos0 = false;         // bridges keep what those send while they are offline
  std::size_t mortals = 0;          // of each gateway: clients with a will that do nothing else
  unsigned deletions = 0;           // percent of what retainers publish: an empty payload takes the value away
  std::size_t members = 0;          // of each gateway: of its shared subscription
  std::size_t passing_members = 0;  // beside them: members whose sessions end with their connections
  bool second_group = false;        // members are members of another group of the same filter, too
  bool overlap = false;             // and have a subscription of their own to it
  std::uint16_t inflight = 100;     // `limits.inflight` of gateways; sensors send up to 20 at once, whatever that says
  std::size_t passing_mortals = 0;  // of the mortals: those that leave no session
  bool retained_wills = false;
  bool last_stop = false;    // phase two begins with a stop of every gateway
  std::size_t values = 0;    // of each gateway: retained messages, for readers that subscribe once they are there
  std::size_t readers = 0;   // of those
  Duration thinned_every{};  // of each topic, no more than one message goes up in so long; 0 = all
  bool numbered = false;     // what goes up says its number
  bool doubled = false;      // what sensors publish at QoS 2 comes a second way, too, under the same ids
  bool priorities = false;   // rules have different ones
  bool live_first = false;   // what comes while a backlog waits goes up before it
  bool keep_latest = false;  // of what waits only the newest of each topic goes up
  std::uint32_t paced = 0;   // so many messages a second of a gateway go up, but for those of priorities; 0 = no limit
  bool wanted = false;       // of commands only what somebody is subscribed to comes down
  bool poison = false;       // the region ends the connection when it gets a certain message of each gateway
  bool verbose = false;

  Duration& every(Fault fault) { return mean_time[static_cast<std::size_t>(fault)]; }
  Duration every(Fault fault) const { return mean_time[static_cast<std::size_t>(fault)]; }
  bool has(Fault fault) const { return every(fault) > Duration::zero(); }
  // Of one message, with its topic, its properties, and what names its payload; at most.
  std::size_t message_bytes_max() const { return padding + 200; }
  // What one costs while it waits for the store, beside its bytes; at most.
  static constexpr std::size_t kWaitingOverhead = 400;
  // Whether messages may be dropped or may expire.
  bool limited() const;
  // Whether values give way to newer ones.
  bool thins() const { return thinned_every > Duration::zero() || keep_latest; }
  // Without faults and limits: QoS 0 arrives, too.
  bool calm() const;
  // Whether sessions end before their time.
  bool renews() const { return members > 0 && (passing_members > 0 || has(Fault::MemberRenewed)); }
  // Whether publishers may be told that a message is not taken.
  bool refuses() const;
};

Options draw_options(std::uint64_t seed);
// A time that is `mean` on average, and not nothing.
Duration drawn(Random& random, Duration mean);
// A world with the real store and little else than power cuts.
Options draw_power_cuts(std::uint64_t seed);
std::string describe(const Options& options);

}  // namespace furrow::sim
