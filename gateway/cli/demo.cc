#include "gateway/cli/demo.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "config/scalar.h"
#include "gateway/cli/demo_client.h"
#include "gateway/cli/demo_ledger.h"
#include "gateway/cli/demo_process.h"
#include "gateway/cli/demo_proxy.h"
#include "gateway/cli/demo_screen.h"
#include "gateway/cli/exit_code.h"
#include "gateway/clock.h"
#include "gateway/log_sink.h"
#include "gateway/net/event_loop.h"
#include "gateway/signals.h"
#include "gateway/status/json.h"
#include "gateway/www/page_files.h"

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kSensors = 3;
constexpr Duration kReadingInterval = milliseconds(100);
constexpr Duration kTick = milliseconds(20);
// The WAN is up this long before the first outage, if the tour is not shorter, and after each drain.
constexpr Duration kUp = seconds(10);
// The backlog has drained when no more than this is under way: the readings of one second.
constexpr std::uint64_t kUnderWay = kSensors * static_cast<std::uint64_t>(seconds(1) / kReadingInterval);
// After the last message has arrived: what would come twice, comes by then.
constexpr Duration kSettle = seconds(2);
// A message is lost when nothing has arrived for this long.
constexpr Duration kDrainTimeout = seconds(60);
// A sensor that the gateway does not answer waits with its next reading.
constexpr std::size_t kUnacknowledgedMax = 50;

