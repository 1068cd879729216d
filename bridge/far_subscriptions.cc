#include "bridge/far_subscriptions.h"

#include <algorithm>
#include <utility>

#include "broker-core/mqtt/topic.h"

namespace furrow::bridge {

namespace {

// How long messages may wait in a far session that were there before a subscription was added to it: as many as a
// broker keeps for a client drain within that, on a slow link, too.
constexpr Duration kOldMessagesDrainIn = std::chrono::minutes(10);
// Identifiers go round in a circle of two bytes, so that none is given again while messages wait that name its former
// owner.
constexpr std::uint32_t kIdsMax = 16'383;

}  // namespace

void FarSubscriptions::restore(const std::vector<broker::Subscription>& stored) {
  for (const broker::Subscription& subscription : stored) {
    const broker::SubscriptionOptions options = subscription.options();
    if (options.subscription_id == 0) continue;
    all_.push_back({.filter = std::string(subscription.filter()),
                    .id = options.subscription_id,
                    .qos = options.qos,
                    .no_local = options.no_local,
                    .rule = {},
                    .may_be_there = true,
                    .packet_id = {},
                    .complete_from = Instant::min()});
  }
}

std::vector<broker::Subscription> FarSubscriptions::record() const {
  std::vector<broker::Subscription> record;
  for (const One& one : all_) {
    record.emplace_back(
        one.filter,
        broker::SubscriptionOptions{
            .qos = one.qos, .no_local = one.no_local, .retain_as_published = true, .subscription_id = one.id});
  }
  return record;
}

std::vector<std::string> FarSubscriptions::filters() const {
  std::vector<std::string> filters;
  for (const One& one : all_) {
    const bool is_ending = !one.rule && one.step != Step::ToSay;
    if (!is_ending) filters.push_back(one.filter);
  }
  return filters;
}

void FarSubscriptions::want(const std::vector<Wish>& wishes, Instant now) {
  const std::vector<One> before = all_;
  for (One& one : all_) one.rule.reset();
  const std::vector<OfRule> had = std::exchange(rules_, std::vector<OfRule>(wishes.size()));
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const Wish& wish = wishes[i];
    const auto known = std::ranges::find(had, wish.key, &OfRule::key);
    const Instant decides_from = known != had.end() ? known->decides_from : now + kOldMessagesDrainIn;
    rules_[i] = {.key = wish.key, .only_wanted = wish.only_wanted, .decides_from = decides_from, .ids = {}};
    for (const std::string& filter : wish.filters) {
      One& one = find_or_add(filter);
      rules_[i].ids.push_back(one.id);
      if (!one.rule) {
        one.rule = i;
        one.qos = wish.qos;
        one.no_local = false;
        one.only_wanted = wish.only_wanted;
      }
      // Found at a start: it may have been stored just before a crash, and the far broker has kept messages since that
      // name the one which it was to take the place of.
      if (wish.only_wanted && one.complete_from == Instant::min()) one.complete_from = now + kOldMessagesDrainIn;
      // A message that goes up by one of them must not come down by another.
      one.no_local = one.no_local || wish.goes_up;
    }
    std::ranges::sort(rules_[i].ids);
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    const One& old = before[i];
    One& one = all_[i];
    const bool same =
        old.rule.has_value() == one.rule.has_value() && old.qos == one.qos && old.no_local == one.no_local;
    if (!same) one.step = Step::ToSay;
    changed_ = changed_ || old.qos != one.qos || old.no_local != one.no_local;
  }
  forget_unwanted();
}

void FarSubscriptions::connect(bool session_present, bool repeats) {
  fresh_ = !session_present;
  for (One& one : all_) {
    if (fresh_) one.complete_from = kNever;
    one.is_late = false;
    one.may_be_there = one.may_be_there && session_present;
    if (!session_present || repeats || one.step != Step::Granted) one.step = Step::ToSay;
  }
  for (OfRule& rule : rules_) {
    if (fresh_) rule.decides_from = Instant::min();  // nothing waits there
  }
  forget_unwanted();
}

