#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>

namespace furrow::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kSensorDelayMax = milliseconds(5);
constexpr Duration kPhaseOneMax = seconds(600);
constexpr Duration kPhaseTwoMax = seconds(600);
constexpr std::uint64_t kStepsMax = 5'000'000;

Duration drawn(Random& random, Duration mean) {
  return Duration(static_cast<std::int64_t>(random.below(2 * static_cast<std::uint64_t>(mean.count())))) +
         milliseconds(1);
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

World::Options World::draw(std::uint64_t seed) {
  Random random(seed * 0x9E37 + 1);
  Options options;
  options.seed = seed;
  options.sensors = 1 + static_cast<std::size_t>(random.below(5));
  options.messages = 20 + static_cast<std::uint32_t>(random.below(200));
  options.region_version = random.chance(30) ? mqtt::Version::V3_1_1 : mqtt::Version::V5;
  options.receive_maximum = static_cast<std::uint16_t>(1 + random.below(random.chance(50) ? 8 : 200));
  options.topic_alias_maximum = static_cast<std::uint16_t>(random.below(4));
  options.commit_time_max = milliseconds(random.chance(20) ? 500 : 1 + random.below(40));
  const auto fault = [&](Duration often, Duration seldom) {
    if (random.chance(40)) return Duration{};
    return random.chance(30) ? often : seldom;
  };
  options.faults.sensor_cut = fault(milliseconds(200), seconds(5));
  options.faults.uplink_cut = fault(milliseconds(300), seconds(5));
  options.faults.uplink_silence = fault(seconds(5), seconds(60));
  options.faults.uplink_outage = fault(seconds(2), seconds(30));
  options.faults.region_restart = fault(seconds(1), seconds(20));
  options.faults.gateway_crash = fault(milliseconds(500), seconds(10));
  options.faults.disk_stall = fault(seconds(1), seconds(10));
  return options;
}

std::string World::describe(const Options& options) {
  const auto ms = [](Duration d) { return std::to_string(std::chrono::duration_cast<milliseconds>(d).count()) + "ms"; };
  return "sensors=" + std::to_string(options.sensors) + " messages=" + std::to_string(options.messages) +
         " region=" + (options.region_version == mqtt::Version::V5 ? "5" : "3.1.1") +
         " receive_maximum=" + std::to_string(options.receive_maximum) +
         " aliases=" + std::to_string(options.topic_alias_maximum) + " commit=" + ms(options.commit_time_max) +
         " sensor_cut=" + ms(options.faults.sensor_cut) + " uplink_cut=" + ms(options.faults.uplink_cut) +
         " uplink_silence=" + ms(options.faults.uplink_silence) + " uplink_outage=" + ms(options.faults.uplink_outage) +
         " region_restart=" + ms(options.faults.region_restart) + " gateway_crash=" + ms(options.faults.gateway_crash) +
         " disk_stall=" + ms(options.faults.disk_stall);
}

// --- the gateway in its world ---

World::Gateway::Gateway(World& world, broker::Restored restored)
    : broker(
          {.limits = {}, .journal = {}, .commit_interval = {}, .seed = world.random_.next()}, world.disk_,
          [&world](Instant now) { return world.stamp(now); }, world.log_, restored, world.now_) {
  bridge::Options options;
  options.name = "region";
  options.addresses = {{"region.example", 1883}};
  options.version = bridge::VersionChoice::Auto;
  options.client_id = "gateway-region";
  options.keep_alive = seconds(10);
  options.ack_timeout = seconds(10);
  options.session_expiry_s = 86'400;
  options.backoff_initial = milliseconds(200);
  options.backoff_max = seconds(5);
  options.seed = world.random_.next();
  bridge::Rule rule;
  rule.filter = "farm/#";
  rule.remote_prefix = "eu/";
  rule.direction = bridge::Direction::Up;
  rule.qos_max = mqtt::Qos::ExactlyOnce;
  options.rules.push_back(rule);
  const auto queue = std::ranges::find(restored.queues, std::string("region"),
                                       [](const broker::RestoredQueue& found) { return found.row.name; });
  std::vector<broker::ExchangeRow> exchanges;
  if (queue != restored.queues.end()) {
    std::ranges::copy_if(restored.exchanges, std::back_inserter(exchanges),
                         [&](const broker::ExchangeRow& row) { return row.queue == queue->row.id; });
  }
  bridge = std::make_unique<bridge::Bridge>(std::move(options), broker, world.log_,
                                            queue == restored.queues.end() ? nullptr : &*queue, exchanges, world.now_);
}

World::World(const Options& options)
    : options_(options),
      random_(options.seed),
      log_(ledger_, options.verbose),
      disk_(random_, options.commit_time_max),
      region_({.v5 = options.region_version == mqtt::Version::V5,
               .receive_maximum = options.receive_maximum,
               .topic_alias_maximum = options.topic_alias_maximum,
               .prefix = "eu/"},
              ledger_, random_) {
  for (std::size_t i = 0; i < options.sensors; ++i) {
    Sensor::Options sensor;
    sensor.index = i;
    sensor.version = random_.chance(50) ? mqtt::Version::V5 : mqtt::Version::V3_1_1;
    sensor.qos = random_.chance(50) ? mqtt::Qos::AtLeastOnce : mqtt::Qos::ExactlyOnce;
    sensor.messages = options.messages;
    sensor.window = 1 + static_cast<std::size_t>(random_.below(20));
    sensor.interval = milliseconds(random_.below(50));
    ledger_.add_sensor(sensor.qos);
    sensors_.push_back(std::make_unique<Sensor>(sensor, ledger_, random_));
  }
  sensor_retry_.resize(options.sensors, now_);
  start_gateway();
}

World::~World() = default;

ClockStamp World::stamp(Instant now) const {
  return {boot_, now, WallTime(now.time_since_epoch() + std::chrono::hours(24 * 365 * 50)), true};
}

void World::start_gateway() {
  gateway_ = std::make_unique<Gateway>(*this, disk_.restore());
}

// The process is gone, and with it everything that was not durable; its connections break.
void World::crash_gateway() {
  ++crashes_;
  if (options_.verbose)
    std::printf("%12.3f *** the gateway crashes\n", static_cast<double>(now_.time_since_epoch().count()) / 1e6);
  for (const Accepted& accepted : accepted_) accepted.link->cut();
  accepted_.clear();
  if (uplink_) uplink_->cut();
  uplink_.reset();
  uplink_ready_ = kNever;
  disk_.crash();
  gateway_.reset();
  gateway_start_ = now_ + drawn(random_, milliseconds(200));
}

void World::deliver_to_gateway() {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < accepted_.size();) {
    Accepted& accepted = accepted_[i];
    while (accepted.link->open && !gateway_->broker.reading_paused(accepted.connection) &&
           accepted.link->to_server.receive(now_, bytes)) {
      gateway_->broker.handle_bytes(accepted.connection, bytes, true, now_);
    }
    if (accepted.link->open) {
      ++i;
      continue;
    }
    gateway_->broker.handle_closed(accepted.connection, now_);
    accepted_.erase(accepted_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  while (uplink_ && uplink_->open && !gateway_->bridge->reading_paused() && uplink_->to_client.receive(now_, bytes)) {
    gateway_->bridge->handle_bytes(bytes, true, now_);
  }
  if (uplink_ && !uplink_->open) {
    uplink_.reset();
    gateway_->bridge->handle_closed("connection reset", now_);
  }
}

void World::drive_bridge() {
  if (uplink_ready_ <= now_) {
    uplink_ready_ = kNever;
    if (now_ < outage_until_) {
      gateway_->bridge->handle_connect_failed("no route to host", now_);
    } else {
      uplink_ = std::make_shared<Link>();
      region_.accept(uplink_);
      gateway_->bridge->handle_connected(std::nullopt, now_);
    }
  }
  while (const auto command = gateway_->bridge->poll_command()) {
    if (std::holds_alternative<bridge::Connect>(*command)) {
      uplink_ready_ = now_ + drawn(random_, milliseconds(20));
    } else if (uplink_) {
      uplink_->cut();
      uplink_.reset();
    }
  }
}

void World::flush_gateway() {
  broker::Broker& broker = gateway_->broker;
  broker.handle_turn_end(now_);
  ConnectionId id;
  while (broker.poll_ready(id)) {
    const auto accepted = std::ranges::find(accepted_, id, &Accepted::connection);
    if (accepted == accepted_.end()) continue;
    ByteBuffer& output = broker.output(id);
    const std::size_t size = output.size();
    if (accepted->link->open) accepted->link->to_client.send(output.view(), now_, random_, kSensorDelayMax);
    output.consume(size);
    const bool closing = broker.closing(id);
    broker.handle_sent(id, size, now_);
    if (closing) accepted->link->cut();
  }
  ByteBuffer& output = gateway_->bridge->output();
  if (uplink_ && uplink_->open && !output.empty()) {
    uplink_->to_server.send(output.view(), now_, random_, milliseconds(40));
    output.consume(output.size());
    gateway_->bridge->handle_sent(now_);
  }
}

void World::run_gateway() {
  if (!gateway_) {
    if (now_ < gateway_start_) return;
    start_gateway();
  }
  broker::Broker& broker = gateway_->broker;
  Disk::Event event;
  while (disk_.poll(now_, event)) {
    if (event.page) {
      broker.handle_page(*event.page, now_);
    } else {
      broker.handle_persisted(event.durable, now_);
    }
  }
  deliver_to_gateway();
  if (broker.next_deadline() <= now_) broker.handle_timeout(now_);
  if (gateway_->bridge->next_deadline() <= now_) gateway_->bridge->handle_timeout(now_);
  drive_bridge();
  flush_gateway();
  drive_bridge();
}

// --- sensors and faults ---

void World::connect_sensors() {
  for (std::size_t i = 0; i < sensors_.size(); ++i) {
    Sensor& sensor = *sensors_[i];
    if (sensor.connected() || sensor_retry_[i] > now_) continue;
    sensor_retry_[i] = now_ + drawn(random_, milliseconds(100));
    if (!gateway_) continue;
    auto link = std::make_shared<Link>();
    const ConnectionId id = gateway_->broker.handle_accept("sensor", now_);
    if (!id) continue;
    accepted_.push_back({link, id});
    sensor.connect(link, now_);
  }
}

bool World::due(Duration mean_time, Instant& next) {
  if (mean_time == Duration::zero() || healed_) return false;
  if (next == kNever) {
    next = now_ + drawn(random_, mean_time);
    return false;
  }
  if (next > now_) return false;
  next = now_ + drawn(random_, mean_time);
  return true;
}

void World::strike_faults() {
  const Faults& faults = options_.faults;
  if (due(faults.sensor_cut, next_.sensor_cut)) {
    Sensor& sensor = *sensors_[static_cast<std::size_t>(random_.below(sensors_.size()))];
    if (sensor.connected()) sensor.link()->cut();
  }
  if (due(faults.uplink_cut, next_.uplink_cut) && uplink_) uplink_->cut();
  if (due(faults.uplink_silence, next_.uplink_silence) && uplink_) uplink_->silence();
  if (due(faults.uplink_outage, next_.uplink_outage)) {
    outage_until_ = now_ + drawn(random_, seconds(2));
    if (uplink_) uplink_->cut();
  }
  if (due(faults.region_restart, next_.region_restart)) region_.restart();
  if (due(faults.disk_stall, next_.disk_stall)) disk_.stall(now_, drawn(random_, seconds(1)));
  if (due(faults.gateway_crash, next_.gateway_crash) && gateway_) crash_gateway();
}

void World::heal() {
  healed_ = true;
  outage_until_ = now_;
  disk_.heal();
}

// --- the run ---

void World::check_books() {
  if (!gateway_) return;
  const bridge::Snapshot s = gateway_->bridge->snapshot(now_);
  std::uint64_t dropped = 0;
  for (const std::uint64_t count : s.books.dropped) dropped += count;
  const std::uint64_t sum = s.delivered + s.backlog_messages + s.inflight + s.quarantined + s.expired + dropped;
  if (s.accepted != sum) {
    ledger_.fail("the books do not balance: accepted " + std::to_string(s.accepted) + ", found " + std::to_string(sum));
  }
  if (dropped > 0) ledger_.fail("dropped " + std::to_string(dropped) + " with no limit reached");
}

Instant World::next_event() const {
  Instant next = std::min(region_.next_deadline(), disk_.next_deadline());
  for (std::size_t i = 0; i < sensors_.size(); ++i) {
    next = std::min(next, sensors_[i]->connected() ? sensors_[i]->next_deadline() : sensor_retry_[i]);
  }
  if (gateway_) {
    next = std::min({next, gateway_->broker.next_deadline(), gateway_->bridge->next_deadline(), uplink_ready_});
    for (const Accepted& accepted : accepted_) {
      if (!accepted.link->open) return now_;
      if (!gateway_->broker.reading_paused(accepted.connection)) next = std::min(next, accepted.link->to_server.next());
    }
    if (uplink_) next = uplink_->open ? std::min(next, uplink_->to_client.next()) : now_;
  } else {
    next = std::min(next, gateway_start_);
  }
  if (!healed_) {
    next = std::min({next, next_.sensor_cut, next_.uplink_cut, next_.uplink_silence, next_.uplink_outage,
                     next_.region_restart, next_.gateway_crash, next_.disk_stall});
  }
  return next;
}

void World::step() {
  ++steps_;
  // At least a microsecond passes, so that what is due "now" and cannot be done yet does not stop the clock.
  now_ = std::max(now_ + Duration(1), std::min(next_event(), now_ + seconds(1)));
  log_.set_now(now_);
  disk_.set_now(now_);
  strike_faults();
  connect_sensors();
  for (const auto& sensor : sensors_) sensor->run(now_);
  region_.run(now_);
  run_gateway();
  check_books();
}

bool World::finished() const {
  std::string ignored;
  return std::ranges::all_of(sensors_, [](const auto& sensor) { return sensor->done(); }) &&
         ledger_.missing(ignored) == 0;
}

bool World::run() {
  const Instant begin = now_;
  const auto published = [&] {
    return std::ranges::all_of(sensors_, [](const auto& sensor) { return sensor->done(); });
  };
  while (failures().empty() && !published() && now_ < begin + kPhaseOneMax && steps_ < kStepsMax) step();
  heal();
  const Instant healed = now_;
  while (failures().empty() && !finished() && now_ < healed + kPhaseTwoMax && steps_ < 2 * kStepsMax) step();
  if (failures().empty() && !finished()) {
    std::string text;
    const std::size_t missing = ledger_.missing(text);
    ledger_.fail("no progress after healing: " + std::to_string(missing) + " acknowledged messages missing:" + text);
  }
  return failures().empty();
}

std::string World::summary() const {
  return std::to_string(ledger_.arrivals()) + " arrivals, " + std::to_string(crashes_) + " crashes, " +
         std::to_string(steps_) + " steps, " +
         std::to_string(std::chrono::duration_cast<seconds>(now_.time_since_epoch()).count() - 1000) +
         " simulated seconds";
}

}  // namespace furrow::sim
