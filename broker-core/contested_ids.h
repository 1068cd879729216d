// Client identifiers that two clients seem to share: each takes the session over from the other, again and again.
//
// A client that comes back before its old connection was missed takes over once, or now and then. Bounded: when more
// identifiers are taken over than are remembered, the one that was quiet for longest is forgotten. Thread: loop.
// Time: passed in.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/time.h"

namespace furrow::broker {

class ContestedIds {
 public:
  // This many take-overs within the period are too many for a client that has merely lost its connection.
  static constexpr std::size_t kTakeovers = 3;
  static constexpr Duration kPeriod = std::chrono::minutes(1);
  // The quarrel is over when nothing was taken over for this long.
  static constexpr Duration kQuiet = std::chrono::minutes(2);
  static constexpr std::size_t kIdsMax = 64;

  void note_takeover(std::string_view client_id, Instant now) {
    Entry& entry = entry_of(client_id);
    std::shift_left(entry.last.begin(), entry.last.end(), 1);
    entry.last.back() = now;
    if (now - entry.last.front() <= kPeriod) entry.contested_until = now + kQuiet;
  }

  std::vector<std::string> contested(Instant now) const {
    std::vector<std::string> ids;
    for (const Entry& entry : entries_) {
      if (entry.contested_until > now) ids.push_back(entry.client_id);
    }
    return ids;
  }

 private:
  // Long before the start, and far from where a difference of two moments overflows.
  static constexpr Instant kLongAgo{-std::chrono::hours(24)};

  struct Entry {
    std::string client_id;
    std::array<Instant, kTakeovers> last;  // the oldest first
    Instant contested_until = kLongAgo;
  };

  Entry& entry_of(std::string_view client_id) {
    const auto found = std::ranges::find(entries_, client_id, &Entry::client_id);
    if (found != entries_.end()) return *found;
    const auto quietest = [](const Entry& entry) { return entry.last.back(); };
    if (entries_.size() == kIdsMax) entries_.erase(std::ranges::min_element(entries_, {}, quietest));
    entries_.push_back({.client_id = std::string(client_id), .last = {}});
    entries_.back().last.fill(kLongAgo);
    return entries_.back();
  }

  std::vector<Entry> entries_;
};

}  // namespace furrow::broker
