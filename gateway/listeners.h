// The places where local clients come in: the sockets of each listener, and what it asks of those who come by it.
//
// Two steps, as TcpListener: bind() takes all ports, accept() begins. A change keeps the sockets of listeners whose
// address stays, so that nobody who is on the way is turned away; clients that are connected stay in any case.
// Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "config/config.h"
#include "gateway/client_links.h"
#include "gateway/net/listen_point.h"
#include "gateway/status/model.h"
#include "gateway/tls_watch.h"

namespace furrow::gateway {

class Listeners {
 public:
  // Takes the ports, and reads the files of TLS as of `now`. The error names the place in the file, which is
  // `config_name` for people.
  static Result<Listeners> bind(const config::Config& config, const std::string& config_name, WallTime now);

  // Begins to accept: whoever comes goes to `clients`. `changed` is called when statuses() has changed by itself: an
  // address has come, or gone. All of these must outlive this.
  void accept(uv_loop_t& loop, Log& log, ClientLinks& clients, std::function<void()> changed);
  // Other listeners take the place of these, all of them or, with an error, none. REQUIRES: accept() was called.
  Status change(const config::Config& config, const std::string& config_name, WallTime now);
  // The gateway stops: closes all of them, and those who came by them are told so in the end.
  void close_for_good();

  std::vector<ListenerStatus> statuses() const;
  // Of those with TLS.
  std::vector<std::shared_ptr<TlsEntrance>> tls_entrances() const;

 private:
  struct One {
    config::Listener wanted;
    ListenerStatus status;
    Entrance entrance;
    std::unique_ptr<ListenPoint> point;
    std::shared_ptr<TlsEntrance> tls;  // nullptr: none
  };
  using All = std::vector<std::unique_ptr<One>>;

  static Status bind(One& one, const std::string& name, const std::string& config_name);
  static bool listens_alike(const config::Listener& one, const config::Listener& other);
  // What each listener of `config` has of TLS, made from its files; `before` is what it had, in the same order.
  static Result<std::vector<std::shared_ptr<TlsEntrance>>> open_tls(const config::Config& config,
                                                                    const std::string& config_name,
                                                                    const std::vector<One*>& before, WallTime now);
  // What the status and those who come by them see.
  static void describe(All& all, const config::Config& config);
  void accept(One& one);
  std::vector<One*> pair(const std::vector<config::Listener>& wanted) const;
  std::vector<One*> give_up_what_is_in_the_way(const All& added, const std::vector<One*>& pairs);
  // The port of a listener that was given up for another one, which could not be had.
  void take_back(One& one, const std::string& config_name);

  All all_;
  // Nullptr until accept().
  uv_loop_t* loop_ = nullptr;
  Log* log_ = nullptr;
  ClientLinks* clients_ = nullptr;
  std::function<void()> changed_;
};

}  // namespace furrow::gateway
