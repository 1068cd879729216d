#include "gateway/client_links.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include "gateway/net/tcp_stream.h"

namespace furrow::gateway {
namespace {

// How long a peer may take to read our last words and close; and of how many we wait for that at once.
constexpr Duration kPartingTime = std::chrono::seconds(1);
constexpr std::size_t kPartingMax = 100;
// What is read is handled in pieces of this size, so that what they give can be written in between.
constexpr std::size_t kPieceBytes = 16 * KiB;
// How often in a row TCP acknowledged at once in vain until a client is no longer thought to wait for that, and after
// how many chances it is tried again.
constexpr std::uint8_t kInVainMax = 4;
constexpr std::uint8_t kTryAgain = 64;

}  // namespace

class ClientLinks::Link final : public TcpStream::Owner {
 public:
  Link(ClientLinks& all, ConnectionId id) : all_(all), id_(id), stream_(all.loop_, this) {}

  ConnectionId id() const { return id_; }
  TcpStream& stream() { return stream_; }

  bool parting() const { return !id_; }
  void begin_parting() {
    id_ = {};
    stream_.end_writing();
    stream_.set_reading(true);
  }

  void on_read(MutableBytes bytes, bool dry) override {
    if (parting()) return;
    const Instant now = all_.clock_.now();
    ClientLinks& all = all_;
    const ConnectionId id = id_;
    if (acknowledged_) in_vain_ = 0;
    while (bytes.size() > kPieceBytes) {
      all.broker_.handle_bytes(id, bytes.first(kPieceBytes), false, now);
      bytes = bytes.subspan(kPieceBytes);
      all.after_piece_();
      if (all.find(id) == nullptr) return;
    }
    all.broker_.handle_bytes(id, bytes, dry, now);
    if (dry && all.broker_.awaits_acknowledgement(id)) acknowledge();
    all.after_piece_();
  }
  // What was written carries TCP's acknowledgements.
  void handle_answered() { acknowledged_ = false; }
  void on_written(std::size_t bytes) override {
    all_.written_.push_back(id_);
    all_.broker_.handle_sent(id_, bytes, all_.clock_.now());
  }
  // The broker has logged what it wants to say of an end that it caused; of others the client knows best.
  void on_ended(std::string_view) override {
    if (parting()) {
      all_.end_parting(*this);
    } else {
      all_.end(id_);
    }
  }

 private:
  // Our own acknowledgements would carry TCP's; while they wait for the store, a client that gathers its writes
  // (Nagle's algorithm) holds the rest of its window back until these are there, or TCP's delayed acknowledgement 40 ms
  // later: a commit gets one message of it. One that has sent all that it may gains nothing, and it costs a packet.
  void acknowledge() {
    if (in_vain_ == kTryAgain) in_vain_ = kInVainMax - 1;
    acknowledged_ = in_vain_++ < kInVainMax;
    if (acknowledged_) stream_.acknowledge_now();
  }

  ClientLinks& all_;
  ConnectionId id_;  // none once the broker has let go of it
  TcpStream stream_;
  bool acknowledged_ = false;  // TCP has at once what came last, and nothing was written since
  std::uint8_t in_vain_ = 0;   // chances since that last made the client send more
};

ClientLinks::ClientLinks(uv_loop_t& loop, broker::Broker& broker, const Clock& clock, std::function<void()> after_piece)
    : loop_(loop), broker_(broker), clock_(clock), after_piece_(std::move(after_piece)) {}

ClientLinks::~ClientLinks() = default;

void ClientLinks::accept(Descriptor connection, std::string peer) {
  const ConnectionId id = broker_.handle_accept(std::move(peer), clock_.now());
  if (!id) return;
  auto link = std::make_unique<Link>(*this, id);
  if (!link->stream().adopt(connection.get())) {
    broker_.handle_closed(id, clock_.now());
    return;
  }
  (void)connection.release();  // the stream has it now
  link->stream().set_reading(true);
  const std::size_t slot = broker::slot_of(id);
  if (links_.size() <= slot) links_.resize(slot + 1);
  links_[slot] = std::move(link);
  ++size_;
}

ClientLinks::Link* ClientLinks::find(ConnectionId id) const {
  const std::size_t slot = broker::slot_of(id);
  if (slot >= links_.size() || !links_[slot] || links_[slot]->id() != id) return nullptr;
  return links_[slot].get();
}

std::unique_ptr<ClientLinks::Link> ClientLinks::take(ConnectionId id) {
  FURROW_CHECK(find(id) != nullptr);
  --size_;
  return std::move(links_[broker::slot_of(id)]);
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
  TcpStream& stream = link.stream();
  // What is sent makes room, and the broker may fill it at once.
  while (!output.empty() && !stream.writing()) {
    const Result<std::size_t> written = stream.write(output);
    if (!written) {
      end(id);
      return;
    }
    if (*written > 0) {
      link.handle_answered();
      broker_.handle_sent(id, *written, clock_.now());
    }
  }
  if (broker_.closing(id) && !stream.writing()) {
    part(id);
  } else {
    stream.set_reading(!broker_.reading_paused(id));
  }
}

void ClientLinks::part(ConnectionId id) {
  std::unique_ptr<Link> link = take(id);
  const Instant now = clock_.now();
  broker_.handle_closed(id, now);
  link->begin_parting();
  if (parting_.size() == kPartingMax) parting_.pop_front();
  parting_.push_back({now + kPartingTime, std::move(link)});
}

void ClientLinks::end_parting(const Link& link) {
  parting_.remove_if([&link](const Parting& one) { return one.link.get() == &link; });
}

void ClientLinks::handle_timeout(Instant now) {
  while (!parting_.empty() && parting_.front().until <= now) parting_.pop_front();
}

void ClientLinks::end(ConnectionId id) {
  broker_.handle_closed(id, clock_.now());
  (void)take(id);
}

}  // namespace furrow::gateway
