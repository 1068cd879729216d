// The log's lines about what is refused to clients: limits that were reached, by their key, and what access rules do
// not grant.
//
// A line for the first time that a key or a rule stops a client, and after an hour again: some clients try the same for
// ever, and a card wears out. The counters in stats.h have every time. Remembers kPairsMax keys and clients; what no
// place is left for is not logged. Thread: loop. Time: passed in.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker-core/base/log.h"
#include "broker-core/base/time.h"

namespace furrow::broker {

class LimitLog {
 public:
  static constexpr Duration kApart = std::chrono::hours(1);
  static constexpr std::size_t kPairsMax = 256;

  // `log` must outlive this.
  explicit LimitLog(Log& log) : log_(log) {}

  // `key`: static text, as in the configuration. `client`: its identifier, or its address where it has none yet.
  void write(std::string_view key, std::string_view client, std::string_view what, Instant now) {
    if (!note(key, client, now)) return;
    log_.write(LogLevel::Warning, "limit.reached", {{"limit", key}, {"client", client}, {"what", what}});
  }

  // `action`: static text.
  void write_refused(std::string_view action, std::string_view client, const std::optional<std::string>& user,
                     std::string_view topic, Instant now) {
    if (!note(action, client, now)) return;
    if (user) {
      log_.write(LogLevel::Warning, "access.refused",
                 {{"client", client}, {"user", *user}, {"action", action}, {"topic", topic}});
    } else {
      log_.write(LogLevel::Warning, "access.refused",
                 {{"client", client}, {"anonymous", true}, {"action", action}, {"topic", topic}});
    }
  }

 private:
  // Whether there is to be a line.
  bool note(std::string_view key, std::string_view client, Instant now) {
    std::pair<std::string_view, std::string> pair(key, client);
    const auto found = written_.find(pair);
    if (found != written_.end() && now < found->second + kApart) return false;
    if (found == written_.end() && written_.size() >= kPairsMax) {
      std::erase_if(written_, [&](const auto& one) { return one.second + kApart <= now; });
      if (written_.size() >= kPairsMax) return false;
    }
    written_.insert_or_assign(std::move(pair), now);
    return true;
  }

  Log& log_;
  std::map<std::pair<std::string_view, std::string>, Instant> written_;  // when
};

}  // namespace furrow::broker
