#include "bridge/lanes.h"

#include <algorithm>
#include <utility>

namespace furrow::bridge {

using broker::DropReason;
using broker::Outbox;
using broker::QueueKind;
using broker::QueueRow;
using broker::WhenFull;

namespace {

// The names stand in the store, before `/` and the name of the bridge; the queue of `normal` has that name alone. The
// digits begin the numbers of messages; those of `normal` have none.
struct Kind {
  std::string_view name;
  std::uint64_t digit;
};
constexpr std::array<Kind, 6> kKinds{
    {{"high.live", 2}, {"high", 1}, {"normal.live", 3}, {"normal", 0}, {"low.live", 5}, {"low", 4}}};

// Numbers without a digit lie below this one: readers may hold numbers in 53 bits.
constexpr std::uint64_t kNumbersOfALane = 1'000'000'000'000'000;

// Of a limit, which is none where it is 0, what others leave.
std::uint64_t rest_of(std::uint64_t limit, std::uint64_t taken) {
  return limit == 0 ? 0 : std::max<std::uint64_t>(limit - std::min(limit, taken), 1);
}

}  // namespace

Lanes::Lanes(const std::string& bridge, const Found& found, Lane::Owner& owner, const RuleSet& rules,
             broker::Broker& broker)
    : bridge_(bridge), owner_(owner), rules_(rules), broker_(broker) {
  if (found.queue) {
    add(kNormal, found.queue->cursor);
  } else {
    make(kNormal);
  }
  for (const broker::RestoredQueue& queue : found.lanes) {
    const std::string_view name = std::string_view(queue.row.name).substr(0, queue.row.name.find('/'));
    const auto place = static_cast<std::size_t>(std::ranges::find(kKinds, name, &Kind::name) - kKinds.begin());
    if (place < kCount && lanes_[place] == nullptr) add(place, queue.cursor);
  }
}

void Lanes::add(std::size_t place, const broker::CursorRow& cursor) {
  lanes_[place] = std::make_unique<Lane>(cursor, owner_, rules_, broker_.journal());
  lanes_[place]->outbox().set_limits(limits_);
  lanes_[place]->outbox().skip_to(first_);
  ++count_;
}

// A new queue is restored like one that was found empty.
void Lanes::make(std::size_t place) {
  add(place, broker::empty_queue(broker_.new_queue()));
  (void)broker_.journal().put(row(place));
}

QueueRow Lanes::row(std::size_t place) const {
  const QueueId queue = lanes_[place]->outbox().queue();
  if (place == kNormal) return {queue, QueueKind::Bridge, bridge_};
  return {queue, QueueKind::Lane, std::string(kKinds[place].name) + "/" + bridge_};
}

void Lanes::set_first(Sequence first) {
  first_ = first;
  for_each([&](Lane& lane) { lane.outbox().skip_to(first); });
}

void Lanes::rename(const std::string& bridge) {
  bridge_ = bridge;
  for (std::size_t place = 0; place < kCount; ++place) {
    if (lanes_[place] != nullptr) (void)broker_.journal().put(row(place));
  }
}

void Lanes::handle_rules_changed(bool live_first) {
  for (const Rule& rule : rules_.map().rules()) {
    if (!rule.goes_up()) continue;
    const std::size_t place = place_of(rule.priority);
    if (lanes_[place] == nullptr) make(place);
    if (live_first && lanes_[place - 1] == nullptr) make(place - 1);
  }
  for_each([](Lane& lane) { lane.handle_rules_changed(); });
}

// --- which lane ---

Lane* Lanes::find(QueueId queue) const {
  for (const auto& lane : lanes_) {
    if (lane != nullptr && lane->outbox().queue() == queue) return lane.get();
  }
  return nullptr;
}

std::string_view Lanes::name(const Lane& lane) const {
  const auto place = std::ranges::find(lanes_, &lane, &std::unique_ptr<Lane>::get) - lanes_.begin();
  return kKinds[static_cast<std::size_t>(place)].name;
}

std::uint64_t Lanes::number(QueueId queue, Sequence sequence) const {
  for (std::size_t place = 0; place < kCount; ++place) {
    if (lanes_[place] == nullptr || lanes_[place]->outbox().queue() != queue) continue;
    return sequence.value + kKinds[place].digit * kNumbersOfALane;
  }
  return sequence.value;
}

void Lanes::begin_backlogs() {
  for (std::size_t place = 0; place < kCount; ++place) {
    behind_[place] = lanes_[place] != nullptr && lanes_[place]->outbox().has_waiting();
  }
}

void Lanes::review_backlogs() {
  for (std::size_t place = 0; place < kCount; ++place) {
    behind_[place] = behind_[place] && lanes_[place]->outbox().has_waiting();
  }
}

Lane& Lanes::of(Priority priority, bool passes) const {
  const std::size_t place = place_of(priority);
  Lane& lane = lanes_[place] != nullptr ? *lanes_[place] : *lanes_[kNormal];
  Lane* const live = lanes_[place - 1].get();
  const bool is_live = passes && live != nullptr && (behind_[place] || live->outbox().has_waiting());
  return is_live ? *live : lane;
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
  if (count_ == 1) return lane.outbox().refuses(bytes);
  return limits_.when_full == WhenFull::Refuse && is_over(bytes);
}

// An empty buffer takes any one message.
bool Lanes::is_over(std::size_t more_bytes) const {
  if (messages() == 0) return false;
  return (limits_.messages_max > 0 && messages() + 1 > limits_.messages_max) ||
         (limits_.bytes_max > 0 && bytes() + more_bytes > limits_.bytes_max);
}

// Lanes behind this one make room for it; then it does so itself, if it has anything.
bool Lanes::make_room(Lane& lane, std::size_t bytes, Instant now) {
  if (count_ == 1) return true;
  for (std::size_t place = kCount; limits_.when_full == WhenFull::DropOldest && place-- > 0 && is_over(bytes);) {
    if (lanes_[place].get() == &lane) break;
    if (lanes_[place] == nullptr) continue;
    Outbox& outbox = lanes_[place]->outbox();
    while (is_over(bytes)) {
      const Outbox::Entry* const entry = outbox.next_waiting(now);
      if (entry == nullptr) break;
      outbox.settle(entry->sequence, Outbox::Outcome::Dropped, now, DropReason::QueueFull);
    }
  }
  share_limits(lane);
  return lane.outbox().messages() > 0 || !is_over(bytes);
}

}  // namespace furrow::bridge
