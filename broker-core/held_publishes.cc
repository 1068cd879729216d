#include "broker-core/held_publishes.h"

#include "broker-core/router.h"
#include "broker-core/session/publish_encoding.h"

namespace furrow::broker {

HeldPublishes::HeldPublishes(Router& router, SubscriberId origin, Owner& owner)
    : router_(router), origin_(origin), owner_(owner) {
  router_.add_holder(*this);
}

HeldPublishes::~HeldPublishes() {
  router_.remove_holder(*this);
}

void HeldPublishes::retry(Instant now) {
  while (!held_.empty()) {
    const Held& first = held_.front();
    if (!owner_.still_allowed(first)) {
      bytes_ -= bytes_of(first);
      Held forbidden = held_.pop_front();
      forbidden.ticket.complete(mqtt::ReasonCode::Success);
      continue;
    }
    const ExchangeRow* exchange = first.exchange ? &*first.exchange : nullptr;
    const auto published = router_.publish(fields_of(*first.message), origin_, first.ticket, exchange, now);
    if (published.refused) return;
    bytes_ -= bytes_of(first);
    owner_.handle_taken(held_.pop_front(), published.had);
  }
}

}  // namespace furrow::broker
