// Who is told of subscriptions as they begin and end.
//
// Of all receivers: sessions, shared groups (once for each, without `$share/GROUP/`), bridges and those of the gateway
// itself. A subscription that only gets other options is none that begins. Thread: loop.
#pragma once

#include <string_view>

#include "broker-core/routing/subscriber_id.h"

namespace furrow::broker {

class SubscriptionWatch {
 public:
  // Called from within the change: may call nothing of the broker.
  virtual void handle_subscribed(std::string_view filter, SubscriberId subscriber) = 0;
  virtual void handle_unsubscribed(std::string_view filter, SubscriberId subscriber) = 0;

 protected:
  ~SubscriptionWatch() = default;
};

}  // namespace furrow::broker
