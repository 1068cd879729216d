// The part of a session that the store keeps, as values and as bytes.
//
//   session := version:1 rest | version:3 flags [user] listener rest     1: of an anonymous client, by no known
//   listener
//              flags: bit 0 has a user                                   2 and 4 are how the row of a bridge may begin
//   rest    := queue expiry_s flags [stamp] [will] count subscription*   queue 0: no session, only a will
//   flags   := bit 0 connected, 1 has a will
//   stamp   := boot:8 monotonic_us:8 wall_us:8 trusted:1      when the connection ended; only if not connected
//   will    := qos|retain<<2 delay_s expiry_s+1 topic payload properties     (expiry 0: none)
//   subscription := options filter identifier
//   options := bits 0-1 QoS, 2 no local, 3 retain as published, 4 retained messages not all sent; more are ignored
//
// Numbers are varints where no width is given; strings and bytes carry a varint length. The bytes may come back
// damaged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/short_text.h"
#include "broker-core/base/time.h"
#include "broker-core/identity.h"
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

  friend bool operator==(const WillMessage&, const WillMessage&) = default;
};

struct Will : WillMessage {
  // Not stored:
  std::uint64_t published = 0;  // the number that it was published under, while it is not safe yet; else 0
  bool stored = false;          // of a client without a durable session: the client's row has it, or is about to
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
  // Not stored:
  Instant look_at = kNever;   // when the broker looks at the session again
  bool before_start = false;  // the session was found at the start
};

struct SessionRecord {
  std::string client_id;
  QueueId queue;
  std::uint32_t expiry_s = 0;                  // after the connection has ended; kExpiryNever = never
  IdentityId owner;                            // stored as what it stands for
  std::unique_ptr<Disconnected> disconnected;  // empty while there is a connection
  std::unique_ptr<Will> will;
  std::vector<Subscription> subscriptions;

  bool connected() const { return disconnected == nullptr; }
  // Whether there is a will that is still to be published.
  bool has_pending_will() const { return will != nullptr && will->published == 0; }
};

// When the session of a connection that has ended at `ended` ends.
inline Instant expiry_of(const SessionRecord& record, Instant ended) {
  return record.expiry_s == kExpiryNever ? kNever : ended + std::chrono::seconds(record.expiry_s);
}

// The key, among the client identifiers of the store, of the session that a bridge has at its far broker: no client's
// identifier has the U+0000 [MQTT-1.5.4-2] that it begins with.
std::string far_session_key(std::string_view bridge);
bool is_far_session(std::string_view client_id);

// `unsent`: the places of the subscriptions whose retained messages have not all been sent, in order.
Bytes encode(const SessionRecord& record, const Identity& owner = {}, std::span<const std::uint32_t> unsent = {});
// The row of a client that has no session, only a will.
Bytes encode_will_alone(const WillMessage& will, const Identity& owner);
// Nothing when the bytes are damaged. Appends to `unsent` and sets `owner`, if given; the record has no owner yet.
std::optional<SessionRecord> decode_session(std::string_view client_id, ByteView bytes,
                                            std::vector<std::uint32_t>* unsent = nullptr, Identity* owner = nullptr);

}  // namespace furrow::broker
