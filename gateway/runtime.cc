#include "gateway/runtime.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <utility>

#include "config/diff.h"
#include "config/provider_limits.h"
#include "gateway/config_to_options.h"
#include "gateway/gateway_id.h"
#include "gateway/process.h"
#include "gateway/version.h"

namespace furrow::gateway {
namespace {

// How long a stop waits for clients and far brokers that do not read; what is durable by then stays.
constexpr Duration kStopTimeout = std::chrono::seconds(5);
// How often a commit under way is looked at.
constexpr Duration kStoreLookInterval = std::chrono::seconds(1);
// How often the memory in use is looked at: the most that 100 Mbit/s can bring in meanwhile is 6 MiB.
constexpr Duration kMachineLookInterval = std::chrono::milliseconds(500);

// A clock whose battery is empty starts somewhere in the past: it is not believed when an earlier run has seen later.
Status note_wall_clock(Clock& clock, SqliteStore& store) {
  constexpr std::string_view kKey = "wall_clock_us";
  FURROW_TRY(const std::optional<std::string> noted, store.meta(kKey));
  std::int64_t microseconds = 0;
  if (noted) std::from_chars(noted->data(), noted->data() + noted->size(), microseconds);
  clock.set_noted(WallTime(Duration(microseconds)));
  if (!clock.trusted()) return {};
  // A full or failing disk says so by itself, with the first commit.
  (void)store.set_meta(kKey, std::to_string(clock.wall().time_since_epoch().count()));
  return {};
}

std::string_view signal_text(int signal) {
  return signal == SIGINT ? "INT" : signal == SIGTERM ? "TERM" : "HUP";
}

Result<PasswordChecks::Loaded> load_users(const config::Access& access) {
  auto loaded = PasswordChecks::load(access.password_file);
  if (!loaded) return std::move(loaded).error().within("access.password_file");
  return loaded;
}

std::string_view acknowledge_text(config::Acknowledge choice) {
  return choice == config::Acknowledge::Durable ? "durable" : "received";
}

}  // namespace

// --- start ---

Result<std::unique_ptr<Runtime>> Runtime::start(const World& world, const config::Config& config,
                                                const std::string& config_name) {
  Opened opened;
  opened.config_name = config_name;
  FURROW_TRY(opened.listeners, Listeners::bind(config, config_name, world.clock.judged()));
  const StoreOptions store_options{.directory = config.gateway.data.string(),
                                   .vfs = {},
                                   .disk_reserve = config.store.disk_reserve,
                                   .now = world.clock.wall()};
  FURROW_TRY(opened.store, SqliteStore::open(store_options, world.log));
  FURROW_TRY_STATUS(note_wall_clock(world.clock, *opened.store));
  FURROW_TRY(opened.restored, opened.store->restore());
  if (std::ranges::any_of(config.bridges, &config::Bridge::mesh)) {
    // A full or failing disk says so by itself: until it takes writes, messages have no ids.
    (void)opened.store->put_ids_aside(opened.restored.own_ids, broker::Mesh::kReserved);
  }
  opened.passwords = std::make_unique<PasswordChecks>(world.loop.uv(), world.log);
  FURROW_TRY(PasswordChecks::Loaded users, load_users(config.access));
  opened.passwords->use(std::move(users));
  FURROW_TRY(opened.gateway_id, gateway_id(config.gateway.id, *opened.store));
  return std::unique_ptr<Runtime>(new Runtime(world, config, std::move(opened)));
}

Runtime::Runtime(const World& world, const config::Config& config, Opened opened)
    : world_(world),
      config_name_(std::move(opened.config_name)),
      gateway_id_(std::move(opened.gateway_id)),
      store_wake_(world.loop.uv(), this, uv_async_init,
                  [](uv_async_t* handle) { static_cast<Runtime*>(handle->data)->look_at_store(); }),
      polled_(world.loop.uv(), this, uv_check_init),
      turn_end_(world.loop.uv(), this, uv_prepare_init),
      timer_(world.loop.uv(), this, uv_timer_init),
      signals_(world.loop.uv(), {SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); }),
      resolver_(world.loop.uv()),
      config_(config),
      clock_trusted_(world.clock.trusted()),
      store_(std::move(opened.store), store_thread_options()),
      engine_(
          broker_options(config, random_seed()), store_,
          [&clock = world.clock](Instant now) { return clock.stamp(now); }, world.log, std::move(opened.restored),
          world.clock.now()),
      passwords_(std::move(opened.passwords)),
      traces_(engine_.broker(), [&clock = world.clock] { return clock.wall(); }),
      clients_(world.loop.uv(), engine_.broker(), traces_, world.clock, world.log, [this] { flush_full(); }),
      tls_(world.log),
      store_watch_(world.log, world.clock.now()),
      status_sources_({.id = gateway_id_,
                       .version = kVersion,
                       .acknowledge = std::string(acknowledge_text(config.store.acknowledge)),
                       .started = world.clock.now()},
                      opened.listeners.statuses(), clients_.stats(), engine_.broker(), store_watch_, world.clock),
      status_(status_sources_, engine_.broker(), world.log, config.status.interval),
      presence_(status_sources_),
      web_desk_(status_sources_, engine_.broker(), clients_.web()),
      desk_(desk_world()),
      control_(world.loop.uv(), desk_, world.log, clients_.mutable_stats()) {
  clients_.web().set_desk(web_desk_);
  engine_.broker().set_authenticator(passwords_.get());
  apply_status_settings(world.clock.now());
  make_bridges();
  log_inventory();
  listeners_ = std::move(opened.listeners);
  tls_.set(listeners_.tls_entrances(), config_.bridges);
  status_sources_.set_certificates([this] { return tls_.certificates(world_.clock.judged()); });
  status_sources_.set_timing([this](Instant now) {
    return TimingStatus{
        .commits = store_.commit_times(), .loop_lateness = loop_watch_.lateness(), .late_by = loop_watch_.late_by(now)};
  });
  note_woken();
  uv_check_start(polled_.get(), [](uv_check_t* handle) { static_cast<Runtime*>(handle->data)->note_woken(); });
  uv_prepare_start(turn_end_.get(), [](uv_prepare_t* handle) { static_cast<Runtime*>(handle->data)->end_turn(); });
}

