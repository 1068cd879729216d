#include "tests/bench/load/relay.h"

#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bench/load/fail.h"
#include "tests/bench/load/frames.h"
#include "tests/bench/load/sockets.h"

namespace furrow::load {
namespace {

constexpr std::size_t kRelayReadBytes = std::size_t{64} * 1024;
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
      write_outputs();
    }
  }

 private:
  struct Peer {
    explicit Peer(std::size_t key, Socket accepted) : index(key), socket(std::move(accepted)) {}

    const std::size_t index;
    Socket socket;
    std::string rest;              // an unfinished frame
    std::string output;            // what is for it alone, and what its socket did not take
    bool gets_everything = false;  // it has subscribed with a wildcard
    bool has_output = false;       // in outputs_
    bool blocked = false;          // watched for room
    bool gone = false;
  };

  void handle(const epoll_event& event) {
    if (event.data.u64 == kListener) return accept();
    Peer& peer = peers_[event.data.u64];
    if ((event.events & EPOLLOUT) != 0) {
      peer.blocked = false;
      epoll_.change(peer.socket, peer.index, EPOLLIN);
      (void)output(peer);
    }
    if ((event.events & ~EPOLLOUT) != 0 && !peer.gone) read(peer);
  }

  void accept() {
    for (;;) {
      Socket socket = listener_.accept();
      if (socket.get() < 0) return;
      Peer& peer = peers_.emplace_back(peers_.size(), std::move(socket));
      epoll_.add(peer.socket, peer.index);
    }
  }

  // Reads right behind what the turn has gathered: what everybody gets stays where it is.
  void read(Peer& peer) {
    if (turn_.size() - gathered_ < peer.rest.size() + kRelayReadBytes) copy_turn();
    char* const start = turn_.data() + gathered_;
    std::memcpy(start, peer.rest.data(), peer.rest.size());
    const std::ptrdiff_t count = peer.socket.read({start + peer.rest.size(), kRelayReadBytes});
    if (count < 0) return end(peer);
    std::string_view bytes(start, peer.rest.size() + static_cast<std::size_t>(count));
    char* keep = start;
    for (;;) {
      const char* const begin = bytes.data();
      const std::optional<Frame> frame = take_frame(bytes);
      if (!frame) break;
      const std::string_view whole(begin, static_cast<std::size_t>(bytes.data() - begin));
      if (!handle_frame(peer, *frame, whole)) continue;
      if (keep != begin) std::memmove(keep, begin, whole.size());
      keep += whole.size();
    }
    peer.rest.assign(bytes);
    gathered_ = static_cast<std::size_t>(keep - turn_.data());
  }

  // Whether the frame is for everybody.
  bool handle_frame(Peer& peer, const Frame& frame, std::string_view whole) {
    using namespace std::string_view_literals;
    switch (frame.type()) {
      case FrameType::Publish:
        return handle_publish(peer, frame, whole);
      case FrameType::Connect:
        output(peer) += "\x20\x02\x00\x00"sv;
        return false;
      case FrameType::Subscribe:
        subscribe(peer, frame);
        return false;
      case FrameType::Pingreq:
        append_empty(output(peer), FrameType::Pingresp);
        return false;
      case FrameType::Pubrec:
        append_acknowledgement(output(peer), FrameType::Pubrel, read_id(frame));
        return false;
      case FrameType::Pubrel:
        append_acknowledgement(output(peer), FrameType::Pubcomp, read_id(frame));
        return false;
      default:  // acknowledgements that end something nobody keeps
        return false;
    }
  }

  bool handle_publish(Peer& peer, const Frame& frame, std::string_view whole) {
    const bool is_for_all = by_topic_.empty();
    if (is_for_all && (frame.head & 6) == 0) return true;
    const Publish publish = read_publish(frame);
    if (publish.qos > 0) {
      const FrameType answer = publish.qos == 1 ? FrameType::Puback : FrameType::Pubrec;
      append_acknowledgement(output(peer), answer, publish.id);
    }
    if (is_for_all) return true;
    const auto receiver = by_topic_.find(publish.topic);
    if (receiver != by_topic_.end()) output(peers_[receiver->second]) += whole;
    return false;
  }

  // One filter in a packet, granted as asked.
  void subscribe(Peer& peer, const Frame& frame) {
    const std::string_view id = frame.body.substr(0, 2);
    const std::string_view filter = frame.body.substr(4, frame.body.size() - 5);
    if (filter.find_first_of("+#") != std::string_view::npos) {
      peer.gets_everything = true;
    } else {
      by_topic_[std::string(filter)] = peer.index;
    }
    output(peer).append("\x90\x03").append(id).push_back(frame.body.back());
  }

  std::string& output(Peer& peer) {
    if (!peer.has_output) {
      peer.has_output = true;
      outputs_.push_back(peer.index);
    }
    return peer.output;
  }

  void copy_turn() {
    const std::string_view gathered(turn_.data(), gathered_);
    gathered_ = 0;
    if (gathered.empty()) return;
    for (Peer& peer : peers_) {
      if (!peer.gets_everything || peer.gone) continue;
      if (!peer.output.empty()) {
        output(peer) += gathered;
        continue;
      }
      const std::ptrdiff_t count = peer.socket.write(gathered);
      if (count < 0) {
        end(peer);
      } else if (static_cast<std::size_t>(count) < gathered.size()) {
        output(peer) = gathered.substr(static_cast<std::size_t>(count));
      }
    }
  }

  void write_outputs() {
    for (const std::size_t index : outputs_) {
      Peer& peer = peers_[index];
      peer.has_output = false;
      if (!peer.blocked && !peer.gone) write(peer);
    }
    outputs_.clear();
  }

  void write(Peer& peer) {
    const std::ptrdiff_t count = peer.socket.write(peer.output);
    if (count < 0) return end(peer);
    peer.output.erase(0, static_cast<std::size_t>(count));
    if (peer.output.empty()) return;
    peer.blocked = true;
    epoll_.change(peer.socket, peer.index, EPOLLIN | EPOLLOUT);
  }

  static void end(Peer& peer) {
    peer.gone = true;
    const Socket closed(std::move(peer.socket));
  }

  const Socket listener_;
  Epoll epoll_;
  std::deque<Peer> peers_;  // by index, which is their key in epoll; those that went stay
  std::map<std::string, std::size_t, std::less<>> by_topic_;  // who has subscribed to a topic without wildcards
  std::vector<char> turn_;
  std::size_t gathered_ = 0;          // bytes of turn_ that everybody gets
  std::vector<std::size_t> outputs_;  // peers with output
};

}  // namespace

void run_relay() {
  Relay().run();
}

}  // namespace furrow::load
