#include "gateway/client_links.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "broker-core/limits.h"
#include "gateway/net/peer_user.h"
#include "gateway/net/proxy_header.h"
#include "gateway/net/tls_layer.h"
#include "gateway/net/websocket_layer.h"

namespace furrow::gateway {
namespace {

// Connections that open at one time: a fleet that comes back together, some KiB each.
constexpr std::size_t kOpeningMax = 1000;
// What is read is handled in pieces of this size, so that the answers to one can be written before the next.
constexpr std::size_t kPieceBytes = 16 * KiB;
// After this many quick acknowledgements of TCP in a row that made the client send nothing more we stop sending them,
// and try again after kTryAgain opportunities.
constexpr std::uint8_t kInVainMax = 4;
constexpr std::uint8_t kTryAgain = 64;

std::vector<std::unique_ptr<Layer>> layers_of(const Entrance& entrance, const Clock& clock) {
  std::vector<std::unique_ptr<Layer>> layers;
  if (!entrance.balancers.empty()) layers.push_back(std::make_unique<ProxyHeaderLayer>(entrance.allow_from));
  if (entrance.tls) layers.push_back(TlsLayer::make_server(entrance.tls->context(), clock.judged()));
  if (entrance.website) layers.push_back(std::make_unique<WebSocketServerLayer>(entrance.website));
  return layers;
}

bool comes_from(const std::vector<IpNetwork>& networks, const std::optional<IpAddress>& address) {
  return networks.empty() || (address && contains(networks, *address));
}

// Who is at the other end of a new connection, as its socket knows. A program of this machine is the user that it runs
// as.
Result<Introduction> introduce(const Descriptor& connection, const SocketAddress& peer, const std::string& listener) {
  Introduction introduction{.peer = peer.text(), .address = peer.ip(), .port = peer.port(), .listener = listener};
  if (!peer.is_unix()) return introduction;
  FURROW_TRY(introduction.vouched_user, user_at(connection));
  introduction.peer = "unix:" + *introduction.vouched_user;
  return introduction;
}

}  // namespace

// A place for a link; nobody has it while id() is none.
class ClientLinks::Link final : public Channel::Owner {
 public:
  void begin(ClientLinks& all, ConnectionId id, Channel channel) {
    all_ = &all;
    id_ = id;
    channel_ = std::move(channel);
    acknowledged_ = false;
    in_vain_ = 0;
    channel_.set_owner(*this);
    channel_.set_reading(true);
  }
  Channel end() {
    id_ = {};
    return std::move(channel_);
  }

  ConnectionId id() const { return id_; }
  Channel& channel() { return channel_; }

  void on_read(MutableBytes bytes, bool dry) override {
    const Instant now = all_->clock_.now();
    ClientLinks& all = *all_;
    const ConnectionId id = id_;
    if (all.traces_.is_on()) [[unlikely]]
      all.traces_.note_received(id, bytes, now);
    if (acknowledged_) in_vain_ = 0;
    while (bytes.size() > kPieceBytes) {
      all.broker_.handle_bytes(id, bytes.first(kPieceBytes), false, now);
      bytes = bytes.subspan(kPieceBytes);
      all.after_piece_();
      if (id_ != id) return;
    }
    all.broker_.handle_bytes(id, bytes, dry, now);
    if (dry && all.broker_.awaits_acknowledgement(id)) acknowledge();
    all.after_piece_();
  }
  // What was written carries TCP's acknowledgements.
  void handle_answered() { acknowledged_ = false; }
  void on_written(std::size_t bytes) override {
    all_->written_.push_back(id_);
    all_->broker_.handle_sent(id_, bytes, all_->clock_.now());
  }
  // The broker has logged what it wants to say of an end that it caused; of others the client knows best.
  void on_ended(const Error& why) override { all_->end(id_, why.message()); }
  void on_failed(const Error& why) override {
    if (why.code() != Errc::Closed) {
      all_->refusals_.write("", all_->broker_.peer(id_), why.message(), all_->clock_.now());
    }
    all_->part(id_, why.message());
  }

