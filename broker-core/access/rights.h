// The decisions for one client: what the rules come to for it.
//
// Made when it is first asked for something, thrown away when the rules or what is known of the client change: the
// rules that are for this client, in their order, with its name put in. Publishing on one topic after another is what
// nearly all clients do, so the topics that were granted last are remembered by their keyed hash, a fixed number of
// them, and cost one look-up. Refers to the rules. Thread: loop.
//
// A subscription that is granted is granted message by message: no rule refuses a topic of a filter that they grant.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/access/rules.h"
#include "broker-core/routing/keyed_hash.h"

namespace furrow::access {

struct Decision {
  enum class Why : std::uint8_t {
    Granted,       // an entry of `rule` covers the action
    Denied,        // a denying entry of `rule` has something in common with it
    NotRetained,   // `rule` grants the message, but not to retain it
    NameUnfit,     // an entry of `rule` would have a name in it that cannot stand in a topic
    NoRuleCovers,  // no rule is for it
    Reserved,      // the topic is the gateway's own, whatever the rules say
  };
  Why why = Why::NoRuleCovers;
  std::uint32_t rule = 0;    // its place in the list, if it is a rule that decides
  std::string_view entry{};  // as written; of the rules

  bool is_granted() const { return why == Why::Granted; }
  bool is_by_rule() const { return why != Why::NoRuleCovers && why != Why::Reserved; }
};

class Rights {
 public:
  // `rules` must outlive it. `key` is secret: clients choose their topics.
  Rights(const Rules& rules, const Subject& subject, broker::HashKey key);
  Rights(const Rights&) = delete;
  Rights& operator=(const Rights&) = delete;

  // Whether the client may publish to `topic`, and have the value retained. REQUIRES: a valid name.
  bool may_publish(std::string_view topic, bool retain);
  // Whether it may be sent a message of `topic`. REQUIRES: a valid name.
  bool may_receive(std::string_view topic);
  // Whether it may have all topics of `filter`; of a shared subscription without its group. REQUIRES: a valid filter.
  bool may_subscribe(std::string_view filter) const { return subscribe(filter).is_granted(); }

  // The same with their reasons.
  Decision publish(std::string_view topic, bool retain) const;
  Decision receive(std::string_view topic) const;
  Decision subscribe(std::string_view filter) const;

 private:
  // One entry, in the order of decision.
  struct Line {
    std::string_view filter;  // of the rules or of expanded_
    std::string_view entry;
    std::uint32_t rule;
    Decision::Why why;  // what it says of what it covers
    bool may_retain;
  };
  using Lines = std::vector<Line>;
  enum class Action : std::uint64_t { Publish = 1, PublishRetained = 2, Receive = 3 };

  void add(const std::vector<Entry>& entries, Decision::Why why, const Rule& rule, std::uint32_t number,
           const Subject& subject, Lines& lines);
  std::uint64_t& remembered(std::uint64_t hash) { return granted_[static_cast<std::size_t>(hash % granted_.size())]; }
  std::uint64_t hash_of(std::string_view topic, Action action) const;

  // Constant after construction.
  const broker::HashKey key_;
  std::vector<std::unique_ptr<const std::string>> expanded_;
  Lines publish_;
  Lines receive_;

  std::array<std::uint64_t, 8> granted_{};  // hashes of topics with what was granted there; 0: none
};

}  // namespace furrow::access
