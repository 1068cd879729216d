// The session, bridge or group that sends from an outbox, or has exchanges in flight.
#pragma once

#include "broker-core/base/time.h"

namespace furrow::broker {

class OutboxOwner {
 public:
  // More can be sent than before: a page was read, a QoS 2 step became durable, or a message waits again.
  virtual void handle_progress(Instant now) = 0;

 protected:
  ~OutboxOwner() = default;
};

}  // namespace furrow::broker
