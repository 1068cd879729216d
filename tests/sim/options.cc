#include "tests/sim/options.h"

#include <algorithm>

namespace furrow::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// How often a fault strikes where it does, in mean time between.
struct FaultRange {
  std::string_view name;
  unsigned percent;  // of the worlds that have it
  Duration often;
  Duration seldom;
};
// clang-format off
constexpr std::array<FaultRange, kFaults> kRanges = {{
    {"client_cut", 60, milliseconds(200), seconds(5)},
    {"client_silence", 20, seconds(2), seconds(20)},
    {"client_away", 40, milliseconds(500), seconds(5)},
    {"uplink_cut", 60, milliseconds(300), seconds(5)},
    {"uplink_silence", 40, seconds(5), seconds(60)},
    {"uplink_outage", 60, seconds(2), seconds(30)},
    {"region_restart", 50, seconds(1), seconds(20)},
    {"region_forgets", 5, seconds(5), seconds(20)},
    {"gateway_kill", 50, milliseconds(500), seconds(10)},
    {"power_cut", 50, milliseconds(500), seconds(10)},
    {"gateway_restart", 20, seconds(1), seconds(10)},
    {"disk_stall", 50, seconds(1), seconds(10)},
    {"disk_full", 15, seconds(2), seconds(10)},
    {"clock_jump", 30, seconds(1), seconds(10)},
    {"region_full", 15, seconds(2), seconds(20)},
    {"client_leaves", 60, milliseconds(300), seconds(3)},
    {"client_dies", 50, seconds(1), seconds(10)},
    {"member_renewed", 60, milliseconds(300), seconds(3)},
    {"sync_fails", 10, seconds(2), seconds(10)},
    {"member_unsubscribes", 50, milliseconds(300), seconds(3)},
    {"bridge_remade", 15, milliseconds(300), seconds(3)},
}};
// clang-format on

Duration drawn_time(Random& random, const FaultRange& range) {
  if (!random.chance(range.percent)) return {};
  return random.chance(30) ? range.often : range.seldom;
}

Duration drawn_time(Random& random, Fault fault) {
  return drawn_time(random, kRanges[static_cast<std::size_t>(fault)]);
}

// `message_bytes`: of the largest message, several of which fit.
void draw_limits(Random& random, std::size_t message_bytes, broker::OutboxLimits& limits) {
  using broker::WhenFull;
  limits.when_full = random.chance(50) ? WhenFull::DropOldest : WhenFull::DropNewest;
  if (random.chance(70)) limits.messages_max = 5 + random.below(50);
  if (random.chance(30)) limits.bytes_max = (3 + random.below(40)) * message_bytes;
  if (random.chance(30)) limits.age_max = milliseconds(200 + random.below(5000));
}

void make_calm(Options& options) {
  options.mean_time = {};
  options.buffer = options.sessions = {};
  options.expiry_s.reset();
  options.last_crash = false;
  options.warm_up = true;
}

std::string text(Duration time) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(time).count()) + "ms";
}

std::string describe(const broker::OutboxLimits& limits) {
  static constexpr std::array<std::string_view, 3> kPolicies = {"drop-oldest", "drop-newest", "refuse"};
  return std::to_string(limits.messages_max) + "/" + std::to_string(limits.bytes_max) + "B/" + text(limits.age_max) +
         "/" + std::string(kPolicies[static_cast<std::size_t>(limits.when_full)]);
}

bool is_limited(const broker::OutboxLimits& limits) {
  return limits.messages_max > 0 || limits.bytes_max > 0 || limits.age_max > Duration::zero();
}

}  // namespace

std::string_view name(Fault fault) {
  return kRanges[static_cast<std::size_t>(fault)].name;
}

bool Options::limited() const {
  return is_limited(buffer) || is_limited(sessions) || expiry_s.has_value();
}

bool Options::calm() const {
  const bool faults = std::ranges::any_of(mean_time, [](Duration mean) { return mean > Duration::zero(); });
  return warm_up && !faults && !last_crash && !limited();
}

bool Options::refuses() const {
  return has(Fault::DiskFull) || has(Fault::SyncFails) || has(Fault::RegionFull) ||
         (buffer.when_full == broker::WhenFull::Refuse && limited());
}

Duration drawn(Random& random, Duration mean) {
  return Duration(static_cast<std::int64_t>(random.below(2 * static_cast<std::uint64_t>(mean.count())))) +
         milliseconds(1);
}

