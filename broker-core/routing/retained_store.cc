#include "broker-core/routing/retained_store.h"

#include <string>
#include <utility>

#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

namespace {

bool has_wildcard(std::string_view filter) {
  return filter.find_first_of("+#") != std::string_view::npos;
}

}  // namespace

RetainedStore::RetainedStore(const Options& options)
    : hash_key_(HashKey::from_seed(options.hash_seed)),
      messages_max_(options.messages_max),
      bytes_max_(options.bytes_max),
      age_max_(options.age_max),
      order_(slots_) {}

RetainedStore::Outcome RetainedStore::set(MessageRef message) {
  return set(std::move(message), false);
}

RetainedStore::Outcome RetainedStore::set_own(MessageRef message) {
  return set(std::move(message), true);
}

RetainedStore::Outcome RetainedStore::set(MessageRef message, bool own) {
  if (message->payload().empty()) return remove(message->topic());
  const std::uint32_t slot = find_slot(message->topic());
  return slot == kNone ? add(std::move(message), own) : replace(slot, std::move(message), own);
}

RetainedStore::Outcome RetainedStore::add(MessageRef message, bool own) {
  const std::size_t messages = by_topic_.size() - own_messages_ + 1;
  if (!own && !fits(messages, bytes_ - own_bytes_ + message->memory_bytes())) return Outcome::Full;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
    own_.push_back(false);
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  const std::uint32_t topic_hash = hash(message->topic());
  slots_[slot] = std::move(message);
  own_[slot] = own;
  by_topic_.insert(topic_hash, slot);
  order_.insert(slot);
  count(slot);
  return Outcome::Stored;
}

// A value of bounded age that is said again is young again; for the sake of the flash not each time.
bool RetainedStore::is_same_value(const Message& one, const Message& newer) const {
  if (age_max_ > Duration::zero() && newer.received() - one.received() > age_max_ / 2) return false;
  return one.qos() == newer.qos() && !one.expiry_s() && !newer.expiry_s() && same_content(one, newer);
}

RetainedStore::Outcome RetainedStore::replace(std::uint32_t slot, MessageRef message, bool own) {
  if (is_same_value(*slots_[slot], *message)) return Outcome::Unchanged;
  const std::size_t before = own_[slot] ? 0 : slots_[slot]->memory_bytes();
  const std::size_t after = message->memory_bytes();
  // A topic that clients have already may be beyond a lowered limit: only its bytes count, and only if they grow.
  const std::size_t messages = own_[slot] ? by_topic_.size() - own_messages_ + 1 : 0;
  if (!own && after > before && !fits(messages, bytes_ - own_bytes_ - before + after)) return Outcome::Full;
  discount(slot);
  slots_[slot] = std::move(message);
  own_[slot] = own;
  count(slot);
  return Outcome::Replaced;
}

void RetainedStore::count(std::uint32_t slot) {
  const std::size_t bytes = slots_[slot]->memory_bytes();
  bytes_ += bytes;
  if (!own_[slot]) return;
  ++own_messages_;
  own_bytes_ += bytes;
}

void RetainedStore::discount(std::uint32_t slot) {
  const std::size_t bytes = slots_[slot]->memory_bytes();
  bytes_ -= bytes;
  if (!own_[slot]) return;
  --own_messages_;
  own_bytes_ -= bytes;
}

RetainedStore::Outcome RetainedStore::remove(std::string_view topic) {
  const std::uint32_t slot = find_slot(topic);
  if (slot == kNone) return Outcome::NotThere;
  by_topic_.erase(hash(topic), slot);
  order_.erase(slot);
  discount(slot);
  free_.push_back(slot);
  // Last, because `topic` may be the message's own.
  slots_[slot] = MessageRef();
  return Outcome::Removed;
}

MessageRef RetainedStore::find(std::string_view topic) const {
  const std::uint32_t slot = find_slot(topic);
  return slot == kNone ? MessageRef() : slots_[slot];
}

RetainedStore::Walk::Walk(const RetainedStore& store, std::string_view filter, std::string_view from)
    : store_(store), filter_(filter), one_topic_(!has_wildcard(filter)) {
  if (one_topic_) {
    slot_ = from <= filter ? store.find_slot(filter) : kNone;
  } else {
    place_ = store.order_.seek(store.order_.begin(), from);
    find_slot();
  }
}

void RetainedStore::Walk::find_slot() {
  slot_ = store_.order_.is_end(place_) ? kNone : store_.order_.slot(place_);
}

const MessageRef* RetainedStore::Walk::next(std::size_t& steps) {
  if (one_topic_) {
    const std::uint32_t only = std::exchange(slot_, kNone);
    return only == kNone ? nullptr : &store_.slots_[only];
  }
  while (!at_end() && steps > 0) {
    --steps;
    const MessageRef& message = store_.slots_[slot_];
    const FilterWalk::Verdict verdict = filter_.judge(message->topic());
    if (verdict == FilterWalk::Verdict::End) {
      slot_ = kNone;
      return nullptr;
    }
    place_ = store_.order_.next(place_);
    if (verdict == FilterWalk::Verdict::Seek) place_ = store_.order_.seek(place_, filter_.seek_target());
    find_slot();
    if (verdict == FilterWalk::Verdict::Match) return &message;
  }
  return nullptr;
}

std::uint32_t RetainedStore::hash(std::string_view topic) const {
  return static_cast<std::uint32_t>(keyed_hash(hash_key_, topic));
}

std::uint32_t RetainedStore::find_slot(std::string_view topic) const {
  return by_topic_.find(hash(topic), [&](std::uint32_t slot) { return slots_[slot]->topic() == topic; });
}

bool RetainedStore::fits(std::size_t messages, std::size_t bytes) const {
  return (messages_max_ == 0 || messages <= messages_max_) && (bytes_max_ == 0 || bytes <= bytes_max_);
}

std::size_t RetainedStore::overhead_bytes() const {
  return slots_.capacity() * sizeof(MessageRef) + own_.capacity() / 8 + free_.capacity() * sizeof(std::uint32_t) +
         by_topic_.memory_bytes() + order_.memory_bytes();
}

}  // namespace furrow::broker