Runtime::~Runtime() = default;

StoreThread::Options Runtime::store_thread_options() {
  StoreThread::Options options;
  options.wake = [this] { uv_async_send(store_wake_.get()); };
  options.now = [&clock = world_.clock] { return clock.now(); };
  return options;
}

Desk::World Runtime::desk_world() {
  return {.engine = engine_,
          .log = world_.log,
          .has_tls = [this](std::string_view listener) { return has_tls(config_, listener); },
          .has_bridge = [this](std::string_view name) { return has_bridge(config_, name); },
          .traces = &traces_};
}

void Runtime::rename_buffers() {
  for (const config::Bridge& one : config_.bridges) {
    if (one.renamed_from.empty()) continue;
    switch (engine_.buffers().rename(one.renamed_from, one.name)) {
      case bridge::Buffers::Renaming::Done:
        world_.log.write(
            LogLevel::Info, "bridge.renamed",
            {{"name", one.name}, {"from", one.renamed_from}, {"waiting", engine_.buffers().of(one.name).waiting()}});
        break;
      case bridge::Buffers::Renaming::NothingToDo:
        break;
      case bridge::Buffers::Renaming::Refused:
        world_.log.write(LogLevel::Warning, "bridge.not_renamed",
                         {{"name", one.name},
                          {"from", one.renamed_from},
                          {"reason", "both names have a buffer"},
                          {"waiting", engine_.buffers().of(one.renamed_from).waiting()},
                          {"then", "that of the former name is kept in the store"}});
        break;
    }
  }
}

void Runtime::make_bridges() {
  engine_.broker().set_gateway_id(gateway_id_);
  rename_buffers();
  for (const config::Bridge& one : config_.bridges) {
    make_link(engine_.add_bridge(options_of(one), world_.clock.now()));
  }
  note_unconfigured_buffers();
}

bridge::Options Runtime::options_of(const config::Bridge& bridge) const {
  bridge::Options options = bridge_options(bridge, gateway_id_, random_seed());
  options.presence = presence_options(config_.status.remote_topic, bridge.name, status_sources_.gateway());
  return options;
}

void Runtime::apply_status_settings(Instant now) {
  std::vector<SilenceWatch::Entry> watch;
  for (const config::TopicWatch& one : config_.status.watch) watch.push_back({one.filter, one.silent_after});
  status_.set_watch(watch, now);
  status_.set_clients(config_.status.clients, now);
}

