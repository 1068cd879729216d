#include "broker-core/routing/route_cache.h"

#include <algorithm>

#include "broker-core/routing/keyed_hash.h"

namespace furrow::broker {

namespace {

// Matches in the order of subscribers, then of subscription identifiers: one number, because sorting is most of a miss,
// and a function object, because a pointer to a function would be called for each comparison.
constexpr auto kRouteOrder = [](const Match& match) {
  return std::uint64_t{match.subscriber.value} << 32U | match.options.subscription_id;
};

bool is_no_local(const Match& match) {
  return match.options.no_local;
}

// The number of routes, and of identifiers in them, that `matches` give at most.
std::size_t count_max(std::span<const Match> matches) {
  return matches.size() * (std::ranges::any_of(matches, is_no_local) ? 2 : 1);
}

// The bytes that it takes at most to remember `topic` with `matches`.
std::size_t cost(std::string_view topic, std::span<const Match> matches) {
  return topic.size() + count_max(matches) * (sizeof(Route) + sizeof(std::uint32_t));
}

}  // namespace

RouteCache::RouteCache(const SubscriptionTree& tree) : tree_(tree), generation_(tree.generation()) {}

std::span<const Route> RouteCache::lookup(std::string_view topic) {
  if (generation_ != tree_.generation()) {
    clear();
    generation_ = tree_.generation();
  }
  if (last_ != kNone && entries_[last_].topic == topic) return entries_[last_].routes;
  const auto hash = static_cast<std::uint32_t>(keyed_hash(tree_.hash_key(), topic));
  last_ = by_topic_.find(hash, [&](std::uint32_t index) { return entries_[index].topic == topic; });
  if (last_ == kNone) last_ = add(topic, hash);
  return entries_[last_].routes;
}

std::uint32_t RouteCache::add(std::string_view topic, std::uint32_t hash) {
  matches_.clear();
  tree_.match(topic, matches_);
  const std::size_t bytes = cost(topic, matches_);
  if (entries_.size() == kEntriesMax || bytes_ + bytes > kBytesMax) clear();
  bytes_ += bytes;

  const std::span<char> name = allocate<char>(topic.size());
  std::ranges::copy(topic, name.begin());
  entries_.push_back({.topic = {name.data(), name.size()}, .routes = merge_matches()});
  const auto index = static_cast<std::uint32_t>(entries_.size() - 1);
  by_topic_.insert(hash, index);
  return index;
}

std::span<const Route> RouteCache::merge_matches() {
  if (matches_.empty()) return {};
  // One filter alone gives its subscribers in order already.
  if (!std::ranges::is_sorted(matches_, {}, kRouteOrder)) std::ranges::sort(matches_, {}, kRouteOrder);
  const std::size_t most = count_max(matches_);
  const std::span<Route> routes = allocate<Route>(most);
  const std::span<std::uint32_t> ids = allocate<std::uint32_t>(most);
  std::size_t route_count = 0;
  std::size_t id_count = 0;
  const auto add = [&](std::span<const Match> of_one, Route::From from) {
    Route& route = routes[route_count++];
    route = {.subscriber = of_one.front().subscriber, .from = from, .subscription_ids = ids.subspan(id_count, 0)};
    for (const auto& [subscriber, options] : of_one) {
      if (from == Route::From::Itself && options.no_local) continue;
      route.qos = std::max(route.qos, options.qos);
      route.retain_as_published = route.retain_as_published || options.retain_as_published;
      if (options.subscription_id == 0) continue;
      ids[id_count++] = options.subscription_id;
      route.subscription_ids = {route.subscription_ids.data(), route.subscription_ids.size() + 1};
    }
  };
  for (auto first = matches_.begin(); first != matches_.end();) {
    const auto behind =
        std::find_if(first, matches_.end(), [&](const Match& match) { return match.subscriber != first->subscriber; });
    const std::span<const Match> of_one(first, behind);
    const auto silent = static_cast<std::size_t>(std::ranges::count_if(of_one, is_no_local));
    add(of_one, silent == 0 ? Route::From::Anyone : Route::From::Others);
    if (silent > 0 && silent < of_one.size()) add(of_one, Route::From::Itself);
    first = behind;
  }
  return routes.first(route_count);
}

void RouteCache::clear() {
  entries_.clear();
  by_topic_.clear();
  memory_.release();
  bytes_ = 0;
  last_ = kNone;
}

template <typename T>
std::span<T> RouteCache::allocate(std::size_t count) {
  T* place = static_cast<T*>(memory_.allocate(count * sizeof(T), alignof(T)));
  std::uninitialized_default_construct_n(place, count);
  return {place, count};
}

}  // namespace furrow::broker
