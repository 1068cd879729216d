// The way up: what local publishers send, through the bridge's buffer, to the far broker.
//
// Owns the buffer (an outbox that no expiry, takeover or reload empties), its in-flight window and its books.
// Records hold the local topic; the rules map it when it is sent, so that changed rules apply to what waits. The far
// broker's limits apply then as well: a QoS that it does not know is lowered, and what it will never acknowledge is
// answered here once the socket has it. QoS 0 is written at once or counted as dropped, unless its rule buffers it;
// from the buffer or not, it counts as in flight until the socket has it. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bridge/found.h"
#include "bridge/remote_session.h"
#include "bridge/topic_map.h"
#include "broker-core/broker.h"
#include "broker-core/publication.h"
#include "broker-core/session/books.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/outbox.h"

namespace furrow::bridge {

class WayUp final : public broker::Destination, private broker::PublishSink, private broker::OutboxOwner {
 public:
  // `found` is what the store had of the bridge; without a queue a new one is made.
  // `map`, `remote` and `broker` must outlive it.
  WayUp(const std::string& name, const broker::OutboxLimits& limits, const TopicMap& map, RemoteSession& remote,
        broker::Broker& broker, const Found& found);
  ~WayUp();

  // From now on it takes messages.
  void subscribe();
  broker::SubscriberId subscriber() const { return subscriber_; }
  QueueId queue() const { return queue_; }

  void deliver(broker::Publication& publication, const broker::RoutedDelivery& delivery) override;
  bool refuses(const broker::Publication& publication, const broker::RoutedDelivery& delivery) const override;
  bool may_refuse() const override { return refuses_when_full_; }

  // --- the far side ---
  void connect(broker::Inflight::Windows windows, bool session_present, Instant now);
  // Sends nothing more; what was written to the output may still leave.
  void stop() { inflight_.disconnect(); }
  // The connection is gone.
  void disconnect(Instant now);
  // PUBACK, PUBREC or PUBCOMP for one of ours.
  void handle_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  // The caller has taken all of the output; then, the socket has all that was taken.
  void handle_taken();
  void handle_sent(Instant now);
  void pump(Instant now);
  // Counts what has expired while nothing is sent.
  void expire(Instant now);
  // Whether the far broker takes nothing for now; and when pump() tries it again.
  bool refused() const { return inflight_.refused(); }
  Instant retry_due() const { return inflight_.retry_due(); }
  // When the far broker must have acknowledged something, if it is given `timeout`; never while nothing is in flight.
  Instant progress_due(Duration timeout) const;
  PacketId next_packet_id() { return inflight_.next_packet_id(); }

  // --- what is where: accepted = delivered + backlog + inflight + quarantined + expired + sum of dropped ---
  broker::Books books() const;
  std::uint64_t delivered() const { return books_.delivered; }
  std::uint64_t backlog() const { return outbox_.backlog(); }
  std::uint64_t inflight() const { return outbox_.inflight() + in_output_.once + taken_out_.once; }
  std::uint64_t waiting_bytes() const { return outbox_.bytes(); }
  std::uint64_t disk_messages() const { return outbox_.disk_messages(); }
  std::uint64_t waiting() const { return outbox_.messages(); }
  std::uint64_t taken_by(std::size_t rule) const { return taken_[rule]; }
  std::optional<Instant> oldest() const { return outbox_.oldest(); }
  std::optional<Instant> last_acknowledgement() const { return last_acknowledgement_; }

 private:
  // An acknowledgement that the far broker will not send, since the message went at a lower QoS than it has here.
  struct Answer {
    mqtt::PacketType type;
    PacketId packet_id;
  };
  // What left at QoS 0 and is not in the socket yet.
  struct Unsent {
    std::uint64_t once = 0;       // messages of QoS 0: not in the books
    std::vector<Answer> answers;  // to the others, which the outbox holds until then
  };

  bool writable() const override { return remote_.writable(); }
  Outcome write_publish(const broker::Message& message, const broker::Delivery& delivery, Instant now) override;
  void write_pubrel(PacketId packet_id, mqtt::ReasonCode reason) override;
  void handle_progress(Instant now) override { pump(now); }

  // Whether a message may go out now, with nothing waiting before it.
  bool direct() const { return inflight_.connected() && remote_.writable() && !outbox_.has_waiting(); }
  void deliver_once(const broker::Publication& publication, const TopicMap::Mapping& mapping, bool retain);
  void enqueue(broker::Publication& publication, const TopicMap::Mapping& mapping, mqtt::Qos qos, bool retain);
  broker::Message::Fields remote_fields(broker::Message::Fields fields, const TopicMap::Mapping& mapping);
  bool apply(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  void drop_outdated(Instant now);
  bool outdated(const broker::Outbox::Entry& entry, Instant now) const;
  std::size_t lookahead() const;

  // Constant after construction.
  const TopicMap& map_;
  RemoteSession& remote_;
  broker::Broker& broker_;
  const QueueId queue_;
  const bool refuses_when_full_;
  bool rules_expire_ = false;  // whether any rule has expire_after
  Sequence restored_;          // up to here, messages may have been sent before a restart

  broker::SubscriberId subscriber_;
  bool subscribed_ = false;
  broker::Books books_;
  broker::Outbox outbox_;
  broker::Inflight inflight_;
  std::uint16_t window_ = 0;  // of the present connection
  Unsent in_output_;
  Unsent taken_out_;                  // by the caller, whose socket has no room for it yet
  std::vector<Answer> answers_;       // due now
  std::vector<std::uint64_t> taken_;  // by rule
  std::optional<Instant> inflight_since_;
  std::optional<Instant> last_acknowledgement_;
  std::string topic_;      // the remote topic of the message being sent
  ByteBuffer properties_;  // its properties, when its response topic is mapped
};

}  // namespace furrow::bridge
