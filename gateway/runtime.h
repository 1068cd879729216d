// The running gateway: feeds the engine what happens, and does what it wants done.
//
// One loop turn: callbacks of libuv hand in what came (bytes, answers of the store, signals); before the loop sleeps
// again, the turn ends once for everything, in the order that the engine has, and the one timer is set to the next
// deadline of anybody. Thread: the loop's, which owns all state; the store works on its own.
//
// A reload (HUP) finds out first whether all of the new configuration can be had: the file is read and checked whole,
// and new ports are taken. Only then the difference is applied, and nothing that it does not concern notices: see
// reload.h.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "config/config.h"
#include "config/load_yaml.h"
#include "gateway/bridge_link.h"
#include "gateway/client_links.h"
#include "gateway/clock.h"
#include "gateway/control/desk.h"
#include "gateway/control/traces.h"
#include "gateway/control_links.h"
#include "gateway/engine/engine.h"
#include "gateway/identity/password_checks.h"
#include "gateway/listeners.h"
#include "gateway/log_sink.h"
#include "gateway/net/event_loop.h"
#include "gateway/net/resolver.h"
#include "gateway/net/uv_handle.h"
#include "gateway/signals.h"
#include "gateway/status/loop_watch.h"
#include "gateway/status/presence_news.h"
#include "gateway/status/sources.h"
#include "gateway/status/store_watch.h"
#include "gateway/status/topics.h"
#include "gateway/status/web_desk.h"
#include "gateway/store_thread.h"
#include "gateway/systemd_notify.h"
#include "gateway/tls_watch.h"

namespace furrow::gateway {

class Runtime final : private Engine::Edge {
 public:
  // What the runtime needs of its surroundings; all of it must outlive it.
  struct World {
    EventLoop& loop;
    Clock& clock;
    LogSink& log;
    SystemdNotify& notify;
    // Reads the configuration again.
    std::function<Result<config::Loaded>()> load_config;
  };

  // Takes the ports, then opens the store; when either fails nothing has changed. `config_name` is the file, for
  // people.
  static Result<std::unique_ptr<Runtime>> start(const World& world, const config::Config& config,
                                                const std::string& config_name);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Serves until a signal ends it. The error says what could not be made durable.
  Status run();

 private:
  // What start() has got hold of.
  struct Opened {
    std::string config_name;
    Listeners listeners;
    std::unique_ptr<SqliteStore> store;
    broker::Restored restored;
    std::string gateway_id;
    std::unique_ptr<PasswordChecks> passwords;
  };

  Runtime(const World& world, const config::Config& config, Opened opened);
  StoreThread::Options store_thread_options();
  Desk::World desk_world();
  // Buffers that the configuration calls by another name now.
  void rename_buffers();
  void make_bridges();
  void make_link(bridge::Bridge& bridge);
  bridge::Options options_of(const config::Bridge& bridge) const;
  void apply_status_settings(Instant now);
  void note_unconfigured_buffers();
  void log_inventory();

  void on_timer();
  void on_signal(int signal);
  void reload();
  Status try_reload();
  // Makes the bridges those of config_, after `before`.
  void change_bridges(const config::Config& before);
  void look_at_store();
  void begin_stop();
  bool is_stopped() const;

  // The loop has handed in what came; its own time is still that at which it began to.
  void note_woken();
  // The end of a loop turn.
  void end_turn();
  void handle_due(Instant now);
  void look_at_machine(Instant now);
  void look_at_time_of_day(Instant now);
  // Engine::Edge
  void flush(bridge::Bridge& bridge, Instant now) override;
  void flush_clients(Instant now) override;
  void handle_bridge_left(const bridge::Bridge& bridge) override;
  void handle_bridge_made(bridge::Bridge& bridge) override;
  // Between pieces of what is read. More than an output has room for may come in one turn, and QoS 0 would be dropped
  // for lack of a write.
  void flush_full();
  Instant next_deadline() const;
  void arm_timer(Instant now);

  // Constant after construction.
  const World world_;
  const std::string config_name_;
  const std::string gateway_id_;

  UvHandle<uv_async_t> store_wake_;
  UvHandle<uv_check_t> polled_;
  UvHandle<uv_prepare_t> turn_end_;
  UvHandle<uv_timer_t> timer_;
  Signals signals_;
  Resolver resolver_;

  config::Config config_;  // that is running
  bool clock_trusted_;     // when it was last looked at, and at start before anything was read

  // In the order of dependence: what comes later refers to what came before.
  StoreThread store_;
  Engine engine_;
  std::unique_ptr<PasswordChecks> passwords_;
  Traces traces_;
  ClientLinks clients_;
  TlsWatch tls_;
  std::vector<std::unique_ptr<BridgeLink>> bridge_links_;
  StoreWatch store_watch_;
  StatusSources status_sources_;
  StatusTopics status_;
  PresenceNews presence_;
  WebDesk web_desk_;
  Desk desk_;
  ControlLinks control_;
  Listeners listeners_;  // as in config_

  Instant minute_at_ = kNever;      // when the time of day is looked at, for bridges with a window
  Instant store_look_at_ = kNever;  // a commit is under way: whether it has become slow
  Instant machine_look_at_{};       // not earlier; an idle gateway is not woken for it
  Instant watchdog_at_ = kNever;
  Instant armed_ = kNever;     // when timer_ fires
  Instant fires_at_ = kNever;  // as a whole millisecond has it
  LoopWatch loop_watch_;
  std::chrono::milliseconds woken_at_{};  // by the loop's time
  Instant stop_by_ = kNever;  // kNever: not stopping
};

}  // namespace furrow::gateway
