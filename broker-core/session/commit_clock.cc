#include "broker-core/session/commit_clock.h"

namespace furrow::broker {

bool CommitClock::is_due(const Waiting& waiting, Instant now) const {
  if (rows_due_) return true;
  if (messages_rest(now)) return waiting.all ? waiting.rows : rows_due_by_ <= now;
  if (waiting.all || waiting.tickets) return true;
  return std::min({earliest_due_, rows_due_by_, hurry_due()}) <= now || gathered_bytes_ >= options_.gather_bytes_max;
}

Instant CommitClock::next(const Waiting& waiting) const {
  if (rows_due_ || (waiting.all && waiting.rows)) return Instant::min();
  Instant messages_due = waiting.all || waiting.tickets ? Instant::min() : earliest_due_;
  messages_due = std::min(messages_due, hurry_due());
  return std::min({std::max(messages_due, messages_not_before_), rows_due_by_, values_due()});
}

void CommitClock::handle_submitted(bool more, bool more_retained, Instant now) {
  hurried_ = false;
  pace_.begin_next();
  rows_due_ = more;
  rows_due_by_ = kNever;
  if (!more_retained) retained_due_ = kNever;
  submitted_at_ = now;
}

void CommitClock::handle_durable(std::size_t answered_bytes, Instant now) {
  rejoined_bytes_ = gathered_bytes_ + pace_.bytes() + answered_bytes;
  rejoined_by_ = now + std::clamp((now - submitted_at_) / 4, options_.rejoin_time_min, options_.rejoin_time_max);
}

}  // namespace furrow::broker
