#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>

#include "broker-core/limits.h"
#include "tests/sim/sqlite_medium.h"

namespace furrow::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kWarmUpMax = seconds(60);
constexpr Duration kPhaseOneMax = seconds(600);
constexpr Duration kPatience = seconds(120);  // in phase two, for the next message to arrive
// Where a message has to be set aside: a crash may leave it in two places, and the second is for later.
constexpr Duration kPatienceWithPoison = std::chrono::minutes(20);
// A file of more than this of which little is in use is made small after a while without commits.
constexpr std::uint64_t kFileSmall = 16 * MiB;
constexpr Duration kRestMax = seconds(60);
constexpr Duration kRestartGrace = seconds(62);  // after a start, for clients to come back before their wills leave
constexpr Duration kStopMax = seconds(10);
constexpr std::size_t kPassersBy = 3;
// Until nothing lingers that nobody wants any more: a minute after the last start, and what a new connection takes.
constexpr Duration kWantsMax = seconds(180);
constexpr std::uint64_t kStepsMax = 5'000'000;
constexpr Duration kYears10 = std::chrono::hours(24 * 365 * 10);

mqtt::Version drawn_version(Random& random) {
  return random.chance(50) ? mqtt::Version::V5 : mqtt::Version::V3_1_1;
}

// Whether QoS 0 arrives, too: without faults, if all that clients publish at a gateway fits into the output of one
// connection, and may wait for the store. More than that at once is missed by who is not written to meanwhile, or by a
// bridge that buffers it.
bool demands_qos0(const Options& options) {
  const std::size_t publishers = options.sensors + options.retainers + options.qos0_sensors;
  const std::size_t messages = publishers * options.messages;
  return options.calm() && messages * options.message_bytes_max() <= broker::kOutputBytesMax &&
         messages * (options.message_bytes_max() + Options::kWaitingOverhead) <= options.commit_waiting_bytes;
}

std::string site_name(std::size_t index) {
  return "gateway-" + std::to_string(index);
}

}  // namespace

void SimLog::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    line += " " + std::string(field.name) + "=" +
            (field.is_number ? std::to_string(field.number) : std::string(field.text));
  }
  if (verbose_) std::printf("%12.3f %s\n", static_cast<double>(now_.time_since_epoch().count()) / 1e6, line.c_str());
  if (level == LogLevel::Error) ledger_.fail("logged as error: " + line);
}

// --- who is there ---

World::World(const Options& options)
    : options_(options),
      random_(options.seed),
      log_(ledger_, options.verbose),
      region_({.v5 = options.region_version == mqtt::Version::V5,
               .receive_maximum = options.receive_maximum,
               .topic_alias_maximum = options.topic_alias_maximum,
               .answer_after = options.answer_after,
               .thinned = options.thins() && !options.limited()},
              options.mutation, ledger_, random_) {
  next_strike_.fill(kNever);
  if (demands_qos0(options_)) ledger_.demand_qos0();
  if (options_.buffer_qos0 || options_.paced > 0) ledger_.allow_qos0_revival();
  if (options_.limited() || options_.thins()) ledger_.allow_drops();
  if (options_.refuses()) ledger_.allow_refusals();
  sites_.resize(options_.gateways);
  for (std::size_t i = 0; i < sites_.size(); ++i) add_streams(sites_[i], i);
  for (std::size_t i = 0; i < sites_.size(); ++i) build_site(i);
  // What is live overtakes, on the way to the region and what comes back from there.
  if (options_.live_first) ledger_.lift_orders();
}

World::~World() = default;

mqtt::Qos World::drawn_qos() {
  return options_.exactly_once || random_.chance(50) ? mqtt::Qos::ExactlyOnce : mqtt::Qos::AtLeastOnce;
}