// A directory that goes with its owner.
class TemporaryDirectory {
 public:
  static Result<std::unique_ptr<TemporaryDirectory>> make() {
    std::error_code failed;
    std::string path = (std::filesystem::temp_directory_path(failed) / "furrow-demo-XXXXXX").string();
    if (failed || ::mkdtemp(path.data()) == nullptr) return Error(Errc::Io, "make a temporary directory " + path);
    return std::unique_ptr<TemporaryDirectory>(new TemporaryDirectory(path));
  }
  ~TemporaryDirectory() {
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
    if (failed) std::printf("could not remove %s: %s\n", path_.c_str(), failed.message().c_str());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path_of(const std::string& name) const { return path_ + "/" + name; }
  bool write(const std::string& name, const std::string& text) const {
    std::ofstream file(path_of(name));
    file << text;
    return file.flush().good();
  }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// With a window of 20, a drain takes as many turns on the WAN as it would with a region that has other gateways, too.
std::string broker_config(const std::string& id) {
  return "gateway: {id: " + id + ", data: data-" + id +
         "}\nlisteners: [{bind: 127.0.0.1:0}, {bind: 127.0.0.1:0, protocol: websocket, name: websocket}]\n"
         "limits: {inflight: 20}\nstatus: {interval: 1s}\n";
}

std::string bridged_config(const std::string& id, const std::string& remote) {
  return broker_config(id) + "bridges:\n  - name: region\n    connect: mqtt://" + remote +
         "\n    backoff: {initial: 500ms, max: 2s}\n    topics: [{filter: farm/#, qos: 2}]\n";
}

class Demo {
 public:
  Demo(EventLoop& loop, const Clock& clock, Log& log, const TemporaryDirectory& directory, const DemoOptions& options)
      : loop_(loop),
        clock_(clock),
        log_(log),
        directory_(directory),
        outage_(options.outage),
        publish_for_(options.publish_for.value_or(Duration::max())),
        signals_(loop.uv(), {SIGINT, SIGTERM}, [this](int) { on_interrupt(); }),
        timer_(loop.uv(), this, uv_timer_init) {}

  int run() {
    start_region();
    if (!failed_) loop_.run();
    if (failed_) return kExitFailure;
    const DemoLedger::Sums sums = ledger_.sums();
    const bool fine = sums.exactly_once() && sums.sent > 0;
    const std::string result = "sent " + std::to_string(sums.sent) + ", arrived " + std::to_string(sums.arrived) +
                               ", lost " + std::to_string(sums.lost()) + ", duplicated " +
                               std::to_string(sums.duplicated);
    fine ? screen_.say_good(result) : screen_.say_bad(result);
    return fine ? kExitFine : kExitFailure;
  }

 private:
  enum class Wan { Up, Cut, Draining };

  // --- start, one after the other ---

  void start_region() {
    say("region: starting a broker");
    region_ = start_process("region", broker_config("region"), [this](std::uint16_t port) { start_gateway(port); });
  }

  void start_gateway(std::uint16_t region_port) {
    region_port_ = region_port;
    auto proxy = DemoProxy::start(loop_.uv(), region_port, log_);
    if (!proxy) {
      fail(proxy.error().message());
      return;
    }
    proxy_ = *std::move(proxy);
    say("region: ready on 127.0.0.1:" + std::to_string(region_port) + "; the WAN to it is a proxy on " +
        proxy_->address());
    gateway_ = start_process("barn", bridged_config("barn", proxy_->address()),
                             [this](std::uint16_t port) { start_clients(port); });
  }

  std::unique_ptr<DemoProcess> start_process(const std::string& id, const std::string& config,
                                             std::function<void(std::uint16_t)> on_ready) {
    const std::string file = id + ".yaml";
    if (!directory_.write(file, config)) {
      fail("write " + directory_.path_of(file));
      return nullptr;
    }
    auto process = DemoProcess::start(
        loop_.uv(), {"run", "-c", directory_.path_of(file)},
        {.on_ready = std::move(on_ready), .on_ended = [this, id] { fail("the process of " + id + " ended"); }});
    if (process) return *std::move(process);
    fail(process.error().message());
    return nullptr;
  }

  void start_clients(std::uint16_t port) {
    say("barn: gateway ready on 127.0.0.1:" + std::to_string(port) + ", bridged to the region at QoS 2");
    if (!page_files().empty()) {
      say("barn: its status page is at http://127.0.0.1:" + std::to_string(gateway_->web_port()) + "/");
    }
    const auto arrived = [this](std::string_view topic, std::string_view payload) { ledger_.arrive(topic, payload); };
    const auto status = [this](std::string_view, std::string_view payload) { on_status(payload); };
    const auto nothing = [](std::string_view, std::string_view) {};
    subscriber_ = start_client({region_port_, "demo-subscriber", "farm/#"}, arrived);
    watcher_ = start_client({port, "demo-watcher", "$SYS/furrow/bridge/region"}, status);
    for (std::size_t i = 0; i < kSensors; ++i) {
      sensors_.push_back(start_client({port, "field-" + std::to_string(i + 1), ""}, nothing));
    }
  }

  std::unique_ptr<DemoClient> start_client(DemoClient::Options options,
                                           std::function<void(std::string_view, std::string_view)> on_message) {
    return std::make_unique<DemoClient>(loop_.uv(), std::move(options),
                                        DemoClient::Events{.on_ready = [this] { on_client_ready(); },
                                                           .on_message = std::move(on_message),
                                                           .on_failed = [this](const std::string& why) { fail(why); }});
  }

  void on_client_ready() {
    if (++clients_ready_ < kSensors + 2) return;
    say("fields: " + std::to_string(kSensors) + " sensors publish " +
        std::to_string(kSensors * static_cast<std::size_t>(seconds(1) / kReadingInterval)) + " readings a second" +
        (publish_for_ == Duration::max() ? "; Ctrl-C ends the tour" : ""));
    started_ = clock_.now();
    next_reading_ = next_report_ = started_;
    next_cut_ = started_ + std::min(kUp, publish_for_ / 3);
    const auto on_tick = [](uv_timer_t* timer) { static_cast<Demo*>(timer->data)->tick(); };
    const auto tick_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(kTick).count());
    uv_timer_start(timer_.get(), on_tick, 0, tick_ms);
  }

  // --- the tour ---

  void tick() {
    const Instant now = clock_.now();
    if (is_publishing(now)) publish(now);
    move_wan(now);
    if (now >= next_report_ || bridge_.state != reported_state_) report(now);
    if (!is_publishing(now) && wan_ != Wan::Cut) look_for_end(now);
  }

  bool is_publishing(Instant now) const { return !interrupted_ && now - started_ < publish_for_; }

  void publish(Instant now) {
    if (now < next_reading_) return;
    next_reading_ += kReadingInterval;
    for (std::size_t i = 0; i < kSensors; ++i) {
      if (sensors_[i]->unacknowledged() >= kUnacknowledgedMax) continue;
      const DemoLedger::Message message = ledger_.send(i);
      sensors_[i]->publish(message.topic, message.payload);
    }
  }

  void move_wan(Instant now) {
    if (wan_ == Wan::Up && is_publishing(now) && now >= next_cut_) {
      wan_ = Wan::Cut;
      cut_at_ = now;
      proxy_->cut();
      screen_.say_bad("WAN: cut in mid-flight, for " + config::time_text(outage_));
    } else if (wan_ == Wan::Cut && (now - cut_at_ >= outage_ || interrupted_)) {
      wan_ = Wan::Draining;
      proxy_->heal();
      screen_.say_good("WAN: healed; the gateway drains its buffer over a link of 12 kbit/s");
    } else if (wan_ == Wan::Draining && ledger_.sums().lost() <= kUnderWay) {
      wan_ = Wan::Up;
      // Another cut, unless the tour would end in it.
      const bool has_room = publish_for_ - outage_ >= now + kUp - started_;
      next_cut_ = has_room ? now + kUp : kNever;
    }
  }

  void on_status(std::string_view payload) {
    if (auto status = read_bridge_status(payload)) bridge_ = *std::move(status);
  }

  void report(Instant now) {
    if (now >= next_report_) next_report_ = now + seconds(1);
    reported_state_ = bridge_.state;
    const DemoLedger::Sums sums = ledger_.sums();
    // The gateway's own count is up to a second old: what has arrived meanwhile is not there any more.
    const std::uint64_t waiting = std::min(bridge_.backlog + bridge_.inflight, sums.lost());
    screen_.report({.since_start = now - started_,
                    .sent = sums.sent,
                    .arrived = sums.arrived,
                    .waiting = waiting,
                    .bridge = reported_state_});
  }

  void look_for_end(Instant now) {
    const auto open = [](const std::unique_ptr<DemoClient>& sensor) { return sensor->unacknowledged() > 0; };
    const DemoLedger::Sums sums = ledger_.sums();
    const bool complete = sums.lost() == 0 && std::none_of(sensors_.begin(), sensors_.end(), open);
    if (complete && complete_at_ == kNever) complete_at_ = now;
    if (progress_at_ == kNever || sums.arrived != arrived_) progress_at_ = now;
    arrived_ = sums.arrived;
    const bool settled = complete && now - complete_at_ >= kSettle;
    if (settled || now - progress_at_ >= kDrainTimeout) loop_.stop();
  }

  void on_interrupt() {
    if (interrupted_ || started_ == kNever) {
      fail("interrupted");
    } else {
      interrupted_ = true;
      say("stopping: waiting for what is under way");
    }
  }

  void say(const std::string& line) const { screen_.say(line); }

  void fail(const std::string& why) {
    if (failed_) return;
    failed_ = true;
    screen_.say_bad("the demo failed: " + why);
    for (const DemoProcess* process : {region_.get(), gateway_.get()}) {
      if (process != nullptr) screen_.say(process->log_tail());
    }
    loop_.stop();
  }

  EventLoop& loop_;
  const Clock& clock_;
  Log& log_;
  const TemporaryDirectory& directory_;
  const Duration outage_;
  const Duration publish_for_;
  const DemoScreen screen_{DemoScreen::style_of_output()};

  Signals signals_;
  UvHandle<uv_timer_t> timer_;
  std::unique_ptr<DemoProcess> region_;
  std::uint16_t region_port_ = 0;
  std::unique_ptr<DemoProxy> proxy_;
  std::unique_ptr<DemoProcess> gateway_;
  std::unique_ptr<DemoClient> subscriber_;
  std::unique_ptr<DemoClient> watcher_;
  std::vector<std::unique_ptr<DemoClient>> sensors_;
  std::size_t clients_ready_ = 0;

  DemoLedger ledger_{kSensors};
  BridgeSummary bridge_;
  Wan wan_ = Wan::Up;
  Instant started_ = kNever;
  Instant next_reading_{};
  Instant next_report_{};
  std::string reported_state_;
  Instant next_cut_ = kNever;
  Instant cut_at_{};
  std::uint64_t arrived_ = 0;     // when it was looked at last
  Instant progress_at_ = kNever;  // something arrived, after publishing and the outage were over
  Instant complete_at_ = kNever;  // everything has arrived
  bool interrupted_ = false;
  bool failed_ = false;
};

}  // namespace

int run_demo(const DemoOptions& options) {
  const auto directory = TemporaryDirectory::make();
  if (!directory) return complain(directory.error().message());
  const Clock clock;
  LogSink log({.level = LogLevel::Warning, .format = LogFormat::Text}, clock);
  EventLoop loop;
  return Demo(loop, clock, log, **directory, options).run();
}

}  // namespace furrow::gateway
