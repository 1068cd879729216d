#include "bridge/retained_sync.h"

namespace furrow::bridge {

namespace {

// A far broker that kept our session is asked what it retains no more often than this.
constexpr Duration kRefreshApart = std::chrono::minutes(10);

}  // namespace

WayDown::Welcome RetainedSync::welcome(bool session_present, bool doubtful, Instant now) {
  if (!session_present) buffer_.far_session().forget_offered();
  return {.session_present = session_present,
          .doubtful = doubtful,
          .compares = options_.enabled,
          .refresh = begin_refresh(session_present, now),
          .unsure_since = unsure_since_};
}

bool RetainedSync::begin_refresh(bool session_present, Instant now) {
  refresh_due_ = kNever;
  if (!options_.enabled || !buffer_.map().comes_down()) return false;
  const Instant due = refreshed_at_ == Instant::min() ? now : refreshed_at_ + kRefreshApart;
  if (session_present && due > now) {
    refresh_due_ = due;
    return false;
  }
  refreshed_at_ = now;
  return session_present;
}

RetainedOffers::Far RetainedSync::far() const {
  return {.has = [this](const Rule& rule) { return buffer_.far_session().was_offered(rule); },
          .unsure_since = unsure_since_};
}

void RetainedSync::connect(Instant now) {
  connected_ = true;
  if (options_.enabled) up_.offers().begin(buffer_.map(), far(), now);
  offer(now);
}

void RetainedSync::handle_rules_changed(Instant now) {
  if (!connected_ || !options_.enabled) return;
  up_.offers().change_rules(buffer_.map(), far(), now);
  offers_due_ = now;
}

void RetainedSync::disconnect() {
  connected_ = false;
  if (unsure_since_ == kNever && heard_at_ != kNever) unsure_since_ = heard_at_ - options_.doubt;
  refresh_due_ = kNever;
  offers_due_ = kNever;
}

void RetainedSync::advance(Instant now) {
  if (refresh_due_ <= now) {
    refresh_due_ = kNever;
    refreshed_at_ = now;
    down_.refresh();
  }
  offer(now);
}

void RetainedSync::offer(Instant now) {
  offers_due_ = kNever;
  if (!connected_) return;
  RetainedOffers& offers = up_.offers();
  if (buffer_.waiting() == 0 && offers.poll_done()) {
    buffer_.far_session().note_offered(buffer_.map().rules(), now);
    unsure_since_ = kNever;
  }
  if (!offers.pending()) return;
  if (down_.shown_until() > now) {
    offers_due_ = down_.shown_until();
    return;
  }
  std::size_t steps = RetainedOffers::kStepsMax;
  while (buffer_.direct(now) && !buffer_.window().window_full()) {
    const broker::MessageRef value = offers.next(buffer_.map(), broker_.retained(), up_.sent_since(), now, steps);
    if (!value) break;
    if (down_.has_shown(value->topic())) continue;
    broker_.router().deliver_again(buffer_.subscriber(), *value, now);
  }
  if (offers.pending() && steps == 0) offers_due_ = now;
}

}  // namespace furrow::bridge