void World::add_streams(Site& site, std::size_t index) {
  const std::string name = site_name(index);
  for (std::size_t i = 0; i < options_.sensors; ++i) {
    Ledger::Stream stream{.topic = "farm/" + name + "/" + std::to_string(i), .qos = drawn_qos()};
    if (random_.chance(50)) stream.expiry_s = options_.expiry_s;
    site.farm.push_back(ledger_.add_stream(stream));
  }
  for (std::size_t i = 0; i < options_.retainers; ++i) {
    site.retained.push_back(ledger_.add_stream(
        {.topic = "farm/" + name + "/state-" + std::to_string(i), .qos = drawn_qos(), .retain = true}));
    site.farm.push_back(site.retained.back());
  }
  for (std::size_t i = 0; i < options_.qos0_sensors; ++i) {
    site.farm.push_back(
        ledger_.add_stream({.topic = "farm/" + name + "/qos0-" + std::to_string(i), .qos = mqtt::Qos::AtMostOnce}));
  }
  for (std::size_t i = 0; i < options_.mortals; ++i) {
    site.wills.push_back(ledger_.add_stream({.topic = "farm/" + name + "/will-" + std::to_string(i),
                                             .qos = drawn_qos(),
                                             .retain = options_.retained_wills,
                                             .will = true}));
    site.farm.push_back(site.wills.back());
  }
  for (std::size_t i = 0; i < options_.values; ++i) {
    site.values.push_back(
        ledger_.add_stream({.topic = "values/" + std::to_string(i), .qos = drawn_qos(), .retain = true}));
  }
  if (options_.shared) site.shared.push_back(ledger_.add_stream({.topic = "shared/" + name, .qos = drawn_qos()}));
  if (options_.commands > 0) site.command = ledger_.add_stream({.topic = "command/" + name, .qos = drawn_qos()});
}

void World::build_site(std::size_t index) {
  Site& site = sites_[index];
  const std::string name = site_name(index);
  const std::string prefix = std::string(kSharedPrefix) + name + "/";
  site.bridge_account = ledger_.add_account("the bridge of " + name);
  site.session_account = ledger_.add_account("the sessions of " + name);
  site.region = ledger_.add_receiver("the region, from " + name, site.bridge_account);
  for (const std::vector<StreamId>* streams : {&site.farm, &site.shared}) {
    for (const StreamId stream : *streams) {
      ledger_.allow(stream, site.region, mqtt::Qos::ExactlyOnce);
      ledger_.expect(stream, site.region);
    }
  }
  region_.add_bridge(name, prefix, site.region);
  if (options_.poison) region_.add_poison(site.farm.front(), static_cast<std::uint32_t>(options_.messages / 2));
  site.gateway = std::make_unique<Gateway>(Gateway::Setup{.name = name, .remote_prefix = prefix}, options_,
                                           make_medium(), region_, ledger_, log_, random_, now_);
  add_mortals(site, index);
  add_publishers(site, index);
  for (std::size_t i = 0; i < options_.subscribers; ++i) add_subscriber(site, index, i);
  add_readers(site, index);
  add_members(site, index);
  add_passers_by(site, index);
  add_auditor(site, index);
  site.retry.resize(site.clients.size() + 1, now_);
}

std::unique_ptr<Medium> World::make_medium() {
  if (options_.sqlite) return std::make_unique<SqliteMedium>(log_, ledger_, random_);
  return std::make_unique<MemoryMedium>(random_);
}

// Before all others: they must see the end of their connections before anybody can get the will.
void World::add_mortals(Site& site, std::size_t index) {
  for (const StreamId stream : site.wills) {
    Client::Options mortal;
    mortal.id = site_name(index) + "-mortal-" + std::to_string(site.clients.size());
    mortal.version = drawn_version(random_);
    const bool delayed = mortal.version == mqtt::Version::V5 && random_.chance(50);
    mortal.will = {.stream = stream, .delay_s = delayed ? 1 + static_cast<std::uint32_t>(random_.below(4)) : 0};
    mortal.clean = site.clients.size() < options_.passing_mortals;
    if (mortal.clean) {
      mortal.will->delay_s = 0;  // the session ends first
      mortal.will->stored_after = will_stored_after();
    }
    site.clients.push_back(std::make_unique<Client>(std::move(mortal), options_.mutation, ledger_, random_));
  }
}

// What is refused is not demanded.
bool World::mourned() const {
  return !options_.refuses();
}

// Of a client that leaves no session: the gateway takes a second, then the batch at the writer and the next one. A disk
// that stalls takes as long as it wants.
Duration World::will_stored_after() const {
  if (options_.has(Fault::DiskStall)) return kNever - Instant{};
  return seconds(1) + 2 * options_.commit_time_max + milliseconds(100);
}

