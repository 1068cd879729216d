// The control socket: `DATA/control.sock`, by which programs of this machine steer the gateway while it runs.
//
//   a connection   asks, a line a request; its answer is written before the next line is looked at (control/answer.h)
//   the file       is for its owner and root alone (0600); that of a process that was killed is replaced
//
// In one turn all of them together are answered with one slice of work, so that no listing holds up messages. A reader
// that does not read gets no further slice. A line that is too long ends its connection, and beyond kMax connections
// one that asks nothing gives way. Where the socket cannot be made the gateway runs without, and the log says so.
// Thread: loop.
#pragma once

#include <uv.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include "broker-core/base/log.h"
#include "broker-core/base/time.h"
#include "broker-core/store.h"
#include "gateway/control/desk.h"
#include "gateway/net/descriptor.h"
#include "gateway/net/link_stats.h"
#include "gateway/net/tcp_listener.h"

namespace furrow::gateway {

// Where the control socket of a data directory is.
std::string control_socket(const std::string& data);

class ControlLinks {
 public:
  static constexpr std::size_t kMax = 8;

  // All of these must outlive this.
  ControlLinks(uv_loop_t& loop, Desk& desk, Log& log, LinkStats& stats);
  ~ControlLinks();

  // Takes the socket. REQUIRES: the lock of the data directory is ours.
  void open(const std::string& data);
  // Gives it up, and closes all connections.
  void close();

  // Answers what can be answered by now. Once a turn, before the broker's ends.
  void answer(Instant now);
  void handle_page(const broker::Page& page);
  Instant next_deadline() const;

 private:
  class Link;

  void accept(Descriptor connection);
  // Closes the oldest that asks nothing. False when all of them do.
  bool make_room();

  uv_loop_t& loop_;
  Desk& desk_;
  Log& log_;
  LinkStats& stats_;
  std::unique_ptr<TcpListener> listener_;
  std::list<std::unique_ptr<Link>> links_;  // those to be answered first come first
  bool has_more_ = false;                   // another slice is to be made in the next turn
};

}  // namespace furrow::gateway
