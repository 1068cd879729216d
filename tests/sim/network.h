// The network of the simulator: byte streams that are late, arrive in pieces, stall, break, or go silent.
//
// A Link is one TCP connection. What one end sends arrives at the other in order, cut at arbitrary places, after a
// drawn delay. cut(): both ends see a reset, and what was under way is gone. silence(): nothing arrives any more and
// nobody is told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/random.h"
#include "broker-core/base/time.h"

namespace furrow::sim {

// One direction of a link.
class Pipe {
 public:
  void send(ByteView bytes, Instant now, Random& random, Duration delay_max) {
    if (silent_) return;
    while (!bytes.empty()) {
      const std::size_t size =
          random.chance(30) ? 1 + static_cast<std::size_t>(random.below(bytes.size())) : bytes.size();
      const Duration delay(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(delay_max.count()) + 1)));
      last_ = std::max(last_, now + delay);
      chunks_.push_back({last_, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}});
      bytes = bytes.subspan(size);
    }
  }

  Instant next() const { return chunks_.empty() ? kNever : chunks_.front().arrives; }

  bool receive(Instant now, std::vector<std::uint8_t>& bytes) {
    if (next() > now) return false;
    bytes = std::move(chunks_.front().bytes);
    chunks_.pop_front();
    return true;
  }

  void silence() {
    silent_ = true;
    chunks_.clear();
  }

 private:
  struct Chunk {
    Instant arrives;
    std::vector<std::uint8_t> bytes;
  };
  std::deque<Chunk> chunks_;
  Instant last_{};
  bool silent_ = false;
};

// The client is who connected: a sensor to the gateway, the gateway's bridge to the region.
struct Link {
  Pipe to_server;
  Pipe to_client;
  bool open = true;
  bool closed_by_server = false;   // in order, after what it had to say
  bool ended_with_server = false;  // which stopped or crashed
  bool silent = false;

  void cut() { open = false; }
  void close_by_server() {
    closed_by_server = open;
    open = false;
  }
  void end_with_server() {
    ended_with_server = ended_with_server || open;
    open = false;
  }
  void silence() {
    silent = true;
    to_server.silence();
    to_client.silence();
  }
};
using LinkRef = std::shared_ptr<Link>;  // shared by its two ends, as a connection is

}  // namespace furrow::sim