void World::add_publishers(Site& site, std::size_t index) {
  for (const std::vector<StreamId>* streams : {&site.farm, &site.shared}) {
    for (const StreamId stream : *streams) {
      if (ledger_.stream(stream).will) continue;
      Client::Options sensor;
      sensor.id = site_name(index) + "-sensor-" + std::to_string(site.clients.size());
      sensor.version = drawn_version(random_);
      sensor.window = 1 + random_.below(20);
      sensor.publishes.push_back({.stream = stream,
                                  .messages = options_.messages,
                                  .interval = milliseconds(random_.below(50)),
                                  .padding = options_.padding,
                                  .deletions = ledger_.stream(stream).retain ? options_.deletions : 0});
      std::optional<Client::Options> twin;
      if (options_.doubled && stream_is_doubled(stream)) twin = twin_of(sensor);
      site.clients.push_back(std::make_unique<Client>(std::move(sensor), options_.mutation, ledger_, random_));
      if (!twin) continue;
      site.clients.push_back(std::make_unique<Client>(*std::move(twin), options_.mutation, ledger_, random_));
    }
  }
}

bool World::stream_is_doubled(StreamId stream) const {
  return ledger_.stream(stream).qos == mqtt::Qos::ExactlyOnce && !ledger_.stream(stream).retain;
}

// The bridges of two neighbours, which bring the same messages.
Client::Options World::twin_of(Client::Options& sensor) {
  sensor.version = mqtt::Version::V5;
  sensor.gateway = "east";
  sensor.publishes.front().origin = "field-" + std::to_string(sensor.publishes.front().stream);
  Client::Options twin = sensor;
  twin.id += "-twin";
  twin.gateway = "west";
  twin.window = 1 + random_.below(20);
  twin.publishes.front().copies = true;
  twin.publishes.front().interval = milliseconds(random_.below(200));
  return twin;
}

void World::add_subscriber(Site& site, std::size_t index, std::size_t number) {
  Client::Options subscriber;
  subscriber.id = site_name(index) + "-subscriber-" + std::to_string(number);
  subscriber.version = drawn_version(random_);
  subscriber.receiver = ledger_.add_receiver(subscriber.id, site.session_account);
  subscriber.receive_maximum = static_cast<std::uint16_t>(1 + random_.below(20));
  subscriber.answer_after = options_.answer_after;
  const mqtt::Qos qos = drawn_qos();
  subscriber.subscribes.push_back({.filter = "farm/#", .qos = qos, .streams = site.farm});
  if (options_.commands > 0) {
    const std::string filter = options_.wanted ? ledger_.stream(site.command).topic : "command/#";
    subscriber.subscribes.push_back({.filter = filter, .qos = qos, .streams = {site.command}});
  }
  if (options_.shared) {
    std::vector<StreamId> all;
    for (const Site& other : sites_) all.insert(all.end(), other.shared.begin(), other.shared.end());
    subscriber.subscribes.push_back({.filter = "shared/#", .qos = qos, .streams = all});
  }
  site.clients.push_back(std::make_unique<Client>(std::move(subscriber), options_.mutation, ledger_, random_));
}

void World::add_readers(Site& site, std::size_t index) {
  site.archivist = site.clients.size();
  if (options_.values > 0) {
    Client::Options archivist;
    archivist.id = site_name(index) + "-archivist";
    archivist.window = 20;
    for (const StreamId value : site.values) archivist.publishes.push_back({.stream = value, .messages = 1});
    site.clients.push_back(std::make_unique<Client>(std::move(archivist), options_.mutation, ledger_, random_));
  }
  site.first_reader = site.clients.size();
  for (std::size_t i = 0; i < options_.readers; ++i) {
    Client::Options reader;
    reader.id = site_name(index) + "-reader-" + std::to_string(i);
    reader.receiver = ledger_.add_receiver(reader.id, site.session_account);
    reader.receive_maximum = static_cast<std::uint16_t>(1 + random_.below(20));
    reader.answer_after = options_.answer_after;
    reader.subscribes.push_back({.filter = "values/#", .qos = drawn_qos(), .streams = site.values});
    site.clients.push_back(std::make_unique<Client>(std::move(reader), options_.mutation, ledger_, random_));
  }
}

