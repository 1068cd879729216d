// The network connections of local clients: bytes between their sockets and the broker.
//
// Each has a descriptor and a stream here and a Connection in the broker; both refer to it by its ConnectionId.
// Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/broker.h"
#include "gateway/clock.h"
#include "gateway/net/descriptor.h"

namespace furrow::gateway {

class ClientLinks {
 public:
  // Everything must outlive this; the broker may go first. `after_piece` is called after each piece of what is read,
  // and has every full output written; it may end any connection.
  ClientLinks(uv_loop_t& loop, broker::Broker& broker, const Clock& clock, std::function<void()> after_piece);
  ~ClientLinks();

  // Hands a new connection to the broker, or closes it when that has no room.
  void accept(Descriptor connection, std::string peer);

  // Writes what the broker has for its clients, and closes what it wants closed. Once a loop turn, as the last thing.
  void flush();
  // Writes the outputs that are worth a write before the turn ends.
  void flush_full();

  // Connections that the broker knows.
  std::size_t size() const { return size_; }

  // Lets go of peers that do not close after we have said goodbye.
  void handle_timeout(Instant now);
  Instant next_deadline() const { return parting_.empty() ? kNever : parting_.front().until; }

 private:
  class Link;
  struct Parting {
    Instant until;
    std::unique_ptr<Link> link;
  };

  Link* find(ConnectionId id) const;
  std::unique_ptr<Link> take(ConnectionId id);
  void flush(Link& link);
  // Tells the broker, and takes the link away.
  void end(ConnectionId id);
  // As end(), but lets the peer read our last words first: closing with bytes of the peer's unread would reset the
  // connection and throw them away (RFC 1122 §4.2.2.13). So we wait for its close, for a while.
  void part(ConnectionId id);
  void end_parting(const Link& link);

  uv_loop_t& loop_;
  broker::Broker& broker_;
  const Clock& clock_;
  const std::function<void()> after_piece_;
  std::vector<std::unique_ptr<Link>> links_;  // by slot_of(ConnectionId)
  std::size_t size_ = 0;
  std::vector<ConnectionId> written_;  // whose sockets have room again
  std::list<Parting> parting_;         // in the order in which they end
};

}  // namespace furrow::gateway
