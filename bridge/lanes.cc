#include "bridge/lanes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace furrow::bridge {

using broker::DropReason;
using broker::Outbox;
using broker::QueueKind;
using broker::QueueRow;
using broker::WhenFull;

namespace {

// They stand in the store, before `/` and the name of the bridge; the queue of `normal` has that name alone. What has a
// rule to itself goes on with `@`, its number, `-`, and that of the rule in hexadecimal digits.
constexpr std::array<std::string_view, 6> kKinds{"high.live", "high", "normal.live", "normal", "low.live", "low"};
// Those of lanes that no rule has to itself.
constexpr std::array<std::uint64_t, 6> kNumbers{2, 1, 3, 0, 5, 4};

// The sequences of a lane lie below: readers may hold what they and its number make in 53 bits.
constexpr std::uint64_t kSequencesOfALane = 10'000'000'000'000;

// Of a limit, which is none where it is 0, what others leave.
std::uint64_t rest_of(std::uint64_t limit, std::uint64_t taken) {
  return limit == 0 ? 0 : std::max<std::uint64_t>(limit - std::min(limit, taken), 1);
}

}  // namespace

Lanes::Lanes(const std::string& bridge, const Found& found, Lane::Owner& owner, const RuleSet& rules,
             broker::Broker& broker)
    : bridge_(bridge), owner_(owner), rules_(rules), broker_(broker) {
  if (found.queue) {
    add({.key = {.kind = kNormal}}, found.queue->cursor);
  } else {
    make({.kind = kNormal}, {});
  }
  normal_ = slots_.front().lane.get();
  for (const broker::RestoredQueue& queue : found.lanes) {
    std::optional<Slot> slot = parse(std::string_view(queue.row.name).substr(0, queue.row.name.find('/')));
    if (slot && !find(slot->key)) add(*std::move(slot), queue.cursor);
  }
  arrange();
}

std::optional<Lanes::Slot> Lanes::parse(std::string_view name) {
  const std::size_t at = name.find('@');
  const auto kind = static_cast<std::size_t>(std::ranges::find(kKinds, name.substr(0, at)) - kKinds.begin());
  if (kind == kKinds.size()) return std::nullopt;
  Slot slot{.key = {.kind = kind}, .number = kNumbers[kind]};
  if (at == std::string_view::npos) return slot;
  const char* const end = name.data() + name.size();
  const auto number = std::from_chars(name.data() + at + 1, end, slot.number);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != '-') return std::nullopt;
  const auto rule = std::from_chars(number.ptr + 1, end, slot.key.rule, 16);
  if (rule.ec != std::errc() || rule.ptr != end) return std::nullopt;
  return slot;
}

std::string Lanes::name_of(const Slot& slot) {
  std::string name(kKinds[slot.key.kind]);
  if (slot.key.rule == 0) return name;
  std::array<char, 16> rule{};
  const auto end = std::to_chars(rule.begin(), rule.end(), slot.key.rule, 16).ptr;
  return name + "@" + std::to_string(slot.number) + "-" + std::string(rule.begin(), end);
}

QueueRow Lanes::row(const Slot& slot) const {
  const QueueId queue = slot.lane->outbox().queue();
  if (slot.key == Key{.kind = kNormal}) return {queue, QueueKind::Bridge, bridge_};
  return {queue, QueueKind::Lane, name_of(slot) + "/" + bridge_};
}

void Lanes::add(Slot slot, const broker::CursorRow& cursor) {
  slot.lane = std::make_unique<Lane>(cursor, owner_, rules_, broker_.journal());
  slot.lane->outbox().set_limits(limits_);
  slot.lane->outbox().skip_to(first_);
  slots_.push_back(std::move(slot));
}

// An empty lane of a rule that is gone takes up the new one, with its number: its sequences go on. A new queue is
// restored like one that was found empty.
void Lanes::make(const Key& key, const std::vector<Key>& wanted) {
  const auto is_free = [&](const Slot& one) {
    return one.key.rule != 0 && one.lane->outbox().messages() == 0 &&
           std::ranges::find(wanted, one.key) == wanted.end();
  };
  auto slot = slots_.end();
  if (key.rule != 0) slot = std::ranges::find_if(slots_, is_free);
  if (slot != slots_.end()) {
    slot->key = key;
  } else {
    add({.key = key, .number = free_number(key)}, broker::empty_queue(broker_.new_queue()));
    slot = slots_.end() - 1;
  }
  (void)broker_.journal().put(row(*slot));
}

std::uint64_t Lanes::free_number(const Key& key) const {
  if (key.rule == 0) return kNumbers[key.kind];
  std::uint64_t number = kNumbers.size();
  while (std::ranges::find(slots_, number, &Slot::number) != slots_.end()) ++number;
  return number;
}

void Lanes::set_first(Sequence first) {
  first_ = first;
  for_each([&](Lane& lane) { lane.outbox().skip_to(first); });
}

void Lanes::rename(const std::string& bridge) {
  bridge_ = bridge;
  for (const Slot& slot : slots_) (void)broker_.journal().put(row(slot));
}

std::vector<Lanes::Key> Lanes::wanted_keys(bool live_first) const {
  std::vector<Key> keys;
  for (const Rule& rule : rules_.map().rules()) {
    if (!rule.goes_up()) continue;
    const Key key = key_of(rule);
    keys.push_back(key);
    if (live_first) keys.push_back({key.kind - 1, key.rule});
  }
  return keys;
}