// They make the bridge say something. Some want what is never published; the last one wants all that there is, or comes
// just before everything is healed.
void World::add_passers_by(Site& site, std::size_t index) {
  site.first_passer_by = site.clients.size();
  if (options_.wanted && random_.chance(50)) site.latecomer = site.first_passer_by + kPassersBy - 1;
  for (std::size_t i = 0; options_.wanted && i < kPassersBy; ++i) {
    Client::Options passer_by;
    passer_by.id = site_name(index) + "-passer-by-" + std::to_string(i);
    passer_by.version = drawn_version(random_);
    passer_by.clean = true;
    passer_by.receiver = ledger_.add_receiver(passer_by.id, site.session_account);
    const std::string topic = i + 1 < kPassersBy || site.latecomer ? std::to_string(i) : "#";
    passer_by.subscribes.push_back({.filter = "command/+/" + topic, .qos = drawn_qos(), .streams = {}});
    ledger_.allow(site.command, passer_by.receiver, mqtt::Qos::AtLeastOnce);
    ledger_.lift_order(passer_by.receiver);
    site.clients.push_back(std::make_unique<Client>(std::move(passer_by), options_.mutation, ledger_, random_));
  }
}

void World::add_members(Site& site, std::size_t index) {
  site.first_member = site.clients.size();
  if (options_.members == 0) return;
  const std::string name = site_name(index) + "-crew";
  for (std::size_t group = 0; group < (options_.second_group ? 2U : 1U); ++group) {
    site.crews.push_back(ledger_.add_receiver(name + "-" + std::to_string(group), site.session_account));
    ledger_.lift_order(site.crews.back());
  }
  const mqtt::Qos qos = drawn_qos();
  for (std::size_t i = 0; i < options_.members; ++i) add_member(site, name + "-" + std::to_string(i), false, qos);
  for (std::size_t i = 0; i < options_.passing_members; ++i) {
    add_member(site, name + "-passing-" + std::to_string(i), true, qos);
  }
}

void World::add_member(Site& site, const std::string& id, bool passing, mqtt::Qos qos) {
  Client::Options member;
  member.id = id;
  member.clean = passing;
  member.receive_maximum = static_cast<std::uint16_t>(1 + random_.below(20));
  member.answer_after = options_.answer_after;
  // A passing session ends in a crash: what is published again then is new to it.
  if (options_.overlap && !passing) {
    const ReceiverId itself = ledger_.add_receiver(id + " itself", site.session_account);
    member.subscribes.push_back({.filter = "farm/#", .qos = qos, .streams = site.farm, .receiver = itself});
  }
  for (std::size_t group = 0; group < site.crews.size(); ++group) {
    member.subscribes.push_back({.filter = "$share/crew-" + std::to_string(group) + "/farm/#",
                                 .qos = qos,
                                 .streams = site.farm,
                                 .receiver = site.crews[group]});
  }
  site.clients.push_back(std::make_unique<Client>(std::move(member), options_.mutation, ledger_, random_));
}

void World::add_auditor(Site& site, std::size_t index) {
  Client::Options auditor;
  auditor.id = site_name(index) + "-auditor";
  auditor.clean = true;
  auditor.receiver = ledger_.add_receiver(auditor.id, site.session_account);
  auditor.subscribes.push_back({.filter = "farm/#", .qos = mqtt::Qos::AtMostOnce, .streams = site.farm});
  // Granted only after all values of the first have come: then no value means that there is none.
  auditor.subscribes.push_back({.filter = "end-of-values", .qos = mqtt::Qos::AtMostOnce, .streams = {}});
  site.auditor = std::make_unique<Client>(std::move(auditor), options_.mutation, ledger_, random_);
}

// --- what happens ---

bool World::is_early(const Site& site, std::size_t client) const {
  const bool reads = client >= site.first_reader && client < site.first_reader + options_.readers;
  if (client == site.latecomer && !late_) return true;
  return reads && !site.clients[site.archivist]->done();
}

void World::connect_clients(Site& site) {
  for (std::size_t i = 0; i <= site.clients.size(); ++i) {
    const bool is_auditor = i == site.clients.size();
    if (is_auditor ? !auditing() : is_early(site, i)) continue;
    Client& client = is_auditor ? *site.auditor : *site.clients[i];
    if (client.connected() || std::max(site.retry[i], client.away_until()) > now_) continue;
    site.retry[i] = now_ + drawn(random_, milliseconds(100));
    if (LinkRef link = site.gateway->accept(now_)) client.connect(std::move(link), now_);
  }
}

