#include "broker-core/held_publishes.h"

#include "broker-core/broker.h"
#include "broker-core/session/publish_encoding.h"

namespace furrow::broker {

HeldPublishes::HeldPublishes(Broker& broker, SubscriberId origin, Owner& owner)
    : broker_(broker), origin_(origin), owner_(owner) {
  broker_.add_holder(*this);
}

HeldPublishes::~HeldPublishes() {
  broker_.remove_holder(*this);
}

void HeldPublishes::retry(Instant now) {
  while (!held_.empty()) {
    const Held& first = held_.front();
    const ExchangeRow* exchange = first.exchange ? &*first.exchange : nullptr;
    if (broker_.publish(fields_of(*first.message), origin_, first.ticket, exchange, now).refused) return;
    bytes_ -= bytes_of(first);
    owner_.handle_taken(held_.pop_front());
  }
}

}  // namespace furrow::broker