// REQUIRES: config_ has the bridge.
void Runtime::make_link(bridge::Bridge& bridge) {
  const auto one = std::ranges::find(config_.bridges, bridge.bridge_name(), &config::Bridge::name);
  status_sources_.add(engine_.buffers().of(one->name), &bridge);
  bridge_links_.push_back(std::make_unique<BridgeLink>(world_.loop.uv(), resolver_, world_.clock, traces_, bridge,
                                                       config::within_provider(*one), [this] { flush_full(); }));
  if (bridge.has_window()) minute_at_ = world_.clock.now();
}

void Runtime::note_unconfigured_buffers() {
  engine_.buffers().for_each([&](bridge::Buffer& buffer) {
    const auto shows = [&buffer](const StatusSources::Bridge& one) { return one.buffer == &buffer; };
    if (std::ranges::any_of(status_sources_.bridges(), shows)) return;
    status_sources_.add(buffer, nullptr);
    world_.log.write(LogLevel::Warning, "bridge.unconfigured",
                     {{"name", buffer.name()}, {"waiting", buffer.waiting()}, {"then", "kept in the store"}});
  });
}

void Runtime::log_inventory() {
  Log& log = world_.log;
  const broker::Broker& broker = engine_.broker();
  log.write(LogLevel::Info, "starting", {{"version", kVersion}, {"config", config_name_}, {"gateway", gateway_id_}});
  log.write(LogLevel::Info, "store.opened",
            {{"data", config_.gateway.data.string()},
             {"acknowledge", acknowledge_text(config_.store.acknowledge)},
             {"sessions", std::uint64_t{broker.sessions()}},
             {"retained", std::uint64_t{broker.retained().messages()}}});
  if (passwords_->has_users()) {
    log.write(LogLevel::Info, "users.read",
              {{"file", config_.access.password_file.string()}, {"users", std::uint64_t{passwords_->users()}}});
  }
  if (config_.access.rules) {
    log.write(LogLevel::Info, "access.configured", {{"rules", std::uint64_t{config_.access.rules->size()}}});
  } else {
    log.write(LogLevel::Info, "access.configured", {{"rules", "none"}});
  }
  for (const config::Bridge& one : config_.bridges) {
    log.write(LogLevel::Info, "bridge.configured",
              {{"name", one.name},
               {"remote", one.connect.front().text()},
               {"rules", std::uint64_t{one.topics.size()}},
               {"waiting", engine_.buffers().of(one.name).waiting()}});
  }
}

// --- the loop ---

Status Runtime::run() {
  look_at_store();
  const auto changed = [this] { status_sources_.set_listeners(listeners_.statuses()); };
  listeners_.accept(world_.loop.uv(), world_.log, clients_, changed);
  control_.open(config_.gateway.data.string());
  world_.log.write(LogLevel::Info, "ready", {});
  world_.notify.ready();
  if (world_.notify.watchdog_interval()) watchdog_at_ = world_.clock.now();
  world_.loop.run();
  Status stored = store_.stop();
  std::uint64_t waiting = 0;
  engine_.buffers().for_each([&waiting](const bridge::Buffer& buffer) { waiting += buffer.waiting(); });
  if (stored) world_.log.write(LogLevel::Info, "stopped", {{"waiting", waiting}});
  return stored;
}

void Runtime::note_woken() {
  woken_at_ = std::chrono::milliseconds(uv_now(&world_.loop.uv()));
}

void Runtime::end_turn() {
  if (passwords_->has_verdicts()) {
    passwords_->deliver([this](ConnectionId connection, broker::Verdict verdict) {
      engine_.broker().handle_login(connection, verdict, world_.clock.now());
    });
  }
  handle_due(world_.clock.now());
  engine_.end_turn(world_.clock.now(), *this);
  if (is_stopped()) world_.loop.stop();
  arm_timer(world_.clock.now());
  const std::chrono::nanoseconds lasted = std::chrono::nanoseconds(uv_hrtime()) - woken_at_;
  clients_.note_turn(std::chrono::duration_cast<Duration>(lasted));
}

void Runtime::handle_due(Instant now) {
  engine_.handle_due(now);
  clients_.handle_timeout(now);
  if (tls_.next_look() <= now) tls_.look(now, world_.clock.judged());
  if (store_look_at_ <= now) look_at_store();
  if (machine_look_at_ <= now) {
    look_at_machine(now);
    machine_look_at_ = now + kMachineLookInterval;
  }
  if (minute_at_ <= now) look_at_time_of_day(now);
  for (const auto& link : bridge_links_) link->handle_timeout(now);
  status_.publish(now);
  presence_.publish(engine_.bridges(), now);
  web_desk_.answer(now);
  traces_.handle_timeout(now);
  control_.answer(now);
  if (watchdog_at_ <= now) {
    world_.notify.watchdog();
    world_.notify.status(status_.summary());
    watchdog_at_ = now + *world_.notify.watchdog_interval();
  }
}

