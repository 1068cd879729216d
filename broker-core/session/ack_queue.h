// The acknowledgements that one publisher waits for, in the order in which its packets came.
//
// A PUBACK, PUBREC or PUBCOMP may have to wait until its message is safe; the acknowledgements behind it wait too,
// since they leave in order of receipt [MQTT-4.6.0-2, -3]. A ticket is completed without a look at whether the
// publisher is still connected: a detached queue swallows the answer, and the client asks again when it is back.
// Thread: loop.
#pragma once

#include <cstdint>

#include "broker-core/base/ids.h"
#include "broker-core/base/ref.h"
#include "broker-core/base/ring.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/reason_code.h"

namespace furrow::broker {

// Where acknowledgements go: a connection's output, or a bridge's.
class AckSink {
 public:
  virtual void write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) = 0;

 protected:
  ~AckSink() = default;
};

class AckQueue {
 public:
  // `sink` must live until detach().
  static Ref<AckQueue> make(AckSink& sink) { return Ref<AckQueue>(new AckQueue(sink)); }

  // A place in the order for one acknowledgement that has to wait.
  std::uint64_t open(mqtt::PacketType type, PacketId packet_id);
  // The acknowledgement of `ticket` may leave, with `reason`, and does once all before it have left.
  void complete(std::uint64_t ticket, mqtt::ReasonCode reason);

  // Writes an acknowledgement that need not wait: at once, or behind others that wait.
  void pass(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason);

  // The publisher is gone: nothing is written any more.
  void detach() { sink_ = nullptr; }

  // Whether this acknowledgement is still to leave. Looks at each that waits.
  bool awaits(mqtt::PacketType type, PacketId packet_id) const;

  // The number of acknowledgements that have not left yet.
  std::size_t waiting() const { return slots_.size(); }

 private:
  friend class Ref<AckQueue>;
  struct Slot {
    PacketId packet_id;
    mqtt::PacketType type;
    mqtt::ReasonCode reason;
    bool ready;
  };
  explicit AckQueue(AckSink& sink) : sink_(&sink) {}
  static void destroy(AckQueue* queue) { delete queue; }
  void flush();

  std::uint32_t references_ = 0;
  AckSink* sink_;
  Ring<Slot> slots_;
  std::uint64_t first_ticket_ = 1;  // of slots_.front()
};

// The right to complete one acknowledgement; empty when nobody waits (QoS 0).
struct AckTicket {
  Ref<AckQueue> queue;
  std::uint64_t number = 0;

  explicit operator bool() const { return static_cast<bool>(queue); }
  void complete(mqtt::ReasonCode reason) {
    if (queue) queue->complete(number, reason);
    queue = {};
  }
};

}  // namespace furrow::broker
