// The checkers' book: what publishers were promised, and what reached whom. It knows nothing of the code under test.
//
// A *stream* is the numbered messages of one publisher to one topic at one QoS. A *receiver* is whoever a stream must
// reach: the region behind one gateway, one local subscriber, or all members of a shared subscription together. Between
// the two lies a *flow*:
//
//   safety    a first arrival comes in the order of publishing; nothing arrives that was never published; what travels
//             at QoS 2 all the way arrives once, and what was sent at QoS 0 not twice; nobody gets what it did not ask
//             for (no message circles)
//   liveness  in the end everything acknowledged has arrived, but for what the *account* of the receiver (the books of
//             one bridge, or of the sessions of one gateway) says was dropped or has expired
//
// A *deletion* takes the retained value of its topic away. Its payload is empty, so when it arrives nobody can say
// which one it is: deletions are counted, and the value that is left in the end is compared.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"

namespace furrow::sim {

using StreamId = std::size_t;
using ReceiverId = std::size_t;
using AccountId = std::size_t;

// A payload says `STREAM NUMBER` and then anything.
std::string make_payload(StreamId stream, std::uint32_t number, std::size_t padding);
std::optional<std::pair<StreamId, std::uint32_t>> parse_payload(ByteView payload);

class Ledger {
 public:
  struct Stream {
    std::string topic;
    mqtt::Qos qos = mqtt::Qos::AtLeastOnce;
    bool retain = false;
    bool will = false;
    std::optional<std::uint32_t> expiry_s = std::nullopt;
  };

  StreamId add_stream(Stream stream);
  AccountId add_account(std::string name);
  ReceiverId add_receiver(std::string name, AccountId account);
  const Stream& stream(StreamId stream) const { return streams_[stream].options; }
  std::size_t streams() const { return streams_.size(); }

  // `receiver` is several beside each other, so that messages may overtake.
  void lift_order(ReceiverId receiver) { receivers_[receiver].ordered = false; }
  void lift_orders() {
    for (Receiver& receiver : receivers_) receiver.ordered = false;
  }
  // `receiver` may get messages of `stream`, at `qos` at most.
  void allow(StreamId stream, ReceiverId receiver, mqtt::Qos qos);
  // From the next message on it must get them.
  void expect(StreamId stream, ReceiverId receiver);
  // It has lost its session, so that it may get again what it had, and need not get what waited for it.
  void forgive(ReceiverId receiver);

  // The number of the next message of the stream.
  std::uint32_t publish(StreamId stream, Instant now, bool deletes = false);
  // The message must not arrive, and must not have: ever, until permit(), or until a gateway crashes.
  enum class Until : std::uint8_t { Permitted, Crash, Ever };
  void forbid(StreamId stream, std::uint32_t number, Until until);
  void permit(StreamId stream, std::uint32_t number) { streams_[stream].messages[number].forbidden.reset(); }
  // The publisher sends it again: what was dropped the first time may be taken now, behind later ones.
  void repeat(StreamId stream, std::uint32_t number) { streams_[stream].messages[number].repeated = true; }
  // A gateway has crashed: what was dropped and not yet settled on disk comes back, behind what was sent meanwhile.
  void note_crash();
  // QoS 0 arrives, too.
  void demand_qos0() { qos0_demanded_ = true; }
  // QoS 0 is kept over crashes, so that it may come again then.
  void allow_qos0_revival() { qos0_revival_allowed_ = true; }
  // Messages may be dropped.
  void allow_drops() { drops_allowed_ = true; }
  // Messages may be refused; where the publisher does not hear of it, it sends them again behind newer ones.
  void allow_refusals() { refusals_allowed_ = true; }
  // The publisher was told that the message is safe, or it is the will of a client that will not be back.
  void acknowledge(StreamId stream, std::uint32_t number);
  // The one that had it has lost it, and nobody else is to blame: it need not arrive.
  void excuse(StreamId stream, std::uint32_t number) { streams_[stream].messages[number].acknowledged = false; }
  void arrive(ReceiverId receiver, StreamId stream, std::uint32_t number, std::string_view topic);
  void arrive_deletion(ReceiverId receiver, std::string_view topic);

  // Acknowledged, expected, and not arrived, of all receivers of the account.
  std::uint64_t missing(AccountId account) const;
  // Those of them that travel at `qos` to `receiver`.
  std::uint64_t missing(ReceiverId receiver, mqtt::Qos qos) const;
  // The first of them in words.
  std::string first_missing(AccountId account) const;
  // The first stream of which nothing has arrived since its last acknowledged message was published, in words; empty
  // when there is none.
  std::string first_stale(ReceiverId receiver) const;
  // The number of messages that were published.
  std::size_t published(StreamId stream) const { return streams_[stream].messages.size(); }
  // Messages whose expiry interval is longer than they exist cannot have expired.
  std::uint64_t missing_too_young(AccountId account, Instant now) const;
  // What its topic's retained message must be once everything is acknowledged.
  struct Retained {
    std::optional<std::uint32_t> number;  // nothing: there must be no value
  };
  // Of the last acknowledged message; nothing while there is none.
  std::optional<Retained> last_retained(StreamId stream) const;
  std::uint64_t arrivals() const { return arrivals_; }
  std::uint64_t arrivals(ReceiverId receiver) const { return receivers_[receiver].arrivals; }
  std::uint64_t acknowledged() const { return acknowledged_; }
  // Those of them that are wills.
  std::uint64_t wills_acknowledged() const { return wills_acknowledged_; }

  void fail(std::string what) { failures_.push_back(std::move(what)); }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Message {
    Instant published;
    bool acknowledged = false;
    bool repeated = false;
    bool deletes = false;
    std::optional<Until> forbidden = std::nullopt;
  };
  struct Book {
    Stream options;
    std::vector<Message> messages;
    std::uint64_t deletions = 0;
    std::uint32_t revived_before = 0;  // what was published before the last crash
  };
  struct Flow {
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    std::optional<std::uint32_t> expected_from;
    bool repeats_allowed = false;
    std::vector<std::uint8_t> arrivals;  // by number
    std::uint32_t next = 0;              // one more than the last first arrival
    std::uint64_t deletions = 0;         // that have arrived
  };
  struct Receiver {
    std::string name;
    AccountId account = 0;
    bool ordered = true;
    std::uint64_t arrivals = 0;
    std::map<StreamId, Flow> flows;
  };
  bool may_repeat(const Flow& flow, const Book& book, std::uint32_t number) const;
  bool may_come_late(const Flow& flow, const Book& book, std::uint32_t number) const;
  template <typename Visit>
  void visit_missing(AccountId account, Visit visit) const;

  std::vector<Book> streams_;
  std::vector<std::string> accounts_;
  std::vector<Receiver> receivers_;
  bool qos0_demanded_ = false;
  bool qos0_revival_allowed_ = false;
  bool drops_allowed_ = false;
  bool refusals_allowed_ = false;
  std::uint64_t arrivals_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t wills_acknowledged_ = 0;
  std::vector<std::string> failures_;
};

}  // namespace furrow::sim
