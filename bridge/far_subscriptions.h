// The subscriptions that the far session is to have, those that it may have, and the difference that is still to be
// said.
//
//   step:  ToSay → SUBSCRIBE or UNSUBSCRIBE → Asked → SUBACK → Granted or Refused
//                                                   → UNSUBACK → gone, or Refused: said again at the next connection
//
// A subscription is known by its remote filter, and keeps its identifier for as long as the far broker may have it: the
// messages that wait there name it. A rule has one, or as many as are wanted of it (wants.h). Of several rules with the
// same remote filter the first stands for all.
//
// A far broker sends a message once for each subscription that it matches, or once for all of them. Once it has a
// subscription, a copy comes that names it, so other copies can be dropped; but messages that waited there before it
// was made come without. Where nobody wants a topic of a rule no copy comes for it, and a copy for another rule is
// dropped as if one had: whether something is wanted changes what crosses, and not who gets what. But a rule that was
// added to a running far session cannot say so of messages that waited there before it.
//
// What is wanted changes all the time, so a far broker must not keep what a crash makes us forget: such a subscription
// leaves once the store has it. Thread: loop. Time: passed in. Knows no packets and no store.
// Spec: MQTT 5.0 §3.8 to §3.11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/session/session_record.h"

namespace furrow::bridge {

class FarSubscriptions {
 public:
  enum class Step : std::uint8_t { ToSay, Asked, Granted, Refused };
  struct One {
    std::string filter;
    std::uint32_t id = 0;  // the subscription identifier
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    bool no_local = false;
    std::optional<std::size_t> rule;  // the first with this filter; none: it is to go
    Step step = Step::ToSay;
    bool may_be_there = false;
    bool only_wanted = false;        // of a rule that brings down what is wanted
    bool is_late = true;             // it came up since the present connection began
    PacketId packet_id;              // while Asked
    Instant complete_from = kNever;  // from then on no message that it matches comes without naming it
  };

  // Those of the store; before the first want().
  void restore(const std::vector<broker::Subscription>& stored);
  // For the store.
  std::vector<broker::Subscription> record() const;
  // True once after what record() says has changed.
  bool poll_change() { return std::exchange(changed_, false); }

  // The filters of a rule that comes down; none where it does not.
  struct Wish {
    std::uint32_t key = 0;             // of the rule, for as long as it is there
    std::vector<std::string> filters;  // at the far side: no topic matches two of them
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    bool goes_up = false;
    bool only_wanted = false;
  };
  // From now on what `wishes` say, one for each rule, and nothing else.
  void want(const std::vector<Wish>& wishes, Instant now);
  // All that the far broker is to have, or may have, but for what it has been asked to end.
  std::vector<std::string> filters() const;
  // A connection begins: everything is to be said that the far session has not been seen to have; with `repeats` all.
  void connect(bool session_present, bool repeats);
  // Whether all has been said and answered.
  bool is_settled() const;
  // The next to be said; nullptr when there is none, or none before the store has what is to be said, `is_stored`.
  // Then, that it was said with `packet_id`.
  One* next(bool is_stored = true);
  void note_said(One& one, PacketId packet_id);
  // The filter whose SUBSCRIBE, or UNSUBSCRIBE, the far broker refuses; empty when it does not.
  std::string handle_suback(PacketId packet_id, bool granted, Instant now);
  std::string handle_unsuback(PacketId packet_id, bool done);

  // The rule that the messages of this subscription are for; none when nobody wants them any more.
  std::optional<std::size_t> rule_of(std::uint32_t id) const;
  // Whether the subscription brings messages of a rule, the last of want().
  bool brings(std::uint32_t id, std::size_t rule) const;
  // Whether a message of the rule that names none of its subscriptions is not for it: a copy comes, or nobody wants
  // one. `names_others`: it names one of another rule.
  bool is_spare_copy(std::size_t rule, std::string_view topic, bool names_others, Instant now) const;

 private:
  One* find_asked(PacketId packet_id);
  One& find_or_add(std::string filter);
  std::uint32_t free_id();
  void forget_unwanted();

  struct OfRule {
    std::uint32_t key = 0;
    bool only_wanted = false;
    Instant decides_from = kNever;   // from then on what it does not bring is wanted by nobody
    std::vector<std::uint32_t> ids;  // of its subscriptions, in order; empty: it does not come down
  };

  std::vector<One> all_;
  std::vector<OfRule> rules_;
  std::uint32_t last_id_ = 0;
  bool fresh_ = false;  // the far session began with the present connection
  bool changed_ = false;
};

}  // namespace furrow::bridge
