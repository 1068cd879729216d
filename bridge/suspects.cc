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
  if (closes_of_suspect_ < kClosesAlone && !is_like_the_last(*alone)) return std::nullopt;
  const bool is_in_time = has_answered_ || alone->is_there || now >= next_culprit_from_;
  if (!is_in_time && !is_like_the_last(*alone)) return std::nullopt;
  has_answered_ = false;
  last_culprit_ = alone;
  next_culprit_from_ = now + kNextCulpritAfter;
  closes_of_suspect_ = 0;
  suspect_.reset();
  std::erase(in_flight_, suspect);
  if (in_flight_.empty()) forget();
  return suspect;
}

bool Suspects::is_like_the_last(const Alone& alone) const {
  if (has_answered_ || !last_culprit_) return false;
  if (alone.is_there || last_culprit_->is_there) return alone.is_there && last_culprit_->is_there;
  return alone.hash == last_culprit_->hash;
}

void Suspects::forget() {
  closes_ = closes_of_suspect_ = 0;
  in_flight_.clear();
  suspect_.reset();
}

}  // namespace furrow::bridge