// Forgets subscriptions that nobody wants and the far broker has not got: nothing is to be said of them.
void FarSubscriptions::forget_unwanted() {
  if (std::erase_if(all_, [](const One& one) { return !one.rule && !one.may_be_there; }) > 0) changed_ = true;
}

// Wanted ones come first: when one filter takes the place of another, nothing is missed in between.
bool FarSubscriptions::is_settled() const {
  return std::ranges::none_of(all_, [](const One& one) { return one.step == Step::ToSay || one.step == Step::Asked; });
}

FarSubscriptions::One* FarSubscriptions::next(bool is_stored) {
  bool waits = false;
  for (One& one : all_) {
    if (one.step != Step::ToSay || !one.rule) continue;
    if (is_stored || !one.only_wanted || one.may_be_there) return &one;
    waits = true;
  }
  const auto unwanted = std::ranges::find_if(all_, [](const One& one) { return one.step == Step::ToSay && !one.rule; });
  return waits || unwanted == all_.end() ? nullptr : &*unwanted;
}

void FarSubscriptions::note_said(One& one, PacketId packet_id) {
  one.step = Step::Asked;
  one.may_be_there = true;
  one.packet_id = packet_id;
}

std::string FarSubscriptions::handle_suback(PacketId packet_id, bool granted, Instant now) {
  One* const one = find_asked(packet_id);
  if (one == nullptr || !one->rule) return {};
  one->step = granted ? Step::Granted : Step::Refused;
  if (!granted) {
    one->complete_from = kNever;
  } else if (one->complete_from == kNever) {
    one->complete_from = fresh_ && !one->is_late ? now : now + kOldMessagesDrainIn;
  }
  return granted ? std::string() : one->filter;
}

std::string FarSubscriptions::handle_unsuback(PacketId packet_id, bool done) {
  One* const one = find_asked(packet_id);
  if (one == nullptr || one->rule) return {};
  if (!done) {
    one->step = Step::Refused;
    return one->filter;
  }
  all_.erase(all_.begin() + (one - all_.data()));
  changed_ = true;
  return {};
}

std::optional<std::size_t> FarSubscriptions::rule_of(std::uint32_t id) const {
  const auto found = std::ranges::find(all_, id, &One::id);
  return found == all_.end() ? std::nullopt : found->rule;
}

bool FarSubscriptions::brings(std::uint32_t id, std::size_t rule) const {
  return std::ranges::binary_search(rules_[rule].ids, id);
}

bool FarSubscriptions::is_spare_copy(std::size_t rule, std::string_view topic, bool names_others, Instant now) const {
  const OfRule& of = rules_[rule];
  const auto one = std::ranges::find_if(
      all_, [&](const One& each) { return brings(each.id, rule) && mqtt::matches(each.filter, topic); });
  if (one != all_.end() && one->complete_from <= now) return true;
  const bool is_refused = one != all_.end() && one->step == Step::Refused;
  return of.only_wanted && names_others && of.decides_from <= now && !is_refused;
}

FarSubscriptions::One* FarSubscriptions::find_asked(PacketId packet_id) {
  const auto found =
      std::ranges::find_if(all_, [&](const One& one) { return one.step == Step::Asked && one.packet_id == packet_id; });
  return found == all_.end() ? nullptr : &*found;
}

FarSubscriptions::One& FarSubscriptions::find_or_add(std::string filter) {
  const auto found = std::ranges::find(all_, filter, &One::filter);
  if (found != all_.end()) return *found;
  changed_ = true;
  const std::uint32_t id = free_id();
  return all_.emplace_back(One{.filter = std::move(filter), .id = id, .rule = {}, .packet_id = {}});
}

std::uint32_t FarSubscriptions::free_id() {
  const std::size_t ids_max = std::max<std::size_t>(kIdsMax, all_.size() + 1);
  do {
    last_id_ = last_id_ < ids_max ? last_id_ + 1 : 1;
  } while (std::ranges::find(all_, last_id_, &One::id) != all_.end());
  return last_id_;
}

}  // namespace furrow::bridge
