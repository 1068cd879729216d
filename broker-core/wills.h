// Last wills: when they are published, and how they outlive the gateway.
//
//   CONNECT            the will goes into the session's row, or, where the client leaves no session, into a row of its
//                      own within kWriteInterval, unless the row has it already
//   connection lost    published at once or after its delay; the row keeps it until the message is safe
//   DISCONNECT         taken away at once, from the row without haste
//   the gateway ends,  the row keeps it
//     by crash or stop
//   the next start     published when its client has not come back within its delay and kRestartGrace
//
// Sessions keep their own wills in their records. This class keeps the wills that wait for a client without a session:
// found in the store at the start, or left by a session that ended before its will was due. These and the connected
// clients together are bounded by `limits.connections`: when one more client comes with a will, the first to come due
// is published at once. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "broker-core/base/ref.h"
#include "broker-core/base/ring.h"
#include "broker-core/base/time.h"
#include "broker-core/routing/subscriber_id.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/session/session.h"
#include "broker-core/session/session_record.h"

namespace furrow::broker {

class Router;
class SessionTable;

class Wills final : private AckSink {
 public:
  // After a start clients get this long to come back: all at once, over a network that has just lost its power, too.
  static constexpr Duration kRestartGrace = std::chrono::seconds(60);
  // How long a will may be in memory only. Wills that are half as old are written along with it.
  static constexpr Duration kWriteInterval = std::chrono::seconds(1);

  // The references must outlive it. `started` is the first moment of the broker.
  Wills(Router& router, Session::Shared& shared, const SessionTable& sessions, Instant started);
  ~Wills();
  Wills(const Wills&) = delete;
  Wills& operator=(const Wills&) = delete;

  // --- clients without a durable session ---
  // The will waits for its client until `due`, and its row keeps it.
  void wait(const std::string& client_id, std::unique_ptr<Will> will, Identity owner, Instant due, Instant now);
  // Whose will waits for this client; nullptr when none does.
  const Identity* owner_of_waiting(std::string_view client_id) const;
  struct Taken {
    std::unique_ptr<Will> will;
    Identity owner;
  };
  // The client connects: the will that waits for it is not published [MQTT-3.1.3-9]. Nothing when there is none.
  Taken take(std::string_view client_id);
  // `session`, which is new, has the will of its CONNECT; the client's row still has `stored`, if anything. `clients`
  // others are connected.
  void keep(Session& session, const Taken& stored, std::size_t clients, Instant now);

  // --- sessions ---
  // When to publish the will of a session whose connection has ended at `ended`; never if there is nothing to publish.
  Instant due(const SessionRecord& record, Instant ended) const;
  // REQUIRES: the session has a will that was not published.
  void publish(Session& session, Instant now);
  // The client has said DISCONNECT. A durable session is stored by the caller.
  void withdraw(Session& session, Instant now);

  // --- time ---
  void handle_timeout(Instant now);
  Instant next_deadline() const;
  // The medium takes writes again, or memory is free again: writes the wills that could not be written meanwhile.
  void write_rest();

  // How many wait for clients without a session.
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Unwritten {
    Instant since;
    SubscriberId subscriber;  // perhaps another session's by now: then that one is looked at
  };
  struct Waiting {
    std::unique_ptr<Will> will;
    Identity owner;
    Instant due;
  };
  struct Published {
    std::string client_id;
    Instant at;
  };
  using WaitingMap = std::map<std::string, Waiting, std::less<>>;

  void write(Session& session);
  void write_due(Instant now);
  void publish_waiting(WaitingMap::iterator waiting, Instant now);
  // What `may_publish`, bool(const WillMessage&), says is asked now: the rules may be others than at the CONNECT.
  template <typename MayPublish>
  bool is_granted(const std::string& client_id, const WillMessage& will, const Identity& owner, MayPublish may_publish,
                  Instant now);
  bool send(const std::string& client_id, Will& will, bool stored, SubscriberId origin, Instant now);
  // The first of published_ is safe.
  void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) override;

  // Constant after construction.
  Router& router_;
  Session::Shared& shared_;
  const SessionTable& sessions_;
  const Instant started_;

  Ring<Unwritten> unwritten_;  // wills of sessions that are not durable; some have ended since
  WaitingMap waiting_;
  std::set<std::pair<Instant, std::string_view>> waiting_by_due_;
  // Wills published for clients with a row, and not yet safe. Until then the stored row keeps the will, and keeps the
  // session even if it has ended.
  Ring<Published> published_;
  std::uint64_t safe_ = 0;  // how many were published and are safe: the number of the last one
  Ref<AckQueue> acknowledgements_ = AckQueue::make(*this);  // one for each of published_
};

}  // namespace furrow::broker
