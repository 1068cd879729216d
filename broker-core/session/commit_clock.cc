#include "broker-core/session/commit_clock.h"

namespace furrow::broker {

bool CommitClock::is_due(const Waiting& waiting, Instant now) const {
  if (rows_due_) return true;
  const bool lazy_rows_due = std::min(rows_due_by_, retained_due_) <= now;
  if (holds_messages(now)) return waiting.all ? waiting.rows : lazy_rows_due;
  if (waiting.all || waiting.tickets) return true;
  return earliest_due_ <= now || lazy_rows_due || gathered_bytes_ >= options_.gather_bytes_max || hurries(now);
}

Instant CommitClock::next(const Waiting& waiting) const {
  if (rows_due_ || (waiting.all && waiting.rows)) return Instant::min();
  Instant messages_due = waiting.all || waiting.tickets ? Instant::min() : earliest_due_;
  if (hurried_ && gathered_bytes_ > 0) messages_due = std::min(messages_due, rejoined_by_);
  return std::min({std::max(messages_due, messages_not_before_), rows_due_by_, retained_due_});
}

void CommitClock::handle_submitted(bool more, bool retained_left, Instant now) {
  hurried_ = false;
  rows_due_ = more;
  rows_due_by_ = kNever;
  if (!retained_left) retained_due_ = kNever;
  submitted_at_ = now;
}

void CommitClock::handle_durable(std::size_t answered_bytes, Instant now) {
  rejoined_bytes_ = gathered_bytes_ + answered_bytes;
  rejoined_by_ = now + std::clamp((now - submitted_at_) / 4, options_.rejoin_time_min, options_.rejoin_time_max);
}

}  // namespace furrow::broker
