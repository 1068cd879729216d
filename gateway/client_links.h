// The network connections of local clients: bytes between their sockets and the broker.
//
// The life of a link:
//
//   state    the broker         what comes           goes on as
//   opening  knows nothing      is for its layers    linked once all layers are open and the broker has room;
//                                                    asking when it is no client of MQTT (net/web_links.h);
//                                                    parting when a layer gives up;
//                                                    closed by its peer, its deadline, newer ones, a stop
//   linked   has a Connection   is for the broker    parting once the broker wants it closed and all is written;
//                                                    closed by its peer, or when it cannot be written
//   parting  has forgotten it   is thrown away       closed by its peer, after a second, by newer ones
//
// Each state is an owner of the Channel: OpeningLinks, a Link here, WebLinks, PartingLinks. A connection without layers
// is linked as it is accepted. Whatever asks for the peer (limits, logs, later access rules) asks for the one that the
// layers name, and gets the same answer in every state. One deadline, until CONNECT, counts from accept over the first
// two. Link and Connection refer to each other by ConnectionId. Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/ip.h"
#include "broker-core/broker.h"
#include "broker-core/limit_log.h"
#include "gateway/clock.h"
#include "gateway/control/traces.h"
#include "gateway/net/accept_pace.h"
#include "gateway/net/channel.h"
#include "gateway/net/descriptor.h"
#include "gateway/net/link_stats.h"
#include "gateway/net/opening_links.h"
#include "gateway/net/parting_links.h"
#include "gateway/net/refusal_log.h"
#include "gateway/net/socket_address.h"
#include "gateway/net/web_links.h"
#include "gateway/net/web_request.h"
#include "gateway/tls_watch.h"

namespace furrow::gateway {

// What a listener asks of those who come by it.
struct Entrance {
  std::string listener;                              // its name
  std::vector<IpNetwork> balancers;                  // where PROXY headers come from; nobody else may connect then
  std::vector<IpNetwork> allow_from;                 // of clients; empty: they may come from everywhere
  std::shared_ptr<const TlsEntrance> tls = nullptr;  // nullptr: none
  std::shared_ptr<WebSite> website;  // it takes WebSocket, and judges requests by this; null: MQTT alone
};

class ClientLinks final : private OpeningLinks::Owner {
 public:
  // Everything must outlive this; the broker may go first. `after_piece` is called after each piece of what is read,
  // and has every full output written; it may end any connection.
  ClientLinks(uv_loop_t& loop, broker::Broker& broker, Traces& traces, const Clock& clock, Log& log,
              std::function<void()> after_piece);
  ~ClientLinks();

  // Takes a new connection, or closes it when the entrance or the broker has no room for it. Returns how long the next
  // one has to wait, by `limits.connections_per_second`. Those from this machine do not count: they are few, and known.
  Duration accept(Descriptor connection, const SocketAddress& peer, const Entrance& entrance);
  // A stop: nobody is on the way in any more.
  void close_opening() {
    opening_.clear();
    web_.clear();
  }

  // Writes what the broker has for its clients, and closes what it wants closed. Once a loop turn, as the last thing.
  void flush();
  // Writes the outputs that are worth a write before the turn ends.
  void flush_full();

  // Connections that the broker knows.
  std::size_t size() const { return size_; }
  std::size_t opening() const { return opening_.size(); }
  const LinkStats& stats() const { return stats_; }
  // Those who ask by HTTP; needs a desk before anybody comes.
  WebLinks& web() { return web_; }
  // For those who accept.
  LinkStats& mutable_stats() { return stats_; }

  // The clock is trusted now, and says `time`: closes connections whose certificates have expired by it.
  void judge_peers(WallTime time);

  // A turn of the loop took this long.
  void note_turn(Duration lasted) { pace_.note_turn(lasted); }

  void handle_timeout(Instant now);
  Instant next_deadline() const;

 private:
  class Link;
  struct Block;

  void handle_opened(Channel channel, const Introduction& introduction, Instant accepted) override;
  void handle_failed(Channel channel) override;
  Instant now() const override { return clock_.now(); }

  // Says in log and counters that the connection is closed, if it is.
  bool admits(const Entrance& entrance, const Introduction& introduction);
  void welcome(Descriptor connection, const SocketAddress& peer, const Entrance& entrance);
  Duration pace(const SocketAddress& peer);
  void link(Channel channel, const Introduction& introduction, Instant accepted);
  // The link of this slot, whoever has it; makes its place.
  Link& place(std::size_t slot);
  Link* find(ConnectionId id) const;
  Channel take(ConnectionId id);
  void flush(Link& link);
  // Tells the broker, and takes the link away; `why` is for a trace.
  void end(ConnectionId id, std::string_view why);
  // As end(), but lets the peer read our last words first.
  void part(ConnectionId id, std::string_view why);

  uv_loop_t& loop_;
  broker::Broker& broker_;
  Traces& traces_;
  const Clock& clock_;
  const std::function<void()> after_piece_;

  LinkStats stats_;
  RefusalLog refusals_;
  broker::LimitLog limit_log_;
  AcceptPace pace_;
  OpeningLinks opening_;
  // Links by slot_of(ConnectionId). As the broker's slots, there are never fewer again: 48 bytes for each connection
  // that there was at one time.
  std::vector<std::unique_ptr<Block>> blocks_;
  std::size_t size_ = 0;
  std::vector<ConnectionId> written_;  // whose sockets have room again
  PartingLinks parting_;
  WebLinks web_;
};

}  // namespace furrow::gateway
