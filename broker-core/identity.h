// Who a client is: decided at CONNECT, unchanged for the life of the connection, kept with its session.
//
// What else decides about a client is not in here: its client identifier, which the session has, and the address it
// comes from, which the connection has and a session without one has not. Sessions that say the same share one entry of
// `Identities`, and an anonymous client of MQTT costs four bytes. Owned by the broker. Thread: loop.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/base/ids.h"

namespace furrow::broker {

struct Identity {
  std::optional<std::string> user = std::nullopt;  // nothing: anonymous; an empty name is a name
  std::string listener = {};                       // by which the client came last; empty: not known

  friend auto operator<=>(const Identity&, const Identity&) = default;
};

// 0: anonymous, by no known listener.
using IdentityId = Id<struct IdentityTag, std::uint32_t>;

class Identities {
 public:
  // Whoever has an id gives it back once with release().
  IdentityId acquire(const Identity& identity) {
    if (identity == nobody_) return {};
    const auto [found, is_new] = entries_.try_emplace(identity);
    Entry& entry = found->second;
    if (is_new) entry.id = place(found->first);
    ++entry.references;
    return entry.id;
  }
  void release(IdentityId id) {
    if (!id) return;
    const auto found = entries_.find(*by_id_[id.value - 1]);
    FURROW_CHECK(found != entries_.end());
    if (--found->second.references > 0) return;
    by_id_[id.value - 1] = nullptr;
    free_.push_back(id);
    entries_.erase(found);
  }
  // Valid until the id is given back.
  const Identity& at(IdentityId id) const { return id ? *by_id_[id.value - 1] : nobody_; }

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    IdentityId id;
    std::uint64_t references = 0;
  };

  IdentityId place(const Identity& identity) {
    IdentityId id{static_cast<std::uint32_t>(by_id_.size()) + 1};
    if (free_.empty()) {
      by_id_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    by_id_[id.value - 1] = &identity;
    return id;
  }

  const Identity nobody_{};
  std::map<Identity, Entry> entries_;
  std::vector<const Identity*> by_id_;
  std::vector<IdentityId> free_;
};

}  // namespace furrow::broker
