#include "broker-core/session/retained_replays.h"

#include <algorithm>

#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

RetainedReplays::Replay* RetainedReplays::find(std::string_view filter) {
  const auto found = std::ranges::find(replays_, filter, &Replay::filter);
  return found == replays_.end() ? nullptr : &*found;
}

void RetainedReplays::start(const Subscription& subscription, std::string_view from, bool stored) {
  (void)end(subscription.filter());
  Replay replay(subscription.filter(), subscription.options(), from, stored);
  replay.number_ = ++last_number_;
  replays_.push_back(std::move(replay));
}

void RetainedReplays::change(const Subscription& subscription) {
  if (Replay* replay = find(subscription.filter())) replay->options_ = pack_options(subscription.options());
}

bool RetainedReplays::end(std::string_view filter) {
  const Replay* const replay = find(filter);
  const bool stored = replay != nullptr && replay->stored_;
  std::erase_if(replays_, [&](const Replay& one) { return one.filter() == filter; });
  return stored;
}

bool RetainedReplays::is_to_come(const Replay& replay, std::string_view topic) {
  return !replay.sent_ && replay.from_ <= topic && mqtt::matches(replay.filter(), topic);
}

bool RetainedReplays::was_sent_ahead(const Replay& replay, std::string_view topic) const {
  if (ahead_.empty()) return false;
  const auto found = ahead_.find(keyed_hash(hash_key_, topic));
  return found != ahead_.end() && replay.number_ <= found->second;
}

void RetainedReplays::remove_expired(Replay& replay, const MessageRef& message, RetainedStore& store, Journal& journal,
                                     Instant now) {
  replay.from_ = message->topic();
  (void)store.remove(replay.from_);
  journal.retained_changed(replay.from_, {}, now);
}

}  // namespace furrow::broker
