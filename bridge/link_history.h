// The worth of the last connections to the far broker, and what their ends tell.
//
// A connection was good when a message was acknowledged or came down on it, or when it lived for a while with nothing
// to do. The backoff begins anew after a good one, and grows after others. One that had messages in flight and saw none
// acknowledged was barren. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>

#include "broker-core/base/time.h"

namespace furrow::bridge {

class LinkHistory {
 public:
  // How a connection ended: closed or reset from outside, without an acknowledgement for too long, because another
  // client took our session, or in another way.
  enum class End : std::uint8_t { Closed, Stalled, TakenOver, Other };

  // CONNACK came.
  void begin(Instant now) {
    began_ = now;
    progress_ = false;
  }
  // A message was acknowledged, or came down.
  void note_progress() {
    progress_ = true;
    owing_ = false;
    barren_ = 0;
  }

  struct Verdict {
    bool good = false;
    // Lost soon after CONNACK for the third time in a row, and the far broker did not say why: the usual cause is
    // another client with our client identifier, and the far broker lets in whoever came last.
    bool may_be_pushed_out = false;
  };
  // `in_flight`: messages wait for their acknowledgement.
  Verdict end(End how, bool in_flight, Instant now) {
    const Duration lived = now - began_;
    soon_lost_ = how == End::Closed && lived < kSoon ? soon_lost_ + 1 : 0;
    if (in_flight && !progress_) ++barren_;
    if (how == End::Stalled || barren_ >= kBarrenMax) owing_ = true;
    const bool pushed_out = soon_lost_ >= kSoonLostMax;
    const bool at_peace = how != End::Stalled && !pushed_out && lived >= kLongEnough;
    return {how != End::TakenOver && (progress_ || at_peace), pushed_out};
  }

  // Whether the far broker has acknowledged nothing since a connection stalled, or on two connections in a row: that it
  // lets us in does not yet make it work.
  bool owing() const { return owing_; }
  // Nothing waits to be acknowledged any more.
  void forgive() {
    owing_ = false;
    barren_ = 0;
  }

 private:
  static constexpr Duration kLongEnough = std::chrono::seconds(10);
  static constexpr Duration kSoon = std::chrono::minutes(1);
  static constexpr unsigned kSoonLostMax = 3;
  static constexpr unsigned kBarrenMax = 2;

  Instant began_{};
  bool progress_ = false;
  bool owing_ = false;
  unsigned soon_lost_ = 0;  // in a row
  unsigned barren_ = 0;     // in a row
};

}  // namespace furrow::bridge
