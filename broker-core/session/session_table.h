// The sessions of a broker, found by their client identifier.
//
// Owns them. An entry costs its pointer and one slot of a hash index: the key is the session's own. Thread: loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/routing/hash_index.h"
#include "broker-core/routing/keyed_hash.h"
#include "broker-core/session/session.h"

namespace furrow::broker {

class SessionTable {
 public:
  // `hash_key` is secret: peers choose their client identifiers.
  explicit SessionTable(HashKey hash_key) : hash_key_(hash_key) {}

  Session* find(std::string_view client_id) const {
    const std::uint32_t place =
        by_client_id_.find(hash(client_id), [&](std::uint32_t at) { return sessions_[at]->client_id() == client_id; });
    return place == HashIndex::kNone ? nullptr : sessions_[place].get();
  }

  // nullptr when this subscriber is not a session.
  Session* at(SubscriberId subscriber) const {
    return subscriber.value < sessions_.size() ? sessions_[subscriber.value].get() : nullptr;
  }

  // REQUIRES: no session has its client identifier, or its number as a subscriber.
  Session& insert(std::unique_ptr<Session> session) {
    const std::uint32_t place = session->subscriber().value;
    if (sessions_.size() <= place) sessions_.resize(place + 1);
    FURROW_CHECK(sessions_[place] == nullptr);
    sessions_[place] = std::move(session);
    by_client_id_.insert(hash(sessions_[place]->client_id()), place);
    return *sessions_[place];
  }

  // Takes the session out of the table.
  std::unique_ptr<Session> extract(const Session& session) {
    const std::uint32_t place = session.subscriber().value;
    by_client_id_.erase(hash(session.client_id()), place);
    return std::move(sessions_[place]);
  }

  void clear() {
    by_client_id_.clear();
    sessions_.clear();
  }

  std::size_t size() const { return by_client_id_.size(); }
  // at() knows no session from this number on.
  SubscriberId end() const { return SubscriberId{static_cast<std::uint32_t>(sessions_.size())}; }

  // Calls `visit` with each, which may neither insert nor erase.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const std::unique_ptr<Session>& session : sessions_) {
      if (session) visit(*session);
    }
  }

 private:
  std::uint32_t hash(std::string_view client_id) const {
    return static_cast<std::uint32_t>(keyed_hash(hash_key_, client_id));
  }

  const HashKey hash_key_;
  HashIndex by_client_id_;                          // → place in sessions_
  std::vector<std::unique_ptr<Session>> sessions_;  // by subscriber
};

}  // namespace furrow::broker
