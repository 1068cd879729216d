// What the wills of one client may and must do. Each CONNECT carries the next message of a stream as its will.
//
// While the client is connected its will must not come. Nor, later, when it came back within the delay [MQTT-3.1.3-9],
// or within a minute of the crash or the stop of the gateway that had ended its connection, or had said DISCONNECT and
// the gateway closed the connection for that [MQTT-3.14.4-3]; that the will is gone is stored later, so a crash ends
// the latter. When the client never comes back, its last will must come, once the gateway has had the time to store it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/network.h"

namespace furrow::sim {

class WillWatch {
 public:
  // The gateway has a will stored `stored_after` its CONNACK.
  WillWatch(StreamId stream, std::uint32_t delay_s, Duration stored_after, Ledger& ledger)
      : stream_(stream), delay_s_(delay_s), stored_after_(stored_after), ledger_(ledger) {}

  StreamId stream() const { return stream_; }
  std::uint32_t delay_s() const { return delay_s_; }

  // CONNECT leaves: the number of its will.
  std::uint32_t connect(Instant now) {
    current_ = ledger_.publish(stream_, now);
    stage_ = Stage::Asked;
    return current_;
  }
  // CONNACK came: the gateway has this will, and none before it.
  void confirm(Instant now) {
    // A crash before the new will is stored brings the one before back.
    const Ledger::Until until = stored_after_ > Duration::zero() ? Ledger::Until::Crash : Ledger::Until::Ever;
    for (const Ended& ended : std::exchange(ended_, {})) {
      if (now + kMargin < ended.awaited_until) ledger_.forbid(stream_, ended.number, until);
    }
    stage_ = Stage::Connected;
    connected_ = now;
    ledger_.forbid(stream_, current_, Ledger::Until::Permitted);
  }
  // DISCONNECT leaves.
  void leave() { stage_ = Stage::Leaving; }
  // Ask in every turn, before anybody else can have received the will.
  void watch(const Link& link, Instant now) {
    if (stage_ == Stage::Away || (link.open && !link.silent)) return;
    ledger_.permit(stream_, current_);
    if (link.open) return;
    const bool left = stage_ == Stage::Leaving && link.closed_by_server && !link.silent;
    if (left) ledger_.forbid(stream_, current_, Ledger::Until::Crash);
    const bool was_connected = stage_ == Stage::Connected;
    demandable_ = was_connected && now - connected_ >= stored_after_;
    const bool until_start = was_connected && link.ended_with_server;
    ended_.push_back({current_, now + (until_start ? kRestartGrace : std::chrono::seconds(delay_s_))});
    stage_ = Stage::Away;
  }
  // The client will not come back. REQUIRES: watched after its link was cut.
  void die() {
    if (demandable_) ledger_.acknowledge(stream_, current_);
  }

 private:
  enum class Stage : std::uint8_t { Away, Asked, Connected, Leaving };
  // One may see the end of a connection this much before the other.
  static constexpr Duration kMargin = std::chrono::milliseconds(200);
  // From the start of the gateway on, so at least from its end on.
  static constexpr Duration kRestartGrace = std::chrono::seconds(60);

  struct Ended {
    std::uint32_t number;
    Instant awaited_until;  // the will is not published if the client is back by then
  };

  const StreamId stream_;
  const std::uint32_t delay_s_;
  const Duration stored_after_;
  Ledger& ledger_;
  Stage stage_ = Stage::Away;
  std::uint32_t current_ = 0;
  Instant connected_{};       // CONNACK came
  bool demandable_ = false;   // the gateway has the current will, and must publish it
  std::vector<Ended> ended_;  // since the last CONNACK
};

}  // namespace furrow::sim
