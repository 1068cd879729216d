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

bool is_same_value(const Message& one, const Message& other) {
  return one.qos() == other.qos() && !one.expiry_s() && !other.expiry_s() && same_content(one, other);
}

// Says of topics, given in byte order, whether they match a filter, and if not, how far the next that may is.
//
// All topics that begin with the same bytes are neighbours. So when a level is not the wanted one, the next match with
// the levels before it is `before/wanted`, or if that has passed already, lies behind everything that begins with
// `before/`: the slash is followed by '0' in ASCII, so `before0` is the first text behind all of it.
class FilterWalk {
 public:
  explicit FilterWalk(std::string_view filter)
      : filter_(filter), begins_with_wildcard_(has_wildcard(filter.substr(0, 1))) {}

  enum class Verdict : std::uint8_t {
    Match,
    Next,  // the next topic may match
    Seek,  // nothing before seek_target() matches; it is behind the topic
    End,   // nothing from here on matches
  };

  Verdict judge(std::string_view topic) {
    if (begins_with_wildcard_ && topic.starts_with('$')) return seek("%");  // the character after `$`
    mqtt::TopicLevels wanted_levels(filter_);
    mqtt::TopicLevels levels(topic);
    std::string_view wanted;
    std::string_view level;
    while (wanted_levels.next(wanted)) {
      if (wanted == "#") return Verdict::Match;
      if (!levels.next(level)) return Verdict::Next;
      if (wanted != "+" && wanted != level) return skip_to(wanted, topic, level);
    }
    const auto matched = static_cast<std::size_t>(level.data() + level.size() - topic.data());
    if (matched == topic.size()) return Verdict::Match;
    return seek(topic.substr(0, matched), "0");
  }

  std::string_view seek_target() const { return target_; }

 private:
  // `topic` has `level` where the filter wants `wanted`.
  Verdict skip_to(std::string_view wanted, std::string_view topic, std::string_view level) {
    const std::string_view before = topic.substr(0, static_cast<std::size_t>(level.data() - topic.data()));
    const std::string_view rest = topic.substr(before.size());
    if (rest < wanted) return seek(before, wanted);
    // Between `wanted` and `wanted/` lie others, such as `wanted-2`.
    if (rest.starts_with(wanted) && rest.substr(wanted.size()) < "/") return seek(before, wanted, "/");
    if (before.empty()) return Verdict::End;
    return seek(before.substr(0, before.size() - 1), "0");
  }

  Verdict seek(std::string_view first, std::string_view second = "", std::string_view third = "") {
    target_.assign(first).append(second).append(third);
    return Verdict::Seek;
  }

  const std::string_view filter_;
  const bool begins_with_wildcard_;
  std::string target_;
};

}  // namespace

RetainedStore::RetainedStore(const Options& options)
    : options_(options), hash_key_(HashKey::from_seed(options.hash_seed)), order_(slots_) {}

RetainedStore::Outcome RetainedStore::set(MessageRef message) {
  if (message->payload().empty()) return remove(message->topic());
  const std::uint32_t slot = find_slot(message->topic());
  return slot == kNone ? add(std::move(message)) : replace(slot, std::move(message));
}

RetainedStore::Outcome RetainedStore::add(MessageRef message) {
  const std::size_t bytes = bytes_ + message->memory_bytes();
  if (!fits(messages() + 1, bytes)) return Outcome::Full;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  const std::uint32_t topic_hash = hash(message->topic());
  slots_[slot] = std::move(message);
  by_topic_.insert(topic_hash, slot);
  order_.insert(slot);
  bytes_ = bytes;
  return Outcome::Stored;
}

RetainedStore::Outcome RetainedStore::replace(std::uint32_t slot, MessageRef message) {
  if (is_same_value(*slots_[slot], *message)) return Outcome::Unchanged;
  const std::size_t bytes = bytes_ - slots_[slot]->memory_bytes() + message->memory_bytes();
  if (!fits(messages(), bytes)) return Outcome::Full;
  slots_[slot] = std::move(message);
  bytes_ = bytes;
  return Outcome::Replaced;
}

RetainedStore::Outcome RetainedStore::remove(std::string_view topic) {
  const std::uint32_t slot = find_slot(topic);
  if (slot == kNone) return Outcome::NotThere;
  by_topic_.erase(hash(topic), slot);
  order_.erase(slot);
  bytes_ -= slots_[slot]->memory_bytes();
  free_.push_back(slot);
  // Last, because `topic` may be the message's own.
  slots_[slot] = MessageRef();
  return Outcome::Removed;
}

MessageRef RetainedStore::find(std::string_view topic) const {
  const std::uint32_t slot = find_slot(topic);
  return slot == kNone ? MessageRef() : slots_[slot];
}

void RetainedStore::match(std::string_view filter, std::vector<MessageRef>& out) const {
  if (!has_wildcard(filter)) {
    if (MessageRef message = find(filter)) out.push_back(std::move(message));
    return;
  }
  FilterWalk walk(filter);
  TopicOrder::Place place = order_.begin();
  while (!order_.is_end(place)) {
    const MessageRef& message = slots_[order_.slot(place)];
    const FilterWalk::Verdict verdict = walk.judge(message->topic());
    if (verdict == FilterWalk::Verdict::End) return;
    if (verdict == FilterWalk::Verdict::Match) out.push_back(message);
    place = order_.next(place);
    if (verdict == FilterWalk::Verdict::Seek) place = order_.seek(place, walk.seek_target());
  }
}

std::uint32_t RetainedStore::hash(std::string_view topic) const {
  return static_cast<std::uint32_t>(keyed_hash(hash_key_, topic));
}

std::uint32_t RetainedStore::find_slot(std::string_view topic) const {
  return by_topic_.find(hash(topic), [&](std::uint32_t slot) { return slots_[slot]->topic() == topic; });
}

bool RetainedStore::fits(std::size_t messages, std::size_t bytes) const {
  return (options_.messages_max == 0 || messages <= options_.messages_max) &&
         (options_.bytes_max == 0 || bytes <= options_.bytes_max);
}

std::size_t RetainedStore::overhead_bytes() const {
  return slots_.capacity() * sizeof(MessageRef) + free_.capacity() * sizeof(std::uint32_t) + by_topic_.memory_bytes() +
         order_.memory_bytes();
}

}  // namespace furrow::broker
