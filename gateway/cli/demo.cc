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

#include "gateway/cli/demo_client.h"
#include "gateway/cli/demo_ledger.h"
#include "gateway/cli/demo_process.h"
#include "gateway/cli/demo_proxy.h"
#include "gateway/cli/exit_code.h"
#include "gateway/clock.h"
#include "gateway/event_loop.h"
#include "gateway/log_sink.h"
#include "gateway/process.h"
#include "gateway/signals.h"
#include "gateway/status/json.h"

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kSensors = 3;
constexpr Duration kReadingInterval = milliseconds(100);
constexpr Duration kTick = milliseconds(20);
// Without an end, the outage begins after this.
constexpr Duration kFirstCut = seconds(10);
// After the last message has arrived: what would come twice, comes by then.
constexpr Duration kSettle = seconds(2);
// By then everything must have arrived, or it is lost.
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

std::string broker_config(const std::string& id) {
  return "gateway: {id: " + id + ", data: data-" + id + "}\nlisteners: [{bind: 127.0.0.1:0}]\nstatus: {interval: 1s}\n";
}

std::string bridged_config(const std::string& id, const std::string& remote) {
  return broker_config(id) + "bridges:\n  - name: region\n    connect: mqtt://" + remote +
         "\n    backoff: {initial: 500ms, max: 2s}\n    topics: [{filter: farm/#, qos: 2}]\n";
}

double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

class Demo {
 public:
  Demo(EventLoop& loop, const Clock& clock, Log& log, const TemporaryDirectory& directory, const DemoOptions& options)
      : loop_(loop),
        clock_(clock),
        log_(log),
        directory_(directory),
        outage_(seconds(options.outage_s)),
        publish_for_(options.for_s ? Duration(seconds(*options.for_s)) : Duration::max()),
        cut_after_(options.for_s ? publish_for_ / 3 : kFirstCut),
        signals_(loop.uv(), {SIGINT, SIGTERM}, [this](int) { on_interrupt(); }),
        timer_(loop.uv(), this, uv_timer_init) {}

  int run() {
    start_region();
    if (!failed_) loop_.run();
    if (failed_) return kExitFailure;
    const DemoLedger::Sums sums = ledger_.sums();
    std::printf("sent %llu, arrived %llu, lost %llu, duplicated %llu\n", as_printed(sums.sent),
                as_printed(sums.arrived), as_printed(sums.lost()), as_printed(sums.duplicated));
    return sums.exactly_once() && sums.sent > 0 ? kExitFine : kExitFailure;
  }

 private:
  enum class Wan { Up, Cut, Healed };

  static unsigned long long as_printed(std::uint64_t number) { return number; }

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
    const auto on_tick = [](uv_timer_t* timer) { static_cast<Demo*>(timer->data)->tick(); };
    const auto tick_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(kTick).count());
    uv_timer_start(timer_.get(), on_tick, 0, tick_ms);
  }

  // --- the tour ---

  void tick() {
    const Instant now = clock_.now();
    if (is_publishing(now)) publish(now);
    move_wan(now);
    if (now >= next_report_) report(now);
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
    if (wan_ == Wan::Up && is_publishing(now) && now - started_ >= cut_after_) {
      wan_ = Wan::Cut;
      cut_at_ = now;
      proxy_->cut();
      say("WAN: cut in mid-flight, for " + std::to_string(outage_ / seconds(1)) + " s");
    } else if (wan_ == Wan::Cut && (now - cut_at_ >= outage_ || interrupted_)) {
      wan_ = Wan::Healed;
      proxy_->heal();
      say("WAN: healed; the gateway drains its buffer");
    }
  }

  void on_status(std::string_view payload) {
    if (auto status = read_bridge_status(payload)) bridge_ = *std::move(status);
  }

  void report(Instant now) {
    next_report_ = now + seconds(1);
    const DemoLedger::Sums sums = ledger_.sums();
    std::printf("[%5.1f s] sent %5llu   arrived %5llu   in the gateway %5llu   bridge %s\n", in_seconds(now - started_),
                as_printed(sums.sent), as_printed(sums.arrived), as_printed(bridge_.backlog + bridge_.inflight),
                bridge_.state.c_str());
    std::fflush(stdout);
  }

  void look_for_end(Instant now) {
    const auto open = [](const std::unique_ptr<DemoClient>& sensor) { return sensor->unacknowledged() > 0; };
    const bool complete = ledger_.sums().lost() == 0 && std::none_of(sensors_.begin(), sensors_.end(), open);
    if (complete && complete_at_ == kNever) complete_at_ = now;
    if (last_reading_at_ == kNever) last_reading_at_ = now;
    const bool settled = complete && now - complete_at_ >= kSettle;
    if (settled || now - last_reading_at_ >= kDrainTimeout) loop_.stop();
  }

  void on_interrupt() {
    if (interrupted_ || started_ == kNever) {
      fail("interrupted");
    } else {
      interrupted_ = true;
      say("stopping: waiting for what is under way");
    }
  }

  void say(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }

  void fail(const std::string& why) {
    if (failed_) return;
    failed_ = true;
    std::printf("the demo failed: %s\n", why.c_str());
    for (const DemoProcess* process : {region_.get(), gateway_.get()}) {
      if (process != nullptr) std::printf("%s", process->log_tail().c_str());
    }
    loop_.stop();
  }

  EventLoop& loop_;
  const Clock& clock_;
  Log& log_;
  const TemporaryDirectory& directory_;
  const Duration outage_;
  const Duration publish_for_;
  const Duration cut_after_;

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
  Instant cut_at_{};
  Instant last_reading_at_ = kNever;  // publishing and the outage are over
  Instant complete_at_ = kNever;      // everything has arrived
  bool interrupted_ = false;
  bool failed_ = false;
};

}  // namespace

int run_demo(const DemoOptions& options) {
  ignore_broken_pipes();
  const auto directory = TemporaryDirectory::make();
  if (!directory) {
    std::fprintf(stderr, "furrow: %s\n", directory.error().message().c_str());
    return kExitFailure;
  }
  const Clock clock;
  LogSink log({.level = LogLevel::Warning, .format = LogFormat::Text}, clock);
  EventLoop loop;
  return Demo(loop, clock, log, **directory, options).run();
}

}  // namespace furrow::gateway