void World::send_commands(Site& site) {
  if (!publishing_ || site.commands_sent == options_.commands || site.next_command > now_) return;
  region_.publish(site.command,
                  std::string(kSharedPrefix) + site.gateway->name() + "/" + ledger_.stream(site.command).topic, now_);
  ++site.commands_sent;
  site.next_command = now_ + drawn(random_, milliseconds(30));
}

Client& World::random_client(Site& site) {
  return *site.clients[random_.below(site.clients.size())];
}

// A member with a durable session without which the groups live on; nothing when one of the others is not settled.
Client* World::spare_member(Site& site) {
  const std::size_t chosen = site.first_member + random_.below(options_.members);
  for (std::size_t i = site.first_member; i < site.first_member + options_.members; ++i) {
    if (i != chosen && !site.clients[i]->settled()) return nullptr;
  }
  return site.clients[chosen].get();
}

void World::strike(Fault fault) {
  Site& site = sites_[random_.below(sites_.size())];
  switch (fault) {
    case Fault::ClientCut:
      if (Link* link = random_client(site).link()) link->cut();
      break;
    case Fault::ClientSilence:
      if (Link* link = random_client(site).link()) link->silence();
      break;
    case Fault::ClientAway:
      random_client(site).leave(now_ + drawn(random_, seconds(1)));
      break;
    case Fault::ClientLeaves:
      site.clients[random_.below(options_.mortals)]->say_goodbye(now_ + drawn(random_, seconds(1)), now_);
      break;
    case Fault::ClientDies:
      site.clients[random_.below(options_.mortals)]->die(mourned(), now_);
      break;
    case Fault::MemberRenewed:
      if (Client* member = spare_member(site)) member->renew();
      break;
    case Fault::MemberUnsubscribes:
      if (Client* member = spare_member(site); member != nullptr && member->settled()) {
        member->unsubscribe(drawn(random_, milliseconds(200)), now_);
      }
      break;
    case Fault::UplinkCut:
      if (Link* link = site.gateway->uplink()) link->cut();
      break;
    case Fault::UplinkSilence:
      if (Link* link = site.gateway->uplink()) link->silence();
      break;
    case Fault::UplinkOutage:
      site.gateway->set_outage(now_ + drawn(random_, seconds(2)));
      break;
    case Fault::RegionRestart:
      region_.restart(false);
      break;
    case Fault::RegionFull:
      region_.fill(now_ + drawn(random_, seconds(2)));
      break;
    case Fault::RegionForgets:
      region_.restart(true);
      for (const Site& each : sites_) ledger_.forgive(each.region);
      break;
    case Fault::GatewayKill:
      site.gateway->crash(Gateway::End::Kill, now_);
      break;
    case Fault::PowerCut:
      site.gateway->crash(Gateway::End::PowerCut, now_);
      break;
    case Fault::GatewayRestart:
      site.gateway->restart(now_);
      break;
    case Fault::DiskStall:
      site.gateway->disk().stall(drawn(random_, seconds(1)));
      break;
    case Fault::DiskFull:
      site.gateway->disk().fill(drawn(random_, seconds(2)));
      break;
    case Fault::SyncFails:
      site.gateway->disk().fail_syncs(drawn(random_, seconds(2)));
      break;
    case Fault::BridgeRemade:
      site.gateway->renew_bridge(now_);
      break;
    case Fault::ClockJump:
      site.gateway->jump_clock(random_.chance(50) ? kYears10 : -kYears10, now_);
      break;
  }
}

void World::strike_faults() {
  if (!faults_) return;
  for (std::size_t i = 0; i < kFaults; ++i) {
    const Duration mean = options_.mean_time[i];
    if (mean == Duration::zero()) continue;
    if (next_strike_[i] <= now_) strike(static_cast<Fault>(i));
    if (next_strike_[i] == kNever || next_strike_[i] <= now_) next_strike_[i] = now_ + drawn(random_, mean);
  }
}

// What the region has been told of just before a crash, the gateway must know after it.
void World::await_latecomers() {
  late_ = true;
  const auto has_come = [&](const Site& site) {
    return site.latecomer &&
           region_.filters_of(site.gateway->name()).find("/+/" + std::to_string(kPassersBy - 1)) != std::string::npos;
  };
  step_until([&] { return std::ranges::any_of(sites_, has_come); }, seconds(2));
}

