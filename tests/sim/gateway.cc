#include "tests/sim/gateway.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace furrow::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kClientDelayMax = milliseconds(5);
constexpr Duration kUplinkDelayMax = milliseconds(40);
constexpr Duration kStopGrace = seconds(5);
constexpr Duration kRestartAfter = seconds(1);
constexpr Duration kYears3 = std::chrono::hours(24 * 365 * 3);
constexpr Duration kYears50 = std::chrono::hours(24 * 365 * 50);

bridge::Rule rule(std::string filter, std::string remote_prefix, bridge::Direction direction) {
  bridge::Rule rule;
  rule.filter = std::move(filter);
  rule.remote_prefix = std::move(remote_prefix);
  rule.direction = direction;
  rule.qos_max = mqtt::Qos::ExactlyOnce;
  return rule;
}

std::uint64_t dropped(const broker::Books& books) {
  return std::accumulate(books.dropped.begin(), books.dropped.end(), std::uint64_t{0});
}

// Of what was acknowledged, and does not arrive: nobody is promised anything of QoS 0.
std::uint64_t lost(const broker::Books& books) {
  using broker::DropReason;
  std::uint64_t count = books.expired + dropped(books) + books.quarantined;
  for (const DropReason reason : {DropReason::Qos0Offline, DropReason::RefusedQos0, DropReason::StoreFailed}) {
    count -= books.drops(reason);
  }
  return count;
}

std::string reasons(const broker::Books& books) {
  std::string text = "expired " + std::to_string(books.expired);
  for (std::size_t i = 0; i < broker::kDropReasonCount; ++i) {
    const auto reason = static_cast<broker::DropReason>(i);
    if (books.drops(reason) > 0) text += ", " + std::string(name(reason)) + " " + std::to_string(books.drops(reason));
  }
  return text;
}

// The rules take different topics: they may stand in any order.
std::vector<bridge::Rule> rules_up(const Options& options, const std::string& remote_prefix) {
  std::vector<bridge::Rule> rules;
  const auto add = [&](const std::string& filter, bridge::Priority priority) {
    rules.push_back(rule(filter, remote_prefix, bridge::Direction::Up));
    rules.back().buffer_qos0 = options.buffer_qos0;
    rules.back().thinning.every = options.thinned_every;
    rules.back().keep_latest = options.keep_latest;
    rules.back().priority = priority;
  };
  add("farm/#", bridge::Priority::Normal);
  rules.back().messages_per_second = options.paced;
  if (!options.priorities) return rules;
  for (const char* topic : {"farm/+/0", "farm/+/state-0", "farm/+/will-0"}) {
    rules.front().except.emplace_back(topic);
    add(topic, bridge::Priority::High);
  }
  for (const char* topic : {"farm/+/1", "farm/+/qos0-0"}) {
    rules.front().except.emplace_back(topic);
    add(topic, bridge::Priority::Low);
  }
  return rules;
}

}  // namespace

struct Gateway::Process {
  Process(Gateway& gateway, broker::Restored restored, Instant now);
  broker::Broker& broker() { return engine.broker(); }

  gateway::Engine engine;
  bridge::Options bridge_options;
  bridge::Bridge* bridge = nullptr;
  bool clock_trusted = false;
};

Gateway::Process::Process(Gateway& gateway, broker::Restored restored, Instant now)
    : engine(
          [&] {
            broker::Broker::Options options;
            options.limits.session_queue = gateway.options_.sessions;
            options.limits.inflight = gateway.options_.inflight;
            options.limits.commit_waiting_bytes = gateway.options_.commit_waiting_bytes;
            options.seed = gateway.random_.next();
            return options;
          }(),
          gateway.disk_, [&gateway](Instant local) { return gateway.stamp(local); }, gateway.log_, std::move(restored),
          now) {
  bridge::Options& options = bridge_options;
  options.name = "region";
  options.addresses = {{"region.example", 1883}};
  options.client_id = gateway.setup_.name;
  options.keep_alive = seconds(10);
  options.ack_timeout = seconds(10);
  options.session_expiry_s = 1'000'000;
  options.backoff_initial = milliseconds(200);
  options.backoff_max = seconds(5);
  options.buffer = gateway.options_.buffer;
  options.rules = rules_up(gateway.options_, gateway.setup_.remote_prefix);
  options.live_first = gateway.options_.live_first;
  options.stamp.sequence = gateway.options_.numbered;
  if (gateway.options_.commands > 0) {
    options.rules.push_back(rule("command/#", gateway.setup_.remote_prefix, bridge::Direction::Down));
    options.rules.back().wanted.only = gateway.options_.wanted;
  }
  if (gateway.options_.shared)
    options.rules.push_back(rule("shared/#", std::string(kSharedPrefix), bridge::Direction::Both));
  if (gateway.options_.doubled) {
    engine.broker().set_gateway_id(gateway.setup_.name);
    options.gateway_id = gateway.setup_.name;
    options.mesh = true;
  }
  bridge_options.seed = gateway.random_.next();
  bridge = &engine.add_bridge(bridge_options, now);
}