void Lanes::handle_rules_changed(bool live_first) {
  const std::vector<Key> wanted = wanted_keys(live_first);
  for (const Key& key : wanted) {
    if (!find(key)) make(key, wanted);
  }
  for (auto& [rule, pace] : paces_) pace.set(0);
  for (const Rule& rule : rules_.map().rules()) {
    if (rule.goes_up() && rule.is_paced()) paces_[rule.names_hash()].set(rule.messages_per_second);
  }
  arrange();
  homes_.clear();
  for (const Rule& rule : rules_.map().rules()) {
    const Key key = key_of(rule);
    homes_.push_back({find(key).value_or(0), find({key.kind - 1, key.rule})});
  }
  for_each([](Lane& lane) { lane.handle_rules_changed(); });
}

void Lanes::arrange() {
  std::ranges::sort(slots_, {}, &Slot::key);
  for (const Slot& slot : slots_) {
    slot.lane->set_place({.priority = priority_of(slot.key.kind),
                          .drained = slot.key.kind == kNormal || slot.key.kind == kLow,
                          .pace = slot.key.rule != 0 ? &paces_[slot.key.rule] : nullptr});
  }
}

// --- which lane ---

std::optional<std::size_t> Lanes::find(const Key& key) const {
  const auto slot = std::ranges::find(slots_, key, &Slot::key);
  if (slot == slots_.end()) return std::nullopt;
  return static_cast<std::size_t>(slot - slots_.begin());
}

const Lanes::Slot* Lanes::slot_of(QueueId queue) const {
  const auto slot = std::ranges::find(slots_, queue, [](const Slot& one) { return one.lane->outbox().queue(); });
  return slot == slots_.end() ? nullptr : &*slot;
}

Lane* Lanes::find(QueueId queue) const {
  const Slot* const slot = slot_of(queue);
  return slot == nullptr ? nullptr : slot->lane.get();
}

std::string_view Lanes::name(const Lane& lane) const {
  const auto slot = std::ranges::find(slots_, &lane, [](const Slot& one) { return one.lane.get(); });
  return kKinds[slot->key.kind];
}

std::uint64_t Lanes::number(QueueId queue, Sequence sequence) const {
  const Slot* const slot = slot_of(queue);
  return sequence.value + (slot == nullptr ? 0 : slot->number * kSequencesOfALane);
}

void Lanes::begin_backlogs() {
  for (Slot& slot : slots_) slot.behind = slot.lane->outbox().has_waiting();
}

void Lanes::review_backlogs() {
  for (Slot& slot : slots_) slot.behind = slot.behind && slot.lane->outbox().has_waiting();
}

Lane& Lanes::of(std::size_t rule, bool passes) const {
  const Home& home = homes_[rule];
  const Slot& rest = slots_[home.rest];
  if (!passes || !home.live) return *rest.lane;
  Lane& live = *slots_[*home.live].lane;
  return rest.behind || live.outbox().has_waiting() ? live : *rest.lane;
}

void Lanes::review_paces(Instant now) {
  for (auto& [rule, pace] : paces_) pace.review(now);
}

Instant Lanes::pace_due() const {
  Instant due = kNever;
  for_each([&](const Lane& lane) {
    const RulePace* const pace = lane.place().pace;
    if (pace != nullptr && lane.outbox().has_waiting()) due = std::min(due, pace->due());
  });
  return due;
}

// --- limits ---

void Lanes::set_limits(const broker::OutboxLimits& limits) {
  limits_ = limits;
  for_each([&](Lane& lane) { share_limits(lane); });
}

void Lanes::share_limits(Lane& lane) {
  broker::OutboxLimits limits = limits_;
  limits.messages_max = rest_of(limits.messages_max, messages() - lane.outbox().messages());
  limits.bytes_max = rest_of(limits.bytes_max, bytes() - lane.outbox().bytes());
  lane.outbox().set_limits(limits);
}

bool Lanes::refuses(const Lane& lane, std::size_t bytes) const {
  if (slots_.size() == 1) return lane.outbox().refuses(bytes);
  return limits_.when_full == WhenFull::Refuse && is_over(bytes);
}

// An empty buffer takes any one message.
bool Lanes::is_over(std::size_t more_bytes) const {
  if (messages() == 0) return false;
  return (limits_.messages_max > 0 && messages() + 1 > limits_.messages_max) ||
         (limits_.bytes_max > 0 && bytes() + more_bytes > limits_.bytes_max);
}

// Messages of a lower priority make room for it, the lowest first; then older ones in other lanes of its own; then its
// lane does so itself, if it has anything.
bool Lanes::make_room(Lane& lane, std::size_t bytes, Instant now) {
  if (slots_.size() == 1) return true;
  const Priority own = lane.place().priority;
  for (Priority one = Priority::Low; limits_.when_full == WhenFull::DropOldest && is_over(bytes);) {
    Lane* const oldest = oldest_waiting(one, now);
    if (oldest != nullptr && oldest != &lane) {
      Outbox& outbox = oldest->outbox();
      outbox.settle(outbox.next_waiting(now)->sequence, Outbox::Outcome::Dropped, now, DropReason::QueueFull);
    } else if (one == own) {
      break;
    } else {
      one = static_cast<Priority>(static_cast<int>(one) - 1);
    }
  }
  share_limits(lane);
  return lane.outbox().messages() > 0 || !is_over(bytes);
}

// The lane of this priority that has the oldest message of those that wait and are in memory; nullptr: none has any.
Lane* Lanes::oldest_waiting(Priority priority, Instant now) const {
  Lane* oldest = nullptr;
  Instant since = kNever;
  for (const Slot& slot : slots_) {
    if (slot.lane->place().priority != priority) continue;
    const Outbox::Entry* const entry = slot.lane->outbox().next_waiting(now);
    if (entry == nullptr || entry->message->received() >= since) continue;
    since = entry->message->received();
    oldest = slot.lane.get();
  }
  return oldest;
}

}  // namespace furrow::bridge
