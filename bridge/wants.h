// What somebody here wants of a far broker, for the rules that bring down no more than that (`subscribe: wanted`).
//
// What a local subscription and a rule have in common is kept under its remote name, with the number of subscriptions
// that want it. A rule is subscribed to
//
//   nothing             while nobody wants any of it
//   these filters       but for those that another one covers
//   its whole filter    instead of more than WantedTerms allow; of two that overlap partly, since a far broker of 3.1.1
//                       may send a message for each of them; of one that a far broker may take for malformed
//
// What nobody wants any more lingers for a minute, so that a client which reconnects costs no SUBSCRIBE, and no
// retained values once more. That, and the bound, also keep clients that come and go from filling a link with
// SUBSCRIBE: a minute has no more of them than a rule may have filters. Holds no more than there are local
// subscriptions, but for what lingers, which the bound limits. Knows neither broker nor far session. Thread: loop.
// Time: passed in.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "bridge/topic_map.h"
#include "broker-core/base/time.h"

namespace furrow::bridge {

class Wants {
 public:
  static constexpr Duration kLingers = std::chrono::minutes(1);

  // `map` must outlive it, and has no rules yet.
  explicit Wants(const TopicMap& map) : map_(map) {}

  // The map has other rules. Nobody wants anything yet; what the far broker may have of it, `present`, lingers.
  void handle_rules_changed(const std::vector<std::string>& present);
  // Whether any rule asks for it: else nothing has to be told.
  bool any() const { return any_; }
  // Somebody has subscribed; then, has no longer.
  void add(std::string_view local_filter);
  void remove(std::string_view local_filter);
  // Brings filters() up to date. True when they have changed.
  bool review(Instant now);
  // When to do that again, at the latest.
  Instant next_deadline() const { return due_; }
  // What is to be subscribed to for a rule that brings down no more than is wanted, at the far side: no topic matches
  // two of them.
  const std::vector<std::string>& filters(std::size_t rule) const { return rules_[rule].filters; }

 private:
  struct Want {
    std::uint32_t count = 0;  // of those who want it
    Instant until = kNever;   // it lingers, once that is known
  };
  struct OfRule {
    std::map<std::string, Want, std::less<>> wants;  // by remote filter; in order, so that the same input says the same
    std::vector<std::string> filters;
    bool changed = false;
    bool crowded = false;  // more than the rule may have
    Instant whole_until = Instant::min();
  };

  void linger(Instant now);
  std::vector<std::string> choose(std::size_t rule, Instant now);

  const TopicMap& map_;

  std::vector<OfRule> rules_;  // as those of the map
  bool any_ = false;
  std::vector<std::pair<std::size_t, std::string>> left_;              // since review(); may be wanted again
  std::set<std::tuple<Instant, std::size_t, std::string>> lingering_;  // with the place of the rule
  Instant due_ = kNever;
};

}  // namespace furrow::bridge
