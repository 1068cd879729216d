// What the store keeps of a session, as values, and its bytes.
//
//   session := version:1 queue expiry_s flags [stamp] [will] count subscription*
//   flags   := bit 0 connected, 1 has a will
//   stamp   := boot:8 monotonic_us:8 wall_us:8 trusted:1      when the connection ended; only if not connected
//   will    := qos|retain<<2 delay_s expiry_s+1 topic payload properties     (expiry 0: none)
//   subscription := options filter identifier
//   options := bits 0-1 QoS, 2 no local, 3 retain as published; more are ignored
//
// Numbers are varints where no width is given; strings and bytes carry a varint length. The bytes may come back
// damaged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/short_text.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/routing/subscription.h"
#include "broker-core/store.h"

namespace furrow::broker {

// "Never" for a session's expiry interval [MQTT 5.0 §3.1.2.11.2].
inline constexpr std::uint32_t kExpiryNever = 0xFFFF'FFFF;

struct WillMessage {
  std::string topic;
  Bytes payload;
  Bytes properties;  // forwarded ones, encoded
  std::optional<std::uint32_t> expiry_s;
  std::uint32_t delay_s = 0;
  mqtt::Qos qos = mqtt::Qos::AtMostOnce;
  bool retain = false;
  bool published = false;  // and not yet safe, so that the stored row still needs it; not stored itself

  friend bool operator==(const WillMessage&, const WillMessage&) = default;
};

class Subscription {
 public:
  Subscription(std::string_view filter, const SubscriptionOptions& options)
      : filter_(filter), options_(pack_options(options)) {}

  std::string_view filter() const { return filter_.view(); }
  SubscriptionOptions options() const { return unpack_options(options_); }

  friend bool operator==(const Subscription& one, const Subscription& other) {
    return one.filter() == other.filter() && one.options_ == other.options_;
  }

 private:
  ShortText filter_;
  std::uint32_t options_;
};
static_assert(sizeof(Subscription) == 24, "every idle client has one");

// When the connection ended.
struct Disconnected : ClockStamp {
  Instant look_at = kNever;  // when the broker looks at the session again; not stored
};

struct SessionRecord {
  std::string client_id;
  QueueId queue;
  std::uint32_t expiry_s = 0;                  // after the connection has ended; kExpiryNever = never
  std::unique_ptr<Disconnected> disconnected;  // empty while there is a connection
  std::unique_ptr<WillMessage> will;
  std::vector<Subscription> subscriptions;

  bool connected() const { return disconnected == nullptr; }
};

Bytes encode(const SessionRecord& record);
// Nothing when the bytes are damaged.
std::optional<SessionRecord> decode_session(std::string_view client_id, ByteView bytes);

}  // namespace furrow::broker
