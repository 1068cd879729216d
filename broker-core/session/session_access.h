// What the access rules come to for each session, while there are rules.
//
// A session's rights are worked out when it first publishes, subscribes or is sent something, and forgotten when the
// rules change, its client comes back, or it ends. Kept beside the sessions and not in them, so that without rules they
// cost nothing, and a question one comparison. Owned by the broker. Thread: loop.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "broker-core/access/rights.h"
#include "broker-core/routing/keyed_hash.h"
#include "broker-core/routing/subscriber_id.h"

namespace furrow::broker {

class SessionAccess {
 public:
  struct Entry {
    access::Rights rights;
    // Whether they grant every subscription that the session has: then its messages need not be looked at one by one.
    bool grant_subscriptions = false;
  };

  // `rules`: nothing when there are none.
  explicit SessionAccess(std::shared_ptr<const access::Rules> rules) : rules_(std::move(rules)) {}
  SessionAccess(const SessionAccess&) = delete;
  SessionAccess& operator=(const SessionAccess&) = delete;

  bool has_rules() const { return rules_ != nullptr; }
  // REQUIRES: has_rules().
  const access::Rules& rules() const { return *rules_; }
  void set_rules(std::shared_ptr<const access::Rules> rules) {
    entries_.clear();
    rules_ = std::move(rules);
  }

  // nullptr when it is not worked out yet.
  Entry* find(SubscriberId session) const {
    return session.value < entries_.size() ? entries_[session.value].get() : nullptr;
  }
  // REQUIRES: has_rules().
  Entry& make(SubscriberId session, const access::Subject& subject, HashKey key) {
    if (session.value >= entries_.size()) entries_.resize(std::size_t{session.value} + 1);
    std::unique_ptr<Entry>& entry = entries_[session.value];
    entry.reset(new Entry{.rights = access::Rights(*rules_, subject, key)});
    return *entry;
  }
  void forget(SubscriberId session) {
    if (session.value < entries_.size()) entries_[session.value].reset();
  }

 private:
  std::shared_ptr<const access::Rules> rules_;
  std::vector<std::unique_ptr<Entry>> entries_;  // by the number of the session; after rights_, which they refer to
};

}  // namespace furrow::broker
