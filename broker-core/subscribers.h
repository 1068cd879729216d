// The destinations of messages by number: sessions, shared groups and bridges.
//
// Owns none of them: each is entered by its owner, who takes it out before it ends. A number is given again once its
// destination is gone. Thread: loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "broker-core/publication.h"
#include "broker-core/routing/subscriber_id.h"

namespace furrow::broker {

class Subscribers {
 public:
  // A number for a destination that is made with it: set() follows before anything is routed.
  SubscriberId reserve() {
    if (free_.empty()) {
      destinations_.push_back(nullptr);
      return SubscriberId{static_cast<std::uint32_t>(destinations_.size() - 1)};
    }
    const SubscriberId number = free_.back();
    free_.pop_back();
    return number;
  }
  void set(SubscriberId number, Destination& destination) {
    destinations_[number.value] = &destination;
    if (destination.may_refuse()) ++refusing_;
  }
  void remove(SubscriberId number) {
    if (destinations_[number.value]->may_refuse()) --refusing_;
    destinations_[number.value] = nullptr;
    free_.push_back(number);
  }

  // REQUIRES: it has been set, and not removed.
  Destination& operator[](SubscriberId number) const { return *destinations_[number.value]; }

  // Whether any of them may refuse a message while the store takes writes.
  bool may_refuse() const { return refusing_ > 0; }
  // Whether any of them passes messages on in a mesh. Looks at each.
  bool has_meshed() const {
    return std::ranges::any_of(destinations_,
                               [](const Destination* one) { return one != nullptr && one->is_meshed(); });
  }
  // Some may refuse what they could not refuse before, or no longer.
  void count_refusals() {
    refusing_ = static_cast<std::size_t>(std::ranges::count_if(
        destinations_, [](const Destination* one) { return one != nullptr && one->may_refuse(); }));
  }

 private:
  std::vector<Destination*> destinations_ = {nullptr};  // number 0 is nobody's
  std::vector<SubscriberId> free_;
  std::size_t refusing_ = 0;
};

}  // namespace furrow::broker