Gateway::Gateway(Setup setup, const Options& options, std::unique_ptr<Medium> medium, Region& region, Ledger& ledger,
                 Log& log, Random& random, Instant now)
    : setup_(std::move(setup)),
      options_(options),
      region_(region),
      ledger_(ledger),
      log_(log),
      random_(random),
      mutator_(options.mutation),
      disk_(std::move(medium), options.commit_time_max, mutator_, random),
      booted_(now - seconds(30)),
      start_at_(now),
      bounds_(setup_.name, options, ledger) {}

Gateway::~Gateway() = default;

// --- time ---

Instant Gateway::global(Instant local) const {
  if (local == kNever) return kNever;
  return local < Instant{} ? booted_ : booted_ + (local - Instant{});
}

ClockStamp Gateway::stamp(Instant local) {
  const Instant now = global(local);
  ClockStamp stamp{boot_, local, WallTime(now.time_since_epoch() + kYears50), true};
  if (now < clock_set_at_) {
    stamp.wall += wall_error_;
    stamp.trusted = false;
  }
  mutator_.change(stamp);
  return stamp;
}

void Gateway::jump_clock(Duration by, Instant now) {
  wall_error_ = by;
  clock_set_at_ = now + drawn(random_, seconds(10));
}

// --- lives ---

void Gateway::start(Instant now) {
  disk_.set_now(now);
  std::optional<broker::Restored> found = disk_.open();
  if (!found) {  // the process ends with an error, and is started again
    start_at_ = now + kRestartAfter;
    return;
  }
  process_ = std::make_unique<Process>(*this, *std::move(found), local(now));
  bounds_.start();
  // What the stored books say was lost, was seen in an earlier life.
  bridge_lost_.seen = lost(process_->bridge->snapshot().books);
  session_lost_.seen = 0;
}

void Gateway::end(Instant now) {
  ++ends_;
  for (const Accepted& accepted : accepted_) accepted.link->end_with_server();
  accepted_.clear();
  if (uplink_) uplink_->cut();
  uplink_.reset();
  uplink_ready_ = kNever;
  stop_by_ = kNever;
  start_at_ = now + drawn(random_, milliseconds(200));
}

void Gateway::crash(End how, Instant now) {
  if (!running()) return;
  log_.write(LogLevel::Debug, how == End::Kill ? "*** killed" : "*** power cut", {{"name", setup_.name}});
  ledger_.note_crash();
  disk_.set_now(now);
  disk_.crash(how == End::PowerCut);
  process_.reset();
  end(now);
  if (how == End::Kill) return;
  ++boot_;
  booted_ = start_at_;
  // Without a battery the clock begins where the image was built.
  wall_error_ = -kYears3;
  clock_set_at_ = start_at_ + drawn(random_, seconds(5));
}

void Gateway::restart(Instant now) {
  if (!running() || stop_by_ != kNever) return;
  log_.write(LogLevel::Debug, "*** stops", {{"name", setup_.name}});
  mutator_.stop();
  process_->engine.shut_down(local(now));
  stop_by_ = now + kStopGrace;
}

void Gateway::renew_bridge(Instant now) {
  if (!running() || stop_by_ != kNever) return;
  log_.write(LogLevel::Debug, "*** renews its bridge", {{"name", setup_.name}});
  std::ranges::reverse(process_->bridge_options.rules);
  process_->bridge_options.seed = random_.next();
  process_->engine.renew_bridge(process_->bridge_options, local(now));
}

void Gateway::stop(Instant now) {
  const Medium::Kept most = Bounds::most_kept(process_->broker().journal());
  process_.reset();
  disk_.close();
  if (!mutator_.acknowledges_early()) bounds_.check_kept(disk_.kept(), most);  // else not all of it is durable
  ++stops_;
  end(now);
}

void Gateway::set_outage(Instant until) {
  outage_until_ = until;
  if (uplink_) uplink_->cut();
}

void Gateway::heal(Instant now) {
  outage_until_ = now;
  disk_.heal();
}

