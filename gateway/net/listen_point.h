// One listener of the configuration: its sockets, which may come later, and come and go.
//
//   bind            sockets
//   ADDRESS:PORT    one
//   NAME:PORT       one for each address that the network interface has
//   unix:PATH       one
//
// A machine starts before its network does, a modem has its address for an hour, a card is pulled. An address that is
// not there yet is waited for, as long as it takes: nobody has to restart anything, and what listens already does not
// wait for it. It is looked for each few seconds, and so is whether an interface has other addresses now. Rejected: to
// be told by netlink. It says what happens to every address of the machine, in more states than there are words for,
// and with a modem a few seconds are nothing. A port that somebody else has, or that we have no right to, is an error
// in any case: waiting would hide it. Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "config/config.h"
#include "gateway/net/link_stats.h"
#include "gateway/net/tcp_listener.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

class ListenPoint {
 public:
  using InterfaceAddresses = std::function<std::vector<std::string>(const std::string& interface)>;

  // Takes what is there of the listener of that name. An error when nothing can be, or may not be waited for.
  // `addresses` says what an interface has; by default the machine.
  static Result<std::unique_ptr<ListenPoint>> bind(const config::Listener& listener, std::string name,
                                                   InterfaceAddresses addresses = {});
  ~ListenPoint();

  // Begins to accept. `changed` is called when status() has changed. All of these must outlive this.
  void accept(uv_loop_t& loop, Log& log, LinkStats& stats, TcpListener::Accepted accepted,
              std::function<void()> changed);

  // Each address that it listens on, with its real port, parted by commas; what it waits for, if there is none.
  std::string address() const;
  // Why it waits, in words; empty: it does not.
  const std::string& waiting() const { return waiting_; }

  // Of the listener, for the log.
  void rename(std::string name) { name_ = std::move(name); }

  // Looks whether something has come or gone; each few seconds by itself. Logs what has changed.
  void look();

 private:
  struct Socket {
    std::string host;
    std::unique_ptr<TcpListener> listener;
  };

  ListenPoint(const config::Listener& listener, std::string name, InterfaceAddresses addresses);

  // The hosts that sockets are wanted for now.
  std::vector<std::string> hosts() const;
  Result<std::unique_ptr<TcpListener>> open(const std::string& host) const;
  // Opens what is missing, and closes what is wanted no longer. The error of what cannot be waited for.
  Status settle();
  void start(Socket& socket);

  // Constant after construction.
  const config::Bind bind_;
  const std::string mode_;
  const std::string group_;
  const bool wait_;
  const InterfaceAddresses interface_addresses_;

  std::string name_;

  // Since accept().
  uv_loop_t* loop_ = nullptr;
  Log* log_ = nullptr;
  LinkStats* stats_ = nullptr;
  TcpListener::Accepted accepted_;
  std::function<void()> changed_;

  std::vector<Socket> sockets_;
  std::string waiting_;
  std::string failed_;  // what was logged last of an address that cannot be had
  UvHandle<uv_timer_t> timer_;
};

}  // namespace furrow::gateway
