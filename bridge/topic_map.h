// The rules of a bridge: which topics cross, and what they are called on the other side.
//
//   local topic = local_prefix + X, remote topic = remote_prefix + X, where X matches `filter` and none of `except`
//   with a pattern: remote topic = what `remote` makes of X
//
// Both topics match the filters of their sides, which are valid ones: X may be an empty level where a prefix stands
// before it on either side (`farm/` by `farm/` and `#`), and no topic that begins with `$` comes of a wildcard.
// The first rule of a direction that matches, in the order of the file, decides.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/stamps.h"
#include "bridge/thinning.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/topic_pattern.h"

namespace furrow::bridge {

enum class Direction : std::uint8_t { Up, Down, Both };
// Which messages leave first on the way up, in this order.
enum class Priority : std::uint8_t { High, Normal, Low };

// Whether the bridge is subscribed at the far broker to all that a rule lets down, or to no more than what somebody
// here wants of it (wants.h).
struct WantedTerms {
  bool only = false;
  // The whole filter of the rule is subscribed to instead of more filters than this, or of one that is longer or
  // deeper: clients choose them, and some brokers end the connection at one that they do not take.
  std::size_t filters_max = 100;
  std::size_t levels_max = 128;
  std::size_t bytes_max = 1'024;
};

struct Rule {
  std::string filter;
  std::string local_prefix;
  std::string remote_prefix;
  std::string remote;  // a pattern for X (mqtt/topic_pattern.h), reversible if the rule comes down; or remote_prefix
  Direction direction = Direction::Up;
  mqtt::Qos qos_max = mqtt::Qos::AtLeastOnce;  // the highest QoS that crosses
  mqtt::Qos qos_min = mqtt::Qos::AtMostOnce;   // a message of less crosses, and waits, as if it had this; <= qos_max
  std::vector<std::string> except;             // filters of X
  bool retain_keep = true;                     // else the retain flag is cleared on the way
  bool buffer_qos0 = false;                    // QoS 0 waits in the buffer while the link is down
  Duration expire_after{};                     // on the way up; 0 = as the message says
  ThinningTerms thinning;                      // on the way up
  bool keep_latest = false;                    // likewise: of what waits only the newest of each topic
  Priority priority = Priority::Normal;        // on the way up
  std::uint32_t messages_per_second = 0;       // at most, on the way up; 0 = no limit
  std::vector<UserProperty> properties;        // added on the way up
  WantedTerms wanted;                          // on the way down

  // At which a message of `qos` crosses.
  mqtt::Qos qos_of(mqtt::Qos qos) const { return std::clamp(qos, qos_min, qos_max); }
  bool goes_up() const { return direction != Direction::Down; }
  bool comes_down() const { return direction != Direction::Up; }
  bool is_paced() const { return messages_per_second > 0; }
  bool comes_down_if_wanted() const { return comes_down() && wanted.only; }
  std::string local_filter() const { return local_prefix + filter; }
  std::string remote_filter() const;
  // Of its names here and at the far broker: the same over restarts.
  std::uint64_t names_hash() const;
};

class TopicMap {
 public:
  // No rules.
  TopicMap() = default;
  // REQUIRES: `filter`, `remote`, both filters with their prefixes, and `except` of every rule are valid.
  explicit TopicMap(std::vector<Rule> rules);

  // A topic on the other side, in three parts; `rest` borrows from the topic that was mapped.
  struct Mapping {
    std::size_t rule = 0;
    std::string_view prefix;
    std::string made;  // by a pattern, or empty
    std::string_view rest;

    std::size_t size() const { return prefix.size() + made.size() + rest.size(); }
    void write(std::string& topic) const { topic.assign(prefix).append(made).append(rest); }
    std::string topic() const {
      std::string topic;
      write(topic);
      return topic;
    }
  };

  // The remote name of a local topic on its way up, and the local name of a remote topic on its way down.
  std::optional<Mapping> up(std::string_view local) const;
  std::optional<Mapping> down(std::string_view remote) const;
  // As down(), by one rule only: the one whose subscription the far broker names.
  std::optional<Mapping> down_by(std::size_t rule, std::string_view remote) const;

  // Whether a rule lets down what another, or the same one, lets up.
  bool may_come_back() const;
  // The remote filter of what the rule brings down to a local one; nothing when that is no topic.
  std::optional<std::string> down_to(std::size_t rule, std::string_view local_filter) const;

  // The name under which an answer must be asked for: a response topic crosses with its request, the answer comes back
  // against the arrow, so the rules of the other direction map it.
  std::optional<Mapping> answer_up(std::string_view local) const;
  std::optional<Mapping> answer_down(std::string_view remote) const;

  // The exception that keeps the rule from a topic here, or at the far side, which it would take; nullptr: none does.
  const std::string* exception_here(std::size_t rule, std::string_view local) const;
  const std::string* exception_there(std::size_t rule, std::string_view remote) const;

  const std::vector<Rule>& rules() const { return rules_; }
  const Rule& rule(const Mapping& mapping) const { return rules_[mapping.rule]; }
  bool goes_up() const;
  bool comes_down() const;

 private:
  std::optional<Mapping> to_remote(std::size_t rule, std::string_view local) const;
  std::optional<Mapping> to_local(std::size_t rule, std::string_view remote) const;

  // How a rule finds its topics.
  struct Names {
    std::string local_filter;
    std::string remote_filter;
    std::optional<mqtt::TopicPattern> to_remote;  // with a pattern
    std::optional<mqtt::TopicPattern> to_local;   // where that is reversible
  };
  static Names names_of(const Rule& rule);
  // X of a topic that the rule takes, but for its exceptions. `made` keeps what a pattern makes.
  std::optional<std::string_view> find_x_here(std::size_t rule, std::string_view local) const;
  std::optional<std::string_view> find_x_there(std::size_t rule, std::string_view remote, std::string& made) const;

  // Changes with assignment only.
  std::vector<Rule> rules_;
  std::vector<Names> names_;
};

}  // namespace furrow::bridge