Options draw_options(std::uint64_t seed) {
  Random random(seed * 0x9E37 + 1);
  Options options;
  options.seed = seed;
  options.gateways = random.chance(20) ? 2 + random.below(2) : 1;
  options.sensors = 1 + random.below(4);
  options.retainers = random.chance(40) ? 1 + random.below(2) : 0;
  options.subscribers = random.chance(50) ? 1 + random.below(2) : 0;
  options.messages = 20 + static_cast<std::uint32_t>(random.below(random.chance(80) ? 100 : 400));
  options.commands = random.chance(40) ? 10 + static_cast<std::uint32_t>(random.below(100)) : 0;
  options.exactly_once = random.chance(25);
  options.padding = random.chance(15) ? 2000 + random.below(3000) : random.below(50);
  options.region_version = random.chance(30) ? mqtt::Version::V3_1_1 : mqtt::Version::V5;
  options.receive_maximum = static_cast<std::uint16_t>(1 + random.below(random.chance(50) ? 8 : 200));
  options.topic_alias_maximum = static_cast<std::uint16_t>(random.below(4));
  options.answer_after = random.chance(50) ? Duration{} : milliseconds(1 + random.below(300));
  options.sqlite = random.chance(40);
  options.commit_time_max = milliseconds(random.chance(20) ? 500 : 1 + random.below(40));
  if (random.chance(25))
    options.expiry_s = static_cast<std::uint32_t>(random.chance(50) ? 1 + random.below(5) : 36'000);
  if (random.chance(15)) draw_limits(random, options.padding + 100, options.buffer);
  if (random.chance(30)) options.buffer.when_full = broker::WhenFull::Refuse;
  if (random.chance(10)) draw_limits(random, options.padding + 100, options.sessions);
  if (random.chance(10)) options.commit_waiting_bytes = 10'000;
  options.shared = options.gateways > 1 && !options.limited();
  options.warm_up = options.shared || random.chance(30);
  options.last_crash = random.chance(50);
  for (std::size_t i = 0; i < static_cast<std::size_t>(Fault::ClientLeaves); ++i) {
    options.mean_time[i] = drawn_time(random, kRanges[i]);
  }
  if (options.shared && options.region_version == mqtt::Version::V3_1_1) {
    // Closes in the middle of five handshakes pass for a refusal of the bridge bit; then the region echoes.
    for (const Fault fault : {Fault::UplinkCut, Fault::UplinkOutage, Fault::RegionRestart}) options.every(fault) = {};
  }
  // Drawn anew below for commands; between gateways nobody could say whether we had lost a message, or the region.
  if (options.shared || options.commands > 0) options.every(Fault::RegionForgets) = {};
  // New draws come last, so that seeds go on to mean what they meant.
  if (options.retainers > 0 && random.chance(50)) options.deletions = 10 + static_cast<unsigned>(random.below(50));
  if (random.chance(30)) {
    options.qos0_sensors = 1;
    options.buffer_qos0 = random.chance(40);
    if (random.chance(15)) make_calm(options);
  }
  if (random.chance(30)) {
    options.mortals = 1 + random.below(3);
    for (const Fault fault : {Fault::ClientLeaves, Fault::ClientDies}) {
      if (!options.calm()) options.every(fault) = drawn_time(random, fault);
    }
  }
  if (random.chance(25)) {
    options.members = 2 + random.below(2);
    if (!options.calm()) options.every(Fault::MemberRenewed) = drawn_time(random, Fault::MemberRenewed);
  }
  if (!options.calm()) options.every(Fault::SyncFails) = drawn_time(random, Fault::SyncFails);
  // A queue of such messages does not stay in memory. A limit of bytes would be less than one of them.
  if (random.chance(2) && options.buffer.bytes_max == 0 && options.sessions.bytes_max == 0) {
    options.padding = 20'000 + random.below(20'000);
    options.messages = std::min<std::uint32_t>(options.messages, 40);
  }
  if (options.members > 0) {
    options.passing_members = random.chance(40) ? 1 + random.below(2) : 0;
    // Before the first durable member is there, a group is as passing as the members that it has.
    options.warm_up = options.warm_up || options.passing_members > 0;
    options.second_group = random.chance(30);
    options.overlap = random.chance(30);
    if (!options.calm()) options.every(Fault::MemberUnsubscribes) = drawn_time(random, Fault::MemberUnsubscribes);
  }
  if (random.chance(20)) options.inflight = static_cast<std::uint16_t>(1 + random.below(6));
  if (options.mortals > 0) {
    options.passing_mortals = random.below(options.mortals + 1);
    options.retained_wills = random.chance(50);
    options.last_stop = !options.calm() && !options.last_crash && random.chance(60);
  }
  // What it does to commands only shows when a gateway ends while others are under way, and somebody misses them.
  if (options.commands > 0 && !options.shared && !options.calm() && random.chance(40)) {
    options.every(Fault::RegionForgets) = milliseconds(200 + random.below(2000));
    if (random.chance(50)) options.every(Fault::GatewayKill) = milliseconds(200 + random.below(1000));
    options.subscribers = std::max<std::size_t>(options.subscribers, 1);
    options.commands += 100;
  }
  if (random.chance(20)) {
    options.values = 30 + random.below(100);
    options.readers = 1 + random.below(2);
    // Fewer than there are values; what is published live may then be dropped.
    if (!options.shared && !options.calm() && random.chance(50)) {
      options.sessions.messages_max = 10 + random.below(options.values - 10);
    }
  }
  if (!options.calm()) options.every(Fault::BridgeRemade) = drawn_time(random, Fault::BridgeRemade);
  if (!options.shared && !options.calm() && random.chance(12)) {
    options.thinned_every = milliseconds(50 + random.below(1500));
  }
  options.numbered = options.region_version == mqtt::Version::V5 && random.chance(20);
  options.priorities = random.chance(20);
  options.live_first = random.chance(10);
  options.keep_latest = !options.shared && !options.calm() && random.chance(12);
  options.poison = !options.calm() && !options.thins() && random.chance(15);
  if (!options.calm() && random.chance(12)) options.paced = static_cast<std::uint32_t>(20 + random.below(200));
  options.wanted = options.commands > 0 && !options.shared && random.chance(50);
  options.doubled = !options.limited() && !options.refuses() && !options.thins() && random.chance(60);
  return options;
}

