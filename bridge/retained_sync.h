// When retained values cross though nobody publishes them now, so that both sides come to have the same
// (`retain_sync`): up by retained_offers, and down by asking the far broker again what it retains.
//
// Once nothing else waits, values go up; the far broker's come first, for a while, so that what is the same there stays
// here. Without `enabled` it does nothing. Thread: loop. Time: passed in.
#pragma once

#include <algorithm>

#include "bridge/buffer.h"
#include "bridge/retained_offers.h"
#include "bridge/way_down.h"
#include "bridge/way_up.h"
#include "broker-core/base/time.h"
#include "broker-core/broker.h"

namespace furrow::bridge {

class RetainedSync {
 public:
  struct Options {
    bool enabled = false;
    Duration doubt{};  // what left in so long before the far broker was last heard may not have arrived
  };
  // All of them must outlive it.
  RetainedSync(const Options& options, Buffer& buffer, WayUp& up, WayDown& down, broker::Broker& broker)
      : options_(options), buffer_(buffer), up_(up), down_(down), broker_(broker) {}

  // CONNACK has come. What WayDown::connect() is to know of it; then, once both ways are connected, connect().
  WayDown::Welcome welcome(bool session_present, bool doubtful, Instant now);
  void connect(Instant now);
  // The far broker has said something.
  void handle_heard(Instant now) { heard_at_ = now; }
  void handle_rules_changed(Instant now);
  // The connection is over, or about to be.
  void disconnect();

  // Does what can be done now. Not from within a publication.
  void advance(Instant now);
  // When to do that again if nothing happens.
  Instant next_deadline() const { return std::min(offers_due_, refresh_due_); }

 private:
  bool begin_refresh(bool session_present, Instant now);
  RetainedOffers::Far far() const;
  void offer(Instant now);

  // Constant after construction.
  const Options options_;
  Buffer& buffer_;
  WayUp& up_;
  WayDown& down_;
  broker::Broker& broker_;

  Instant heard_at_ = kNever;      // the last bytes of the far broker; kNever: none yet
  Instant unsure_since_ = kNever;  // messages that left after that may not have arrived
  Instant refreshed_at_ = Instant::min();
  // Of the present connection.
  bool connected_ = false;
  Instant offers_due_ = kNever;
  Instant refresh_due_ = kNever;
};

}  // namespace furrow::bridge