 private:
  // An acknowledgement of MQTT carries TCP's. While it waits for the store, a client that gathers its writes (Nagle's
  // algorithm) holds back the rest of its window until TCP's delayed acknowledgement, 40 ms later, and a commit gets
  // one message of it. A client that has sent all it may gains nothing by a quick one, which costs a packet.
  void acknowledge() {
    if (in_vain_ == kTryAgain) in_vain_ = kInVainMax - 1;
    acknowledged_ = in_vain_++ < kInVainMax;
    if (acknowledged_) channel_.acknowledge_now();
  }

  ClientLinks* all_ = nullptr;
  ConnectionId id_;
  Channel channel_;
  bool acknowledged_ = false;  // TCP has at once what came last, and nothing was written since
  std::uint8_t in_vain_ = 0;   // opportunities since one last made the client send more
};

// Links stay where they are, since their channels know them by address; and one by one on the heap they cost more.
struct ClientLinks::Block {
  static constexpr std::size_t kLinks = 64;
  static_assert(sizeof(Link) <= 48, "every idle client has one");
  std::array<Link, kLinks> links;
};

ClientLinks::ClientLinks(uv_loop_t& loop, broker::Broker& broker, Traces& traces, const Clock& clock, Log& log,
                         std::function<void()> after_piece)
    : loop_(loop),
      broker_(broker),
      traces_(traces),
      clock_(clock),
      after_piece_(std::move(after_piece)),
      refusals_(log),
      limit_log_(log),
      opening_({.max = kOpeningMax, .patience = broker.limits().connect_timeout}, *this, stats_, refusals_),
      web_(parting_, [&clock] { return clock.now(); }) {}

ClientLinks::~ClientLinks() = default;

// --- opening ---

bool ClientLinks::admits(const Entrance& entrance, const Introduction& introduction) {
  const auto refuse = [&](std::uint64_t& counter, std::string_view key) {
    ++counter;
    refusals_.write(entrance.listener, introduction.peer, "not among the addresses of " + std::string(key),
                    clock_.now());
    return false;
  };
  if (!comes_from(entrance.balancers, introduction.address)) return refuse(stats_.strangers, "proxy_protocol.from");
  // Behind a balancer this is about the client, whom the header names.
  const bool is_client = entrance.balancers.empty();
  if (is_client && !comes_from(entrance.allow_from, introduction.address))
    return refuse(stats_.not_allowed, "allow_from");
  return true;
}

Duration ClientLinks::accept(Descriptor connection, const SocketAddress& peer, const Entrance& entrance) {
  welcome(std::move(connection), peer, entrance);
  return pace(peer);
}

// Programs of this machine have no rate, but wait for a loop that is late like everybody.
Duration ClientLinks::pace(const SocketAddress& peer) {
  const Duration late = pace_.late_wait();
  if (late > Duration::zero()) ++stats_.accepts_late;
  const std::optional<IpAddress> address = peer.ip();
  if (!address || address->is_loopback()) return late;
  const Duration wait = pace_.take(broker_.limits().connections_per_second, clock_.now());
  if (wait > Duration::zero()) {
    ++stats_.accepts_paced;
    limit_log_.write("limits.connections_per_second", "all", "new connections wait", clock_.now());
  }
  return std::max(wait, late);
}

void ClientLinks::welcome(Descriptor connection, const SocketAddress& peer, const Entrance& entrance) {
  Result<Introduction> introduction = introduce(connection, peer, entrance.listener);
  if (!introduction) {
    ++stats_.not_allowed;
    refusals_.write(entrance.listener, peer.text(), introduction.error().message(), clock_.now());
    return;
  }
  if (!admits(entrance, *introduction)) return;
  TcpStream stream(loop_, nullptr);
  if (!stream.adopt(connection.get())) return;
  (void)connection.release();  // the stream has it now
  std::vector<std::unique_ptr<Layer>> layers = layers_of(entrance, clock_);
  if (layers.empty()) {
    link(Channel(std::move(stream)), *introduction, clock_.now());
  } else {
    opening_.add(Channel(std::move(stream), std::move(layers)), *std::move(introduction));
  }
}

void ClientLinks::handle_opened(Channel channel, const Introduction& introduction, Instant accepted) {
  if (introduction.question) {
    ++stats_.questions;
    web_.add(std::move(channel), introduction);
  } else {
    link(std::move(channel), introduction, accepted);
  }
}

void ClientLinks::handle_failed(Channel channel) {
  parting_.add(std::move(channel), clock_.now());
}

// --- linked ---

void ClientLinks::link(Channel channel, const Introduction& introduction, Instant accepted) {
  broker::Arrival arrival{.address = introduction.address,
                          .port = introduction.port,
                          .program = introduction.peer,
                          .listener = introduction.listener,
                          .vouched_user = introduction.vouched_user};
  const ConnectionId id = broker_.handle_accept(std::move(arrival), accepted);
  if (!id) return;
  ++size_;
  place(broker::slot_of(id)).begin(*this, id, std::move(channel));
}

ClientLinks::Link& ClientLinks::place(std::size_t slot) {
  const std::size_t block = slot / Block::kLinks;
  while (blocks_.size() <= block) blocks_.push_back(std::make_unique<Block>());
  return blocks_[block]->links[slot % Block::kLinks];
}

ClientLinks::Link* ClientLinks::find(ConnectionId id) const {
  const std::size_t slot = broker::slot_of(id);
  const std::size_t block = slot / Block::kLinks;
  if (block >= blocks_.size()) return nullptr;
  Link& link = blocks_[block]->links[slot % Block::kLinks];
  return link.id() == id ? &link : nullptr;
}

Channel ClientLinks::take(ConnectionId id) {
  Link* const link = find(id);
  FURROW_CHECK(link != nullptr);
  --size_;
  return link->end();
}

void ClientLinks::flush() {
  const auto flush_id = [this](ConnectionId id) {
    if (Link* link = find(id)) flush(*link);
  };
  for (const ConnectionId id : std::exchange(written_, {})) flush_id(id);
  ConnectionId id;
  while (broker_.poll_ready(id)) flush_id(id);
}

void ClientLinks::flush_full() {
  ConnectionId id;
  while (broker_.poll_full(id)) {
    if (Link* link = find(id)) flush(*link);
  }
}

void ClientLinks::flush(Link& link) {
  const ConnectionId id = link.id();
  ByteBuffer& output = broker_.output(id);
  Channel& channel = link.channel();
  // What is sent makes room, and the broker may fill it at once.
  while (!output.empty() && !channel.writing()) {
    if (traces_.is_on()) [[unlikely]]
      traces_.note_sent(id, output.view(), clock_.now());
    const Result<std::size_t> written = channel.write(output);
    if (!written) {
      end(id, written.error().message());
      return;
    }
    if (*written > 0) {
      link.handle_answered();
      broker_.handle_sent(id, *written, clock_.now());
    }
  }
  if (broker_.closing(id) && !channel.writing()) {
    part(id, "closed by the gateway");
  } else {
    channel.set_reading(!broker_.reading_paused(id));
  }
}

void ClientLinks::end(ConnectionId id, std::string_view why) {
  if (traces_.is_on()) [[unlikely]]
    traces_.note_ended(id, why, clock_.now());
  broker_.handle_closed(id, clock_.now());
  (void)take(id);
}

// --- parting ---

void ClientLinks::part(ConnectionId id, std::string_view why) {
  const Instant now = clock_.now();
  if (traces_.is_on()) [[unlikely]]
    traces_.note_ended(id, why, now);
  broker_.handle_closed(id, now);
  parting_.add(take(id), now);
}

void ClientLinks::judge_peers(WallTime time) {
  std::vector<std::pair<ConnectionId, std::string>> fallen;
  for (const auto& block : blocks_) {
    for (Link& link : block->links) {
      if (!link.id()) continue;
      if (const Status judged = link.channel().judge(time); !judged)
        fallen.emplace_back(link.id(), judged.error().message());
    }
  }
  for (const auto& [id, why] : fallen) {
    broker_.close(id, mqtt::ReasonCode::NotAuthorized, why, clock_.now());
  }
}

void ClientLinks::handle_timeout(Instant now) {
  opening_.handle_timeout(now);
  web_.handle_timeout(now);
  parting_.handle_timeout(now);
}

Instant ClientLinks::next_deadline() const {
  return std::min({opening_.next_deadline(), web_.next_deadline(), parting_.next_deadline()});
}

}  // namespace furrow::gateway