Options draw_power_cuts(std::uint64_t seed) {
  Options options = draw_options(seed);
  Random random(seed);
  options.sqlite = true;
  options.mean_time = {};
  options.every(Fault::PowerCut) = milliseconds(100 + random.below(400));
  options.every(Fault::UplinkOutage) = seconds(1 + random.below(5));
  options.gateways = 1;
  options.shared = false;
  options.commit_time_max = milliseconds(1 + random.below(40));
  options.answer_after = {};
  return options;
}

std::string describe(const Options& options) {
  std::string line =
      "gateways=" + std::to_string(options.gateways) + " sensors=" + std::to_string(options.sensors) +
      " retainers=" + std::to_string(options.retainers) + " subscribers=" + std::to_string(options.subscribers) +
      " messages=" + std::to_string(options.messages) + " commands=" + std::to_string(options.commands) +
      " padding=" + std::to_string(options.padding) +
      " region=" + (options.region_version == mqtt::Version::V5 ? "5" : "3.1.1") +
      " receive_maximum=" + std::to_string(options.receive_maximum) +
      " aliases=" + std::to_string(options.topic_alias_maximum) + " answer=" + text(options.answer_after) +
      " commit=" + text(options.commit_time_max) + (options.sqlite ? " sqlite" : " memory");
  if (options.shared) line += " shared";
  if (options.exactly_once) line += " exactly_once";
  if (options.expiry_s) line += " expiry=" + std::to_string(*options.expiry_s) + "s";
  if (is_limited(options.buffer)) line += " buffer=" + describe(options.buffer);
  if (is_limited(options.sessions)) line += " sessions=" + describe(options.sessions);
  if (options.commit_waiting_bytes < MiB) line += " commit_waiting=" + std::to_string(options.commit_waiting_bytes);
  if (options.inflight != Options{}.inflight) line += " inflight=" + std::to_string(options.inflight);
  if (options.mortals > 0) line += " mortals=" + std::to_string(options.mortals);
  if (options.passing_mortals > 0) line += " passing_mortals=" + std::to_string(options.passing_mortals);
  if (options.retained_wills) line += " retained_wills";
  if (options.members > 0) line += " members=" + std::to_string(options.members);
  if (options.passing_members > 0) line += " passing_members=" + std::to_string(options.passing_members);
  if (options.second_group) line += " second_group";
  if (options.overlap) line += " overlap";
  if (options.values > 0) {
    line += " values=" + std::to_string(options.values) + " readers=" + std::to_string(options.readers);
  }
  if (options.qos0_sensors > 0) line += options.buffer_qos0 ? " qos0=buffered" : " qos0";
  if (options.thinned_every > Duration::zero()) line += " every=" + text(options.thinned_every);
  if (options.numbered) line += " numbered";
  if (options.doubled) line += " doubled";
  if (options.priorities) line += " priorities";
  if (options.live_first) line += " live_first";
  if (options.keep_latest) line += " keep_latest";
  if (options.paced > 0) line += " paced=" + std::to_string(options.paced);
  if (options.poison) line += " poison";
  if (options.wanted) line += " wanted";
  if (options.calm()) line += " calm";
  if (options.deletions > 0) line += " deletions=" + std::to_string(options.deletions) + "%";
  if (options.warm_up) line += " warm_up";
  if (options.last_crash) line += " last_crash";
  if (options.last_stop) line += " last_stop";
  if (options.mutation != Mutation::None) line += " mutation=" + std::string(name(options.mutation));
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (options.mean_time[i] > Duration::zero())
      line += " " + std::string(kRanges[i].name) + "=" + text(options.mean_time[i]);
  }
  return line;
}

}  // namespace furrow::sim