void World::heal() {
  faults_ = false;
  healed_ = true;
  region_.fill(now_);
  for (Site& site : sites_) {
    site.gateway->heal(now_);
    for (std::size_t i = 0; i < options_.mortals; ++i) {
      if (!options_.calm() && random_.chance(50)) site.clients[i]->die(mourned(), now_);
    }
    for (std::size_t i = site.first_passer_by; i < site.clients.size(); ++i) site.clients[i]->leave(kNever);
    if (options_.last_crash) site.gateway->crash(Gateway::End::PowerCut, now_);
    if (options_.last_stop) site.gateway->restart(now_);
  }
}

Instant World::next_event() const {
  Instant next = region_.next_deadline();
  for (const Site& site : sites_) {
    next = std::min(next, site.gateway->next_deadline());
    for (std::size_t i = 0; i < site.clients.size(); ++i) {
      if (is_early(site, i)) continue;
      const Client& client = *site.clients[i];
      next = std::min(next, client.connected() ? client.next_deadline() : std::max(site.retry[i], client.away_until()));
    }
    if (auditing()) {
      next = std::min(next, site.auditor->connected() ? site.auditor->next_deadline() : site.retry.back());
    }
    if (publishing_ && site.commands_sent < options_.commands) next = std::min(next, site.next_command);
  }
  if (faults_) next = std::min(next, *std::ranges::min_element(next_strike_));
  return next;
}

void World::step() {
  ++steps_;
  // At least a microsecond passes, so that what is due "now" and cannot be done yet does not stop the clock.
  now_ = std::max(now_ + Duration(1), std::min(next_event(), now_ + seconds(1)));
  log_.set_now(now_);
  strike_faults();
  for (Site& site : sites_) {
    connect_clients(site);
    for (const auto& client : site.clients) client->run(now_, publishing_);
    site.auditor->run(now_, false);
    send_commands(site);
  }
  region_.run(now_);
  for (Site& site : sites_) site.gateway->run(now_);
}

// --- the run ---

template <typename Condition>
void World::step_until(Condition condition, Duration time_max) {
  const Instant end = now_ + time_max;
  while (failures().empty() && !condition() && now_ < end && steps_ < kStepsMax) step();
}

// Everybody is connected and subscribed.
bool World::warm() const {
  const std::size_t filters = options_.commands > 0 ? 2 : 1;
  if (options_.shared && !region_.subscribed(filters)) return false;
  return std::ranges::all_of(sites_, [&](const Site& site) {
    for (std::size_t i = 0; i < site.clients.size(); ++i) {
      if (!is_early(site, i) && !site.clients[i]->ready()) return false;
    }
    return site.gateway->online();
  });
}

bool World::published() const {
  return std::ranges::all_of(sites_, [&](const Site& site) {
    return site.commands_sent == options_.commands &&
           std::ranges::all_of(site.clients, [](const auto& client) { return client->done(); });
  });
}

// What the world waits for, beside messages that are missing.
std::string World::pending() const {
  std::string text;
  const auto add = [&](bool pending, const std::string& what) {
    if (pending) text += (text.empty() ? "" : ", ") + what;
  };
  add(region_.unfinished() > 0, "the region has " + std::to_string(region_.unfinished()) + " messages in flight");
  for (const Site& site : sites_) {
    const std::string& name = site.gateway->name();
    add(site.commands_sent != options_.commands, "commands to " + name + " are left");
    for (const auto& client : site.clients) add(!client->done(), client->id() + " is not done");
    add(!site.gateway->drained(), name + " has a backlog");
    add(missing_of_crews(site) > 0, "the crew of " + name + " lacks messages");
  }
  return text;
}

bool World::finished() const {
  return published() && region_.unfinished() == 0 &&
         std::ranges::all_of(sites_,
                             [&](const Site& site) {
                               return site.gateway->drained() && retained_converged(site, nullptr) &&
                                      values_arrived(site, nullptr) && missing_of_crews(site) == 0 &&
                                      newest_arrived(site, nullptr);
                             }) &&
         delivered();
}

bool World::delivered() const {
  return std::ranges::all_of(sites_, [&](const Site& site) {
    return ledger_.missing(site.bridge_account) <= site.gateway->lost_by_bridge() &&
           missing_of_sessions(site) <= site.gateway->lost_by_sessions();
  });
}

std::uint64_t World::missing_of_crews(const Site& site) const {
  std::uint64_t count = 0;
  if (options_.limited()) return count;
  for (const ReceiverId crew : site.crews) count += ledger_.missing(crew, mqtt::Qos::AtLeastOnce);
  return count;
}