void Runtime::look_at_machine(Instant now) {
  const std::uint64_t allocated = allocated_bytes();
  engine_.broker().handle_memory(allocated);
  const bool trusted = world_.clock.trusted();
  status_sources_.note_machine(allocated, trusted);
  if (std::exchange(clock_trusted_, trusted) || !trusted) return;
  look_at_time_of_day(now);
  engine_.broker().handle_clock_trusted(now);
  clients_.judge_peers(world_.clock.judged());
  for (const auto& link : bridge_links_) link->judge_peer(world_.clock.judged());
}

void Runtime::look_at_time_of_day(Instant now) {
  constexpr Duration kUntrustedInterval = std::chrono::minutes(1);
  minute_at_ = kNever;
  const auto time = world_.clock.local_time();
  for (const auto& link : bridge_links_) {
    if (!link->bridge().has_window()) continue;
    link->bridge().handle_minute(time ? std::optional(time->minute) : std::nullopt, now);
    minute_at_ = now + (time ? time->to_next_minute : kUntrustedInterval);
  }
}

void Runtime::flush(bridge::Bridge& bridge, Instant) {
  const auto serves = [&bridge](const auto& link) { return &link->bridge() == &bridge; };
  (*std::find_if(bridge_links_.begin(), bridge_links_.end(), serves))->flush();
}

void Runtime::flush_clients(Instant) {
  clients_.flush();
}

void Runtime::flush_full() {
  for (const auto& link : bridge_links_) link->flush_full();
  clients_.flush_full();
}

Instant Runtime::next_deadline() const {
  Instant link_due = kNever;
  for (const auto& link : bridge_links_) link_due = std::min(link_due, link->next_deadline());
  return std::min({link_due, engine_.next_deadline(), clients_.next_deadline(), tls_.next_look(),
                   status_.next_deadline(), presence_.next_deadline(engine_.bridges()), web_desk_.next_deadline(),
                   control_.next_deadline(), traces_.next_deadline(), store_look_at_, minute_at_, watchdog_at_,
                   stop_by_});
}

void Runtime::arm_timer(Instant now) {
  const Instant next = next_deadline();
  if (next == armed_) return;
  armed_ = next;
  // Firing ends the turn, which is all that is wanted. Rounded up: a millisecond early would only be another turn.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(next, now) - now);
  fires_at_ = now + wait;
  const auto fired = [](uv_timer_t* timer) { static_cast<Runtime*>(timer->data)->on_timer(); };
  uv_timer_start(timer_.get(), fired, static_cast<std::uint64_t>(wait.count()), 0);
}

void Runtime::on_timer() {
  armed_ = kNever;
  const Instant now = world_.clock.now();
  loop_watch_.note(now - fires_at_, now);
}

void Runtime::look_at_store() {
  const Instant now = world_.clock.now();
  StoreThread::Events events = store_.take_events(now);
  store_look_at_ = events.commit_started ? now + kStoreLookInterval : kNever;
  store_watch_.note(events.health, events.commit_started, now);
  for (const broker::Page& page : events.pages) control_.handle_page(page);
  engine_.handle_store({.failing = !broker::takes_messages(events.health.state),
                        .durable = events.durable,
                        .withdrawn = events.can_withdraw ? store_.withdraw() : std::nullopt,
                        .pages = std::move(events.pages)},
                       now);
}

// --- reload ---

void Runtime::reload() {
  world_.notify.reloading();
  if (const Status done = try_reload(); !done) {
    world_.log.write(LogLevel::Error, "reload.refused",
                     {{"reason", done.error().message()}, {"then", "the running configuration stays as it is"}});
  }
  world_.notify.ready();
}

