// The subscriptions that the far session is to have, those that it may have, and the difference that is still to be
// said.
//
//   step:  ToSay → SUBSCRIBE or UNSUBSCRIBE → Asked → SUBACK → Granted or Refused
//                                                   → UNSUBACK → gone, or Refused: said again at the next connection
//
// A subscription is known by its remote filter, and keeps its identifier for as long as the far broker may have it: the
// messages that wait there name it. Of several rules with the same remote filter the first stands for all.
//
// A far broker sends a message once for each subscription that it matches, or once for all of them. Once it has a
// subscription, a copy comes that names it, so other copies can be dropped; but messages that waited there before it
// was made come without. Thread: loop. Time: passed in. Knows no packets and no store. Spec: MQTT 5.0 §3.8 to §3.11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bridge/topic_map.h"
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
    PacketId packet_id;              // while Asked
    Instant complete_from = kNever;  // from then on no message that it matches comes without naming it
  };

  // Those of the store; before the first want().
  void restore(const std::vector<broker::Subscription>& stored);
  // For the store.
  std::vector<broker::Subscription> record() const;
  // True once after what record() says has changed.
  bool poll_change() { return std::exchange(changed_, false); }

  // From now on what `rules` let down, and nothing else.
  void want(const std::vector<Rule>& rules);
  // A connection begins: everything is to be said that the far session has not been seen to have; with `repeats` all.
  void connect(bool session_present, bool repeats);
  // Whether all has been said and answered.
  bool is_settled() const;
  // The next to be said; nullptr when there is none. Then, that it was said with `packet_id`.
  One* next();
  void note_said(One& one, PacketId packet_id);
  // The filter whose SUBSCRIBE, or UNSUBSCRIBE, the far broker refuses; empty when it does not.
  std::string handle_suback(PacketId packet_id, bool granted, Instant now);
  std::string handle_unsuback(PacketId packet_id, bool done);

  // The rule that the messages of this subscription are for; none when nobody wants them any more.
  std::optional<std::size_t> rule_of(std::uint32_t id) const;
  // The identifier of the subscription that brings the messages of a rule, the last of want(); and whether all of them
  // name it.
  std::uint32_t id_of(std::size_t rule) const { return ids_[rule]; }
  bool is_complete(std::uint32_t id, Instant now) const;

 private:
  One* find_asked(PacketId packet_id);
  One& find_or_add(std::string filter);
  std::uint32_t free_id() const;
  void forget_unwanted();

  std::vector<One> all_;
  std::vector<std::uint32_t> ids_;  // of the rules; 0 = does not come down
  bool fresh_ = false;              // the far session began with the present connection
  bool changed_ = false;
};

}  // namespace furrow::bridge