// A crash ends the session of a passing member, and nobody counts what it had of QoS 2.
std::uint64_t World::missing_of_sessions(const Site& site) const {
  std::uint64_t count = ledger_.missing(site.session_account);
  if (options_.passing_members == 0) return count;
  for (const ReceiverId crew : site.crews) count -= ledger_.missing(crew, mqtt::Qos::ExactlyOnce);
  return count;
}

std::optional<std::uint32_t> World::far_value(const Site& site, StreamId stream) const {
  const auto payload =
      region_.retained(std::string(kSharedPrefix) + site.gateway->name() + "/" + ledger_.stream(stream).topic);
  const auto parsed = payload ? parse_payload(as_bytes(*payload)) : std::nullopt;
  return parsed ? std::optional(parsed->second) : std::nullopt;
}

// After a crash a will that was published, and was not on disk, is published again a minute after the start.
bool World::wills_are_published() const {
  return !audits_wills() || std::ranges::all_of(sites_, [&](const Site& site) {
    if (!options_.calm() && now_ - site.gateway->started() < kRestartGrace) return false;
    return std::ranges::all_of(site.wills, [&](StreamId stream) {
      const auto last = ledger_.last_retained(stream);
      return !last || far_value(site, stream) == last->number;
    });
  });
}

bool World::retained_converged(const Site& site, std::string* why) const {
  // With a limit the last value may be among what was dropped on its way.
  const bool region_too = !options_.limited();
  // What was refused and is sent again, because the refusal was lost on its way, comes behind newer values.
  if (options_.refuses()) return true;
  std::vector<StreamId> streams = site.retained;
  if (audits_wills()) streams.insert(streams.end(), site.wills.begin(), site.wills.end());
  for (const StreamId stream : streams) {
    const auto last = ledger_.last_retained(stream);
    if (!last) continue;
    const auto read = site.auditor->retained(stream);
    const auto far_read = far_value(site, stream);
    const bool here = site.auditor->ready() && read == last->number;
    const bool there = !region_too || far_read == last->number;
    if (here && there) continue;
    if (why != nullptr) {
      const auto text = [](std::optional<std::uint32_t> number) {
        return number ? "message " + std::to_string(*number) : std::string("none");
      };
      *why = "the retained value of " + ledger_.stream(stream).topic + " is " + text(here ? far_read : read) +
             (here ? " at the region" : " at " + site.gateway->name()) + ", and must be " + text(last->number);
    }
    return false;
  }
  return true;
}

bool World::values_arrived(const Site& site, std::string* why) const {
  for (std::size_t i = 0; i < options_.readers; ++i) {
    const Client& reader = *site.clients[site.first_reader + i];
    for (const StreamId value : site.values) {
      const auto last = ledger_.last_retained(value);
      if (!last || reader.retained(value)) continue;
      if (why != nullptr) *why = reader.id() + " has not got the retained value of " + ledger_.stream(value).topic;
      return false;
    }
  }
  return true;
}

// Whatever gives way to a newer value, the newest of all arrives.
bool World::newest_arrived(const Site& site, std::string* why) const {
  if (!options_.thins() || options_.limited()) return true;
  const std::string stale = ledger_.first_stale(site.region);
  if (why != nullptr) *why = stale;
  return stale.empty();
}

void World::check_losses() {
  for (const Site& site : sites_) {
    if (std::string stale; !newest_arrived(site, &stale)) ledger_.fail(stale);
    const auto check = [&](AccountId account, std::uint64_t missing, std::uint64_t counted) {
      if (missing > counted) {
        ledger_.fail(std::to_string(missing) + " acknowledged messages missing, " + std::to_string(counted) +
                     " counted as lost: " + ledger_.first_missing(account));
      }
    };
    check(site.bridge_account, ledger_.missing(site.bridge_account), site.gateway->lost_by_bridge());
    const bool may_lose = options_.limited() || options_.renews();
    check(site.session_account, missing_of_sessions(site), may_lose ? site.gateway->lost_by_sessions() : 0);
    if (const std::uint64_t missing = missing_of_crews(site); missing > 0) {
      ledger_.fail(std::to_string(missing) + " messages of QoS 1 did not go back to the shared subscription: " +
                   ledger_.first_missing(site.session_account));
    }
    std::string why;
    if (!retained_converged(site, &why) || !values_arrived(site, &why)) ledger_.fail(why);
  }
}

