// The network connections of local clients: bytes between their sockets and the broker.
//
// Each has a descriptor and a stream here and a Connection in the broker; both refer to it by its ConnectionId.
// Thread: loop.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/broker.h"
#include "gateway/clock.h"
#include "gateway/descriptor.h"
#include "tsl/robin_map.h"

namespace furrow::gateway {

class ClientLinks {
 public:
  // Everything must outlive this; the broker may go first.
  ClientLinks(uv_loop_t& loop, broker::Broker& broker, const Clock& clock);
  ~ClientLinks();

  // Hands a new connection to the broker, or closes it when that has no room.
  void accept(Descriptor connection, std::string peer);

  // Writes what the broker has for its clients, and closes what it wants closed. Once a loop turn, as the last thing.
  void flush();

  std::size_t size() const { return links_.size(); }

 private:
  class Link;

  void flush(Link& link);
  // Tells the broker, and takes the link away.
  void end(ConnectionId id);

  uv_loop_t& loop_;
  broker::Broker& broker_;
  const Clock& clock_;
  tsl::robin_map<std::uint64_t, std::unique_ptr<Link>> links_;  // by ConnectionId
  std::vector<ConnectionId> written_;                           // whose sockets have room again
};

}  // namespace furrow::gateway
