#include "tests/bench/load/relay.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bench/load/fail.h"
#include "tests/bench/load/frames.h"
#include "tests/bench/load/sockets.h"

namespace furrow::load {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
// What one turn gathers before it is written, so that it stays in the processor's cache.
constexpr std::size_t kTurnBytes = std::size_t{512} * 1024;
constexpr std::uint64_t kListener = std::numeric_limits<std::uint64_t>::max();

class Relay {
 public:
  Relay() : listener_(Socket::listen_on_loopback()), turn_(kTurnBytes) { epoll_.add(listener_, kListener); }

  [[noreturn]] void run() {
    std::printf("listening address=127.0.0.1:%u\n", static_cast<unsigned>(listener_.port()));
    std::fflush(stdout);
    for (;;) {
      for (const epoll_event& event : epoll_.wait(std::chrono::hours(1))) handle(event);
      copy_turn();
    }
  }

 private:
  struct Peer {
    explicit Peer(Socket accepted) : socket(std::move(accepted)) {}

    Socket socket;
    std::string rest;    // an unfinished frame
    std::string output;  // what the socket did not take, or an answer
    bool subscribed = false;
    bool watched_for_room = false;
    bool gone = false;
  };

  void handle(const epoll_event& event) {
    if (event.data.u64 == kListener) return accept();
    Peer& peer = peers_[event.data.u64];
    if ((event.events & EPOLLOUT) != 0) write(event.data.u64);
    if ((event.events & ~EPOLLOUT) != 0 && !peer.gone) read(event.data.u64);
  }

  void accept() {
    for (;;) {
      Socket socket = listener_.accept();
      if (socket.get() < 0) return;
      peers_.emplace_back(std::move(socket));
      epoll_.add(peers_.back().socket, peers_.size() - 1);
    }
  }

  // Reads right behind what the turn has gathered: whole frames of PUBLISH stay where they are.
  void read(std::size_t index) {
    Peer& peer = peers_[index];
    if (turn_.size() - gathered_ < peer.rest.size() + kReadBytes) copy_turn();
    char* const start = turn_.data() + gathered_;
    std::memcpy(start, peer.rest.data(), peer.rest.size());
    const std::ptrdiff_t count = peer.socket.read({start + peer.rest.size(), kReadBytes});
    if (count < 0) return end(peer);
    std::string_view bytes(start, peer.rest.size() + static_cast<std::size_t>(count));
    char* keep = start;
    while (const std::optional<Frame> frame = take_frame(bytes)) {
      const char* const begin = frame->body.data() - head_size(frame->body.size());
      if (frame->type() != FrameType::Publish) {
        answer(peer, *frame);
        continue;
      }
      const std::size_t size = static_cast<std::size_t>(bytes.data() - begin);
      if (keep != begin) std::memmove(keep, begin, size);
      keep += size;
    }
    peer.rest.assign(bytes);
    gathered_ = static_cast<std::size_t>(keep - turn_.data());
    if (!peer.output.empty()) write(index);
  }

  static std::size_t head_size(std::size_t remaining) {
    std::size_t size = 2;
    for (; remaining >= 0x80; remaining >>= 7) ++size;
    return size;
  }

  static void answer(Peer& peer, const Frame& frame) {
    using namespace std::string_view_literals;
    switch (frame.type()) {
      case FrameType::Connect:
        peer.output += "\x20\x02\x00\x00"sv;
        return;
      case FrameType::Subscribe:  // one filter, granted QoS 0
        peer.output += "\x90\x03"sv;
        peer.output += frame.body.substr(0, 2);
        peer.output += '\0';
        peer.subscribed = true;
        return;
      case FrameType::Pingreq:
        return append_empty(peer.output, FrameType::Pingresp);
      default:
        fail("the relay can do CONNECT, PUBLISH of QoS 0, SUBSCRIBE and PINGREQ only");
    }
  }

  void copy_turn() {
    const std::string_view gathered(turn_.data(), gathered_);
    gathered_ = 0;
    if (gathered.empty()) return;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      Peer& peer = peers_[i];
      if (!peer.subscribed || peer.gone) continue;
      if (!peer.output.empty()) {
        peer.output += gathered;
        continue;
      }
      const std::ptrdiff_t count = peer.socket.write(gathered);
      if (count < 0) {
        end(peer);
      } else if (static_cast<std::size_t>(count) < gathered.size()) {
        peer.output = gathered.substr(static_cast<std::size_t>(count));
        watch(i);
      }
    }
  }

  void write(std::size_t index) {
    Peer& peer = peers_[index];
    const std::ptrdiff_t count = peer.socket.write(peer.output);
    if (count < 0) return end(peer);
    peer.output.erase(0, static_cast<std::size_t>(count));
    watch(index);
  }

  void watch(std::size_t index) {
    Peer& peer = peers_[index];
    if (peer.watched_for_room == !peer.output.empty()) return;
    peer.watched_for_room = !peer.output.empty();
    epoll_.change(peer.socket, index, peer.watched_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  void end(Peer& peer) {
    peer.gone = true;
    Socket closed(std::move(peer.socket));
  }

  const Socket listener_;
  Epoll epoll_;
  std::deque<Peer> peers_;  // a key of epoll is an index; those that went stay
  std::vector<char> turn_;
  std::size_t gathered_ = 0;  // bytes of turn_
};

}  // namespace

void run_relay() {
  Relay().run();
}

}  // namespace furrow::load