bool World::wants_converged(const Site& site, std::string* why) const {
  const std::string& name = site.gateway->name();
  const std::string wanted = std::string(kSharedPrefix) + name + "/" + ledger_.stream(site.command).topic;
  const std::string found = region_.filters_of(name);
  const std::string expected = options_.subscribers > 0 ? wanted : "";
  if (found == expected) return true;
  if (why != nullptr) *why = "the region keeps subscriptions of " + name + " to " + found + ", wanted: " + expected;
  return false;
}

void World::check_deliveries() {
  for (const Site& site : sites_) {
    const std::uint64_t arrived = ledger_.arrivals(site.region);
    if (site.gateway->delivered() == arrived) continue;
    ledger_.fail(site.gateway->name() + ": the books say that " + std::to_string(site.gateway->delivered()) +
                 " messages were delivered, and " + std::to_string(arrived) + " have arrived");
  }
}

void World::wind_up() {
  if (options_.wanted) {
    step_until(
        [&] { return std::ranges::all_of(sites_, [&](const Site& site) { return wants_converged(site, nullptr); }); },
        kWantsMax);
    for (const Site& site : sites_) {
      if (std::string why; failures().empty() && !wants_converged(site, &why)) ledger_.fail(why);
    }
  }
  const auto is_small = [](const Site& site) { return site.gateway->disk().files().queues <= kFileSmall; };
  step_until([&] { return std::ranges::all_of(sites_, is_small); }, kRestMax);
  if (!std::ranges::all_of(sites_, is_small)) ledger_.fail("a file that is almost empty stays large");
  std::vector<std::uint64_t> stops;
  for (const Site& site : sites_) {
    stops.push_back(site.gateway->stops());
    site.gateway->restart(now_);
  }
  const auto all_stopped = [&] {
    return std::ranges::equal(sites_, stops, std::ranges::greater{},
                              [](const Site& site) { return site.gateway->stops(); });
  };
  step_until(all_stopped, kStopMax);
  if (failures().empty() && !all_stopped()) ledger_.fail("a gateway does not stop");
}

bool World::run() {
  if (options_.warm_up) step_until([&] { return warm(); }, kWarmUpMax);
  publishing_ = faults_ = true;
  step_until([&] { return published(); }, kPhaseOneMax);
  if (options_.wanted) await_latecomers();
  heal();
  // What comes down to nobody arrives nowhere, and takes its time, too.
  const auto progress = [&] { return std::pair(ledger_.arrivals(), region_.unfinished()); };
  std::optional<std::pair<std::uint64_t, std::size_t>> seen;
  while (seen != progress()) {
    seen = progress();
    step_until([&] { return finished(); }, options_.poison ? kPatienceWithPoison : kPatience);
  }
  if (failures().empty() && !finished()) {
    check_losses();
    if (failures().empty()) ledger_.fail("no progress after healing: " + pending());
  }
  // Else QoS 0 may still be on its way.
  if (failures().empty() && demands_qos0(options_)) check_deliveries();
  if (failures().empty()) wind_up();
  return failures().empty();
}

std::uint64_t World::power_cuts() const {
  std::uint64_t cuts = 0;
  for (const Site& site : sites_) cuts += site.gateway->disk().power_cuts();
  return cuts;
}

Bounds::Peaks World::peaks() const {
  Bounds::Peaks peaks;
  for (const Site& site : sites_) {
    const Bounds::Peaks& own = site.gateway->bounds().peaks();
    peaks.queue_bytes = std::max(peaks.queue_bytes, own.queue_bytes);
    peaks.memory_bytes = std::max(peaks.memory_bytes, own.memory_bytes);
    peaks.file_bytes = std::max(peaks.file_bytes, own.file_bytes);
  }
  return peaks;
}

std::string World::summary() const {
  std::uint64_t ends = 0;
  for (const Site& site : sites_) ends += site.gateway->ends();
  return std::to_string(ledger_.acknowledged()) + " acknowledged, " + std::to_string(ledger_.arrivals()) +
         " arrivals, " + std::to_string(ends) + " ends of a gateway, " + std::to_string(steps_) + " steps, " +
         std::to_string(std::chrono::duration_cast<seconds>(now_.time_since_epoch()).count() - 1000) +
         " simulated seconds";
}

}  // namespace furrow::sim
