// The running gateway: feeds the engine what happens, and does what it wants done.
//
// One loop turn: callbacks of libuv hand in what came (bytes, answers of the store, signals); before the loop sleeps
// again, the turn ends once for everything, in the order that the engine has, and the one timer is set to the next
// deadline of anybody. Thread: the loop's, which owns all state; the store works on its
// own.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "config/config.h"
#include "gateway/bridge_link.h"
#include "gateway/client_links.h"
#include "gateway/clock.h"
#include "gateway/engine/engine.h"
#include "gateway/net/event_loop.h"
#include "gateway/net/resolver.h"
#include "gateway/net/tcp_listener.h"
#include "gateway/net/uv_handle.h"
#include "gateway/signals.h"
#include "gateway/status/sources.h"
#include "gateway/status/store_watch.h"
#include "gateway/status/topics.h"
#include "gateway/store_thread.h"
#include "gateway/systemd_notify.h"

namespace furrow::gateway {

class Runtime final : private Engine::Edge {
 public:
  // What the runtime needs of its surroundings; all of it must outlive it.
  struct World {
    EventLoop& loop;
    Clock& clock;
    Log& log;
    SystemdNotify& notify;
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
  struct Listener {
    ListenerStatus status;
    Entrance entrance;
    std::unique_ptr<TcpListener> socket;
  };
  // What start() has got hold of.
  struct Opened {
    std::string config_name;
    std::vector<Listener> listeners;
    std::unique_ptr<SqliteStore> store;
    broker::Restored restored;
    std::string gateway_id;
  };

  static Result<std::vector<Listener>> bind_listeners(const config::Config& config, const std::string& config_name);
  static std::vector<ListenerStatus> statuses(const std::vector<Listener>& listeners);

  Runtime(const World& world, const config::Config& config, Opened opened);
  StoreThread::Options store_thread_options();
  void make_bridges(const config::Config& config, const std::string& gateway_id);
  void log_inventory(const config::Config& config, const Opened& opened);
  void accept();

  void on_signal(int signal);
  void look_at_store();
  void begin_stop();
  bool is_stopped() const;

  // The end of a loop turn.
  void end_turn();
  void handle_due(Instant now);
  void look_at_machine(Instant now);
  // Engine::Edge
  void flush(bridge::Bridge& bridge, Instant now) override;
  void flush_clients(Instant now) override;
  // Between pieces of what is read. More than an output has room for may come in one turn, and QoS 0 would be dropped
  // for lack of a write.
  void flush_full();
  Instant next_deadline() const;
  void arm_timer(Instant now);

  // Constant after construction.
  const World world_;

  UvHandle<uv_async_t> store_wake_;
  UvHandle<uv_prepare_t> turn_end_;
  UvHandle<uv_timer_t> timer_;
  Signals signals_;
  Resolver resolver_;

  bool clock_trusted_;  // when it was last looked at, and at start before anything was read

  // In the order of dependence: what comes later refers to what came before.
  StoreThread store_;
  Engine engine_;
  ClientLinks clients_;
  std::vector<std::unique_ptr<BridgeLink>> bridge_links_;
  StoreWatch store_watch_;
  StatusSources status_sources_;
  StatusTopics status_;
  std::vector<Listener> listeners_;

  Instant store_look_at_ = kNever;  // a commit is under way: whether it has become slow
  Instant machine_look_at_{};       // not earlier; an idle gateway is not woken for it
  Instant watchdog_at_ = kNever;
  Instant armed_ = kNever;    // when timer_ fires
  Instant stop_by_ = kNever;  // kNever: not stopping
};

}  // namespace furrow::gateway