Status Runtime::try_reload() {
  FURROW_TRY(config::Loaded loaded, world_.load_config());
  std::size_t errors = 0;
  for (const config::Diagnostic& one : loaded.diagnostics) {
    if (one.severity == config::Severity::Note) continue;
    const bool is_error = one.severity == config::Severity::Error;
    if (is_error) ++errors;
    world_.log.write(is_error ? LogLevel::Error : LogLevel::Warning, is_error ? "config.error" : "config.warning",
                     {{"place", config::format(one, config_name_)}});
  }
  if (errors > 0) {
    return Error(Errc::InvalidArgument, config_name_ + " has errors: " + std::to_string(errors) + ", see above");
  }
  config::Config& wanted = loaded.config;
  const std::vector<config::Change> changes = config::diff(config_, wanted);
  config::keep_what_needs_restart(config_, wanted);
  FURROW_TRY(PasswordChecks::Loaded users, load_users(wanted.access));
  FURROW_TRY_STATUS(listeners_.change(wanted, config_name_, world_.clock.judged()));
  // From here on nothing fails.
  const Instant now = world_.clock.now();
  std::swap(config_, wanted);
  status_sources_.set_listeners(listeners_.statuses());
  passwords_->use(std::move(users));
  tls_.set(listeners_.tls_entrances(), config_.bridges);
  engine_.broker().apply(broker_options(config_, 0), now);
  change_bridges(wanted);
  status_.set_interval(config_.status.interval, now);
  apply_status_settings(now);
  world_.log.set(log_options(config_.log));
  for (const config::Change& one : changes) {
    world_.log.write(one.needs_restart ? LogLevel::Warning : LogLevel::Info,
                     one.needs_restart ? "reload.needs_restart" : "reload.changed",
                     {{"key", one.key}, {"from", one.from}, {"to", one.to}});
  }
  world_.log.write(LogLevel::Info, "reload.done",
                   {{"config", config_name_}, {"changes", std::uint64_t{changes.size()}}});
  return {};
}

void Runtime::change_bridges(const config::Config& before) {
  const Instant now = world_.clock.now();
  const bool same_presence = before.status.remote_topic == config_.status.remote_topic;  // which CONNECT names
  rename_buffers();
  for (const config::Bridge& one : config_.bridges) {
    const auto had = std::ranges::find(before.bridges, one.name, &config::Bridge::name);
    if (had != before.bridges.end() && *had == one && same_presence) continue;
    bridge::Options options = options_of(one);
    bridge::Bridge* const bridge = engine_.find_bridge(one.name);
    const bool same_link = had != before.bridges.end() && config::keeps_its_link(*had, one) && same_presence;
    if (bridge != nullptr && same_link && !engine_.is_leaving(*bridge)) {
      bridge->set_limits(options.buffer);
      bridge->set_rules(std::move(options.rules), now);
    } else if (engine_.has_bridge(one.name)) {
      engine_.renew_bridge(std::move(options), now);
    } else {
      status_sources_.remove(engine_.buffers().of(one.name));
      make_link(engine_.add_bridge(std::move(options), now));
    }
  }
  for (const config::Bridge& one : before.bridges) {
    const bool is_kept = std::ranges::find(config_.bridges, one.name, &config::Bridge::name) != config_.bridges.end();
    const bool is_renamed = !engine_.has_bridge(one.name);
    if (!is_kept && !is_renamed) engine_.retire_bridge(one.name, now);
  }
}

void Runtime::handle_bridge_left(const bridge::Bridge& bridge) {
  std::erase_if(bridge_links_, [&](const auto& link) { return &link->bridge() == &bridge; });
  status_sources_.remove(engine_.buffers().of(bridge.bridge_name()));
  const bool is_configured =
      std::ranges::find(config_.bridges, bridge.bridge_name(), &config::Bridge::name) != config_.bridges.end();
  if (!is_configured) note_unconfigured_buffers();
}

void Runtime::handle_bridge_made(bridge::Bridge& bridge) {
  make_link(bridge);
}

// --- stop ---

void Runtime::on_signal(int signal) {
  if (signal == SIGHUP) {
    if (stop_by_ == kNever) reload();
    return;
  }
  world_.log.write(LogLevel::Info, "stopping", {{"signal", signal_text(signal)}});
  if (stop_by_ == kNever) {
    begin_stop();
  } else {
    world_.loop.stop();  // asked twice: whoever asks does not want to wait
  }
}

void Runtime::begin_stop() {
  const Instant now = world_.clock.now();
  world_.notify.stopping();
  stop_by_ = now + kStopTimeout;
  listeners_.close_for_good();
  clients_.close_opening();
  control_.close();
  engine_.shut_down(now);
}

bool Runtime::is_stopped() const {
  if (stop_by_ == kNever) return false;
  if (world_.clock.now() >= stop_by_) return true;
  const auto gone = [](const std::unique_ptr<BridgeLink>& link) { return link->disconnected(); };
  return engine_.broker().journal().idle() && clients_.size() == 0 &&
         std::all_of(bridge_links_.begin(), bridge_links_.end(), gone);
}

}  // namespace furrow::gateway
