// Our half of the session at the far broker: what outlives a connection to it, and a crash.
//
// The packet identifiers of QoS 2 messages that came and are not yet released [MQTT-4.3.3-10], which the store keeps
// with the bridge's queue; and a row beside the sessions of clients with the subscriptions, since a rule that was taken
// out while the gateway was off must be unsubscribed, and the dialect that the far broker understands, since finding
// out may take half a minute.
//
//   row     := [dialect] [offered] [numbers] record      record: as that of a client's session
//   dialect := 2 flags length remote                     flags: bit 0, no bridge bit
//   offered := 5 count hash*                             hash: of a rule whose retained values have gone up
//   numbers := 4 end
//
// Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bridge/far_subscriptions.h"
#include "bridge/topic_map.h"
#include "broker-core/base/ids.h"
#include "broker-core/session/journal.h"
#include "broker-core/store.h"

namespace furrow::bridge {

class FarSession {
 public:
  // `name` is the bridge's and `queue` its queue; `exchanges` and `stored` are what the store had of them. `journal`
  // must outlive it.
  FarSession(const std::string& name, QueueId queue, std::span<const broker::ExchangeRow> exchanges,
             const std::optional<broker::Bytes>& stored, broker::Journal& journal);

  // The bridge is called `name` from now on: its row is stored under that name.
  void rename(const std::string& name);
  // Takes on the row that was stored under the name of `former`. REQUIRES: there was none of this bridge's name.
  void adopt(const broker::Bytes& stored, const std::string& former);

  // --- which session it is ---
  // CONNECT leaves; then it is refused, or answered. note_answered() returns whether the session may be another than
  // the one that this object knows: made by an earlier CONNECT whose answer never came.
  void note_connect() { ++unanswered_; }
  void note_refused() { --unanswered_; }
  bool note_answered() { return std::exchange(unanswered_, 0) > 1; }

  // --- QoS 2 identifiers ---
  const std::unordered_set<PacketId>& received() const { return received_; }
  bool has_received(PacketId packet_id) const { return received_.contains(packet_id); }
  // The row to be stored with the message.
  broker::ExchangeRow received_row(PacketId packet_id) const { return row(packet_id, State::Published); }
  // The message was taken, or needs no place.
  void note_received(PacketId packet_id) { received_.insert(packet_id); }
  // The exchange is released: its identifier is off the disk once forgotten_in() is durable.
  void forget(PacketId packet_id);
  // The same for exchanges that the far broker has lost, whose messages may still wait to be stored.
  void forget_lost(std::unordered_set<PacketId> lost);
  BatchNumber forgotten_in() const { return forgotten_in_; }

  // --- dialect ---
  // A broker that does not understand what is tried first, and understands 3.1.1.
  struct OldBroker {
    std::string remote;  // its address
    bool lacks_bridge_bit = false;

    friend bool operator==(const OldBroker&, const OldBroker&) = default;
  };
  const std::optional<OldBroker>& old_broker() const { return old_broker_; }
  void set_old_broker(std::optional<OldBroker> broker);
  // Stores it if it has changed, and is not stored with the subscriptions.
  void store_old_broker_lazily(Instant now);

  // --- retained values ---
  // Whether the far session has been given the retained values of the rule; `note_offered` stores that lazily.
  bool was_offered(const Rule& rule) const;
  void note_offered(const std::vector<Rule>& rules, Instant now);
  // The far broker has lost its session, and what it retained, perhaps.
  void forget_offered();

  // --- numbers ---
  // Messages have left with numbers below this one, perhaps; 0: with none.
  Sequence numbers_end() const { return numbers_end_; }
  // They may leave with numbers up to `end` once the batch that is returned is durable.
  BatchNumber reserve_numbers(Sequence end);

  // --- subscriptions ---
  FarSubscriptions& subscriptions() { return subscriptions_; }
  const FarSubscriptions& subscriptions() const { return subscriptions_; }

  // Stores subscriptions and dialect with the next batch if they have changed; called before SUBSCRIBE leaves. That of
  // a rule of the configuration does not wait for the batch: after a crash the rule is there again. One of something
  // that is wanted waits until is_stored(), as it may not be wanted any more then.
  void store();
  bool is_stored() const { return journal_.is_durable(stored_in_); }
  void store_lazily(Instant now);

 private:
  using State = broker::ExchangeRow::State;

  broker::ExchangeRow row(PacketId packet_id, State state) const;
  bool poll_change();
  broker::SessionRow session_row() const;

  void restore(const broker::Bytes& stored);

  std::string key_;  // changes with rename()
  // Constant after construction.
  const QueueId queue_;
  broker::Journal& journal_;

  unsigned unanswered_ = 1;  // CONNECT; one, perhaps, of an earlier run
  std::unordered_set<PacketId> received_;
  BatchNumber forgotten_in_;
  FarSubscriptions subscriptions_;
  BatchNumber stored_in_;
  std::optional<OldBroker> old_broker_;
  bool old_broker_changed_ = false;
  std::vector<std::uint64_t> offered_;  // hashes of rules
  Sequence numbers_end_;
};

}  // namespace furrow::bridge
