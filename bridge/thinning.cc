#include "bridge/thinning.h"

#include <algorithm>
#include <functional>

#include "broker-core/base/check.h"

namespace furrow::bridge {

namespace {

// Of a payload, as the far side has it: retained or not.
std::uint64_t hash_of(const Thinning::Value& value) {
  return std::hash<std::string_view>{}(as_text(value.payload)) * 2 + (value.retain ? 1 : 0);
}

// A deletion of the retained value.
bool deletes(const Thinning::Value& value) {
  return value.retain && value.payload.empty();
}

}  // namespace

Thinning::Topic& Thinning::find_or_add(std::string_view name) {
  if (const auto found = places_.find(name); found != places_.end()) {
    topics_.splice(topics_.end(), topics_, found->second);
    return topics_.back();
  }
  if (topics_.size() >= kTopicsMax) {
    Topic& oldest = topics_.front();
    if (oldest.held) released_.push_back(let_go(oldest));
    places_.erase(oldest.name);
    topics_.pop_front();
  }
  Topic& added = topics_.emplace_back();
  added.name = name;
  places_.emplace(added.name, std::prev(topics_.end()));
  return added;
}

Thinning::Held Thinning::let_go(Topic& topic) {
  due_.erase({topic.due, &topic});
  held_bytes_ -= topic.held->bytes;
  return *std::exchange(topic.held, std::nullopt);
}

void Thinning::cross(Topic& topic, Sequence sequence, std::uint64_t hash, Instant at) {
  topic.crossed = std::max(topic.crossed, sequence);
  topic.crossed_hash = hash;
  topic.crossed_at = at;
}

void Thinning::note(const Value& value, Instant now) {
  Topic& topic = find_or_add(value.topic);
  topic.newest = std::max(topic.newest, value.sequence);
  if (value.retain) topic.newest_retained = std::max(topic.newest_retained, value.sequence);
  make_way(topic, value, now);
}

// A value that the far side would retain gives way only to one that it retains, too: else it would keep an old one. Nor
// does one that is safe in the queue to one that is in none.
void Thinning::make_way(Topic& topic, const Value& value, Instant now) {
  if (!topic.held) return;
  if ((topic.held->retain && !value.retain) || (topic.held->sequence && !value.sequence)) {
    cross(topic, topic.held->sequence, topic.held_hash, std::min(topic.due, now));
    released_.push_back(let_go(topic));
  } else {
    replaced_.push_back({let_go(topic), value.sequence});
  }
}

// The newest that stands for `value`.
Sequence Thinning::newest_of(const Topic& topic, const Value& value) {
  return value.retain ? topic.newest_retained : topic.newest;
}

Thinning::Verdict Thinning::drop(const Value& value, Sequence by) {
  if (value.sequence) replaced_.push_back({Held{value.sequence, {}, value.retain, value.payload.size()}, by});
  return Verdict::Dropped;
}

Thinning::Verdict Thinning::judge(const Value& value, const ThinningTerms& terms, Instant now) {
  Topic& topic = find_or_add(value.topic);
  if (value.sequence && value.sequence <= topic.crossed) return Verdict::Crosses;
  make_way(topic, value, now);  // where several were noted together
  const std::uint64_t hash = hash_of(value);
  const bool is_first = !topic.crossed_at || deletes(value);
  const Duration since = is_first ? Duration::zero() : value.received - *topic.crossed_at;
  const bool is_heartbeat = terms.heartbeat > Duration::zero() && since >= terms.heartbeat;
  if (!is_first && terms.changed_only && hash == topic.crossed_hash && !is_heartbeat) {
    return drop(value, topic.crossed);
  }
  if (is_first || since >= terms.every) {
    cross(topic, value.sequence, hash, value.received);
    return Verdict::Crosses;
  }
  const Sequence newest = newest_of(topic, value);
  if (value.sequence && value.sequence < newest) return drop(value, newest);
  const Instant due = *topic.crossed_at + terms.every;
  const bool has_room = held_bytes_ + value.payload.size() <= kHeldBytesMax;
  if (due <= now || !has_room) {
    cross(topic, value.sequence, hash, std::min(due, now));
    return Verdict::Crosses;
  }
  hold(topic, value, hash, due);
  return Verdict::Held;
}

void Thinning::hold(Topic& topic, const Value& value, std::uint64_t hash, Instant due) {
  FURROW_CHECK(!topic.held);
  topic.held = Held{value.sequence, {}, value.retain, value.payload.size()};
  held_bytes_ += value.payload.size();
  topic.held_hash = hash;
  topic.due = due;
  due_.emplace(due, &topic);
}

void Thinning::keep(std::string_view topic, broker::MessageRef message) {
  find_or_add(topic).held->message = std::move(message);
}

bool Thinning::has_replaced_by(Sequence sequence) const {
  return std::ranges::find(replaced_, sequence, &Replaced::by) != replaced_.end();
}

bool Thinning::holds_queued(std::string_view topic) const {
  const auto found = places_.find(topic);
  return found != places_.end() && found->second->held && found->second->held->sequence;
}

std::optional<Thinning::Replaced> Thinning::poll_replaced() {
  if (replaced_.empty()) return std::nullopt;
  Replaced replaced = std::move(replaced_.back());
  replaced_.pop_back();
  return replaced;
}

std::optional<Thinning::Held> Thinning::poll_due(Instant now) {
  if (!released_.empty()) {
    Held held = std::move(released_.back());
    released_.pop_back();
    return held;
  }
  if (due_.empty() || due_.begin()->first > now) return std::nullopt;
  Topic& topic = *due_.begin()->second;
  cross(topic, topic.held->sequence, topic.held_hash, topic.due);
  return let_go(topic);
}

Instant Thinning::next_due() const {
  if (!released_.empty()) return Instant::min();
  return due_.empty() ? kNever : due_.begin()->first;
}

void Thinning::forget() {
  for (Topic& topic : topics_) {
    if (!topic.held) topic.crossed_at.reset();
  }
}

std::vector<Thinning::Held> Thinning::give_up() {
  std::vector<Held> all = std::exchange(released_, {});
  for (Replaced& one : std::exchange(replaced_, {})) all.push_back(std::move(one.held));
  for (Topic& topic : topics_) {
    if (topic.held) all.push_back(let_go(topic));
  }
  std::erase_if(all, [](const Held& one) { return static_cast<bool>(one.sequence); });
  return all;
}

void Thinning::release_all() {
  for (Topic& topic : topics_) {
    if (topic.held) released_.push_back(let_go(topic));
  }
  places_.clear();
  topics_.clear();
}

}  // namespace furrow::bridge
