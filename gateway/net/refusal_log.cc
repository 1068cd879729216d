#include "gateway/net/refusal_log.h"

#include <utility>

namespace furrow::gateway {

void RefusalLog::write(std::string_view listener, std::string_view peer, std::string_view why, Instant now) {
  if (lines_ == 0 || now - minute_ >= std::chrono::minutes(1)) {
    minute_ = now;
    lines_ = 0;
  }
  if (lines_ == kLinesPerMinute) {
    ++unlogged_;
    return;
  }
  ++lines_;
  const std::string_view then = lines_ == kLinesPerMinute ? "more of these within a minute are only counted" : "closed";
  log_.write(LogLevel::Warning, "connection.refused",
             {{"listener", listener},
              {"peer", peer},
              {"why", why},
              {"then", then},
              {"unlogged", std::exchange(unlogged_, 0)}});
}

}  // namespace furrow::gateway