LinkRef Gateway::accept(Instant now) {
  if (!running() || stop_by_ != kNever) return nullptr;
  const ConnectionId id = process_->broker().handle_accept({.program = "client"}, local(now));
  if (!id) return nullptr;
  accepted_.push_back({std::make_shared<Link>(), id});
  return accepted_.back().link;
}

// --- one turn ---

void Gateway::run(Instant now) {
  disk_.set_now(now);
  if (!running()) {
    if (now < start_at_) return;
    start(now);
    if (!running()) return;
  }
  take_disk_events(now);
  take_bytes(now);
  const Instant mine = local(now);
  const bool trusted = stamp(mine).trusted;
  if (!std::exchange(process_->clock_trusted, trusted) && trusted) process_->broker().handle_clock_trusted(mine);
  settle_uplink(now);
  process_->engine.handle_due(mine);
  process_->engine.end_turn(mine, *this);
  bounds_.check_memory(process_->broker().journal());
  if (disk_.miscounted()) ledger_.fail(setup_.name + ": a cursor leaves open other messages than it counts");
  check();
  const bool stopped = stop_by_ != kNever && process_->broker().journal().idle();
  if (stopped) {
    stop(now);
  } else if (stop_by_ <= now) {
    crash(End::Kill, now);
  }
}

void Gateway::take_disk_events(Instant now) {
  Disk::Event event;
  while (disk_.poll(now, stamp(local(now)), event)) {
    if (event.durable) bounds_.check_files(disk_.files());
    gateway::Engine::StoreNews news{.failing = disk_.refusing(),
                                    .durable = event.durable.value_or(BatchNumber{}),
                                    .withdrawn = std::move(event.given_back),
                                    .pages = {}};
    if (event.page) news.pages.push_back(*std::move(event.page));
    process_->engine.handle_store(std::move(news), local(now));
  }
}

bool Gateway::reading_paused(const Accepted& accepted) const {
  return process_->broker().reading_paused(accepted.connection) && !mutator_.reads_on();
}

