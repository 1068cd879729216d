#include "bridge/suspects.h"

#include <algorithm>

namespace furrow::bridge {

std::optional<Suspects::Message> Suspects::handle_close(std::deque<Message> in_flight,
                                                        const std::optional<Alone>& alone, Instant now) {
  const bool was_alone = one_at_a_time() && alone;
  ++closes_;
  in_flight_ = std::move(in_flight);
  if (!was_alone) return std::nullopt;
  const Message suspect = alone->message;
  closes_of_suspect_ = suspect_ == suspect ? closes_of_suspect_ + 1 : 1;
  suspect_ = suspect;
  const bool is_like_the_last = !has_answered_ && last_culprit_was_there_ && alone->is_there;
  if (closes_of_suspect_ < kClosesAlone && !is_like_the_last) return std::nullopt;
  if (!has_answered_ && now < next_culprit_from_ && !alone->is_there) return std::nullopt;
  has_answered_ = false;
  last_culprit_was_there_ = alone->is_there;
  next_culprit_from_ = now + kNextCulpritAfter;
  closes_of_suspect_ = 0;
  suspect_.reset();
  std::erase(in_flight_, suspect);
  if (in_flight_.empty()) forget();
  return suspect;
}

void Suspects::forget() {
  closes_ = closes_of_suspect_ = 0;
  in_flight_.clear();
  suspect_.reset();
}

}  // namespace furrow::bridge