void Gateway::take_bytes(Instant now) {
  std::vector<std::uint8_t> bytes;
  broker::Broker& broker = process_->broker();
  for (std::size_t i = 0; i < accepted_.size();) {
    Accepted& accepted = accepted_[i];
    while (accepted.link->open && !reading_paused(accepted) && accepted.link->to_server.receive(now, bytes)) {
      bounds_.note_taken(bytes.size(), broker.awaits_acknowledgement(accepted.connection));
      broker.handle_bytes(accepted.connection, bytes, true, local(now));
    }
    if (accepted.link->open) {
      ++i;
      continue;
    }
    broker.handle_closed(accepted.connection, local(now));
    accepted_.erase(accepted_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  bridge::Bridge& bridge = *process_->bridge;
  while (uplink_ && uplink_->open && !bridge.reading_paused() && uplink_->to_client.receive(now, bytes)) {
    bounds_.note_taken(bytes.size(), false);
    bridge.handle_bytes(bytes, true, local(now));
  }
  if (uplink_ && !uplink_->open) {
    const bool in_order = uplink_->closed_by_server;
    uplink_.reset();
    bridge.handle_closed(in_order ? Error(Errc::Closed, "closed by the region") : Error(Errc::Io, "connection reset"),
                         local(now));
  }
}

void Gateway::handle_bridge_left(const bridge::Bridge&) {
  uplink_ready_ = kNever;
  if (uplink_) uplink_->cut();
  uplink_.reset();
}

void Gateway::handle_bridge_made(bridge::Bridge& bridge) {
  process_->bridge = &bridge;
}

void Gateway::settle_uplink(Instant now) {
  if (uplink_ready_ > now) return;
  uplink_ready_ = kNever;
  bridge::Bridge& bridge = *process_->bridge;
  if (now < outage_until_) {
    bridge.handle_connect_failed("no route to host", local(now));
    return;
  }
  uplink_ = std::make_shared<Link>();
  region_.accept(uplink_);
  bridge.handle_connected(std::nullopt, local(now));
}

void Gateway::perform(const bridge::Command& command, Instant now) {
  if (std::holds_alternative<bridge::Connect>(command)) {
    uplink_ready_ = now + drawn(random_, milliseconds(20));
    return;
  }
  if (!std::holds_alternative<bridge::Disconnect>(command)) return;  // a probe: there is one address
  uplink_ready_ = kNever;
  if (uplink_) uplink_->cut();
  uplink_.reset();
}

void Gateway::flush(bridge::Bridge& bridge, Instant mine) {
  const Instant now = global(mine);
  const auto write = [&] {
    ByteBuffer& output = bridge.output();
    if (!uplink_ || !uplink_->open || output.empty() || !bridge.review_output(mine)) return;
    uplink_->to_server.send(output.view(), now, random_, kUplinkDelayMax);
    output.consume(output.size());
    bridge.handle_sent(mine);
  };
  write();
  while (const auto command = bridge.poll_command()) {
    perform(*command, now);
    write();
  }
}

void Gateway::flush_clients(Instant mine) {
  broker::Broker& broker = process_->broker();
  const Instant now = global(mine);
  ConnectionId id;
  while (broker.poll_ready(id)) {
    const auto accepted = std::ranges::find(accepted_, id, &Accepted::connection);
    if (accepted == accepted_.end()) continue;
    ByteBuffer& output = broker.output(id);
    const std::size_t size = output.size();
    if (accepted->link->open) accepted->link->to_client.send(output.view(), now, random_, kClientDelayMax);
    output.consume(size);
    const bool closing = broker.closing(id);
    broker.handle_sent(id, size, mine);
    if (!closing) continue;
    if (stop_by_ != kNever) {
      accepted->link->end_with_server();
    } else {
      accepted->link->close_by_server();
    }
  }
}

Instant Gateway::next_deadline() const {
  if (!running()) return start_at_;
  Instant next = std::min({global(process_->engine.next_deadline()), uplink_ready_, disk_.next_deadline(), stop_by_});
  for (const Accepted& accepted : accepted_) {
    if (!accepted.link->open) return Instant::min();
    if (!reading_paused(accepted)) next = std::min(next, accepted.link->to_server.next());
  }
  if (!uplink_) return next;
  if (!uplink_->open) return Instant::min();
  return process_->bridge->reading_paused() ? next : std::min(next, uplink_->to_client.next());
}

// --- what the operator sees ---

bool Gateway::online() const {
  if (!running()) return false;
  return seen_.state == bridge::State::Online || seen_.state == bridge::State::Draining;
}

bool Gateway::drained() const {
  if (!running()) return false;
  return seen_.backlog_messages + seen_.inflight == 0;
}

void Gateway::check() {
  if (!running()) return;
  seen_ = process_->bridge->snapshot();
  const bridge::Snapshot& s = seen_;
  const std::uint64_t found =
      s.delivered + s.backlog_messages + s.inflight + s.quarantined + s.expired + dropped(s.books);
  if (s.accepted != found) {
    ledger_.fail(setup_.name + ": the books do not balance: accepted " + std::to_string(s.accepted) + ", found " +
                 std::to_string(found));
  }
  if (s.received != s.routed + s.received_dropped)
    ledger_.fail(setup_.name + ": the books of the way down do not balance");
  bridge_lost_.note(lost(s.books));
  session_lost_.note(lost(process_->broker().session_books()));
  const broker::Books& sessions = process_->broker().session_books();
  // A session that ends takes messages of QoS 2 with it; and a crash may leave what a group was given, and not the only
  // subscription to it, which nobody had confirmed.
  const bool ends = options_.members > 0 || options_.wanted;
  const std::uint64_t ended = ends ? sessions.drops(broker::DropReason::SessionEnded) : 0;
  const std::uint64_t thinned =
      s.books.drops(broker::DropReason::Thinned) + s.books.drops(broker::DropReason::Replaced);
  if (thinned > 0 && !options_.thins()) ledger_.fail(setup_.name + ": a value gave way, and no rule wants that");
  if (s.quarantined > 0 && !options_.poison) ledger_.fail(setup_.name + ": a message was set aside for nothing");
  if (options_.limited()) {
    check_limits(s);
  } else if (lost(s.books) - thinned - s.quarantined + s.received_dropped + lost(sessions) > ended) {
    ledger_.fail(setup_.name + ": messages were dropped, and no limit was reached; bridge: " + reasons(s.books) +
                 "; sessions: " + reasons(sessions));
  }
}

void Gateway::check_limits(const bridge::Snapshot& snapshot) {
  const broker::OutboxLimits& limits = options_.buffer;
  // What is on disk only makes room once its page has been read.
  if (limits.when_full == broker::WhenFull::DropOldest) return;
  // What has left one lane comes back in a crash, beside what had its room in another one.
  if ((options_.priorities || options_.live_first) && ends_ > 0) return;
  const std::uint64_t messages = snapshot.backlog_messages + snapshot.inflight;
  if ((limits.messages_max > 0 && messages > limits.messages_max) ||
      (limits.bytes_max > 0 && snapshot.backlog_bytes > limits.bytes_max)) {
    ledger_.fail(setup_.name + ": the buffer is larger than its limit");
  }
}

}  // namespace furrow::sim
