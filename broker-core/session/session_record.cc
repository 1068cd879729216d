#include "broker-core/session/session_record.h"

#include <limits>
#include <utility>

#include "broker-core/base/varint.h"
#include "broker-core/mqtt/properties.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/session/stamp_codec.h"

namespace furrow::broker {

namespace {

constexpr std::uint8_t kAnonymous = 1;
constexpr std::uint8_t kOwned = 3;
constexpr std::uint64_t kHasUser = 1;
constexpr std::uint64_t kConnected = 1;
constexpr std::uint64_t kHasWill = 2;

// Walking properties trusts their lengths, so they are checked like those of a packet.
bool are_properties(ByteView bytes) {
  mqtt::PropertyView view;
  return mqtt::PropertyParser::parse(bytes, mqtt::PropertyPlace::Publish, view).what == nullptr;
}

void put_will(ByteBuffer& out, const WillMessage& will) {
  put_varint(out, static_cast<unsigned>(will.qos) | (will.retain ? 4U : 0U));
  put_varint(out, will.delay_s);
  put_varint(out, will.expiry_s ? std::uint64_t{*will.expiry_s} + 1 : 0);
  put_bytes(out, as_bytes(will.topic));
  put_bytes(out, will.payload);
  put_bytes(out, will.properties);
}

bool take_will(ByteView& in, WillMessage& will) {
  std::uint64_t flags = 0;
  std::uint64_t expiry = 0;
  ByteView topic;
  ByteView payload;
  ByteView properties;
  if (!take_varint(in, flags) || (flags & 3U) > 2 || flags > 7 || !take_u32(in, will.delay_s) ||
      !take_varint(in, expiry) || expiry > std::uint64_t{std::numeric_limits<std::uint32_t>::max()} + 1 ||
      !take_bytes(in, topic) || !take_bytes(in, payload) || !take_bytes(in, properties)) {
    return false;
  }
  if (!mqtt::is_valid_name(as_text(topic)) || !are_properties(properties)) return false;
  will.qos = static_cast<mqtt::Qos>(flags & 3U);
  will.retain = (flags & 4U) != 0;
  if (expiry > 0) will.expiry_s = static_cast<std::uint32_t>(expiry - 1);
  will.topic = as_text(topic);
  will.payload.assign(payload.begin(), payload.end());
  will.properties.assign(properties.begin(), properties.end());
  return true;
}

void put_owner(ByteBuffer& out, const Identity& owner) {
  if (owner == Identity{}) {
    out.push_back(kAnonymous);
    return;
  }
  out.push_back(kOwned);
  put_varint(out, owner.user ? kHasUser : 0);
  if (owner.user) put_bytes(out, as_bytes(*owner.user));
  put_bytes(out, as_bytes(owner.listener));
}

bool take_owner(ByteView& in, Identity& owner) {
  if (in.empty()) return false;
  const std::uint8_t version = in.front();
  in = in.subspan(1);
  if (version != kOwned) return version == kAnonymous;
  std::uint64_t flags = 0;
  ByteView user;
  ByteView listener;
  if (!take_varint(in, flags) || flags > kHasUser) return false;
  if (flags == kHasUser && !take_bytes(in, user)) return false;
  if (!take_bytes(in, listener)) return false;
  if (flags == kHasUser) owner.user = as_text(user);
  owner.listener = as_text(listener);
  return true;
}

constexpr std::uint64_t kUnsent = 16;

void put_subscription(ByteBuffer& out, const Subscription& subscription, bool unsent) {
  const SubscriptionOptions options = subscription.options();
  put_varint(out, static_cast<unsigned>(options.qos) | (options.no_local ? 4U : 0U) |
                      (options.retain_as_published ? 8U : 0U) | (unsent ? kUnsent : 0U));
  put_bytes(out, as_bytes(subscription.filter()));
  put_varint(out, options.subscription_id);
}

bool take_subscription(ByteView& in, std::vector<Subscription>& subscriptions, std::vector<std::uint32_t>* unsent) {
  std::uint64_t flags = 0;
  ByteView filter;
  std::uint32_t id = 0;
  if (!take_varint(in, flags) || !take_bytes(in, filter) || !take_u32(in, id)) return false;
  if ((flags & 3U) > 2 || id > kSubscriptionIdMax) return false;
  mqtt::SharedFilter shared;
  const bool half_shared = mqtt::parse_shared(as_text(filter), shared) && shared.filter.empty();
  if (half_shared || !mqtt::is_valid_filter(as_text(filter))) return false;
  if (unsent != nullptr && (flags & kUnsent) != 0) unsent->push_back(static_cast<std::uint32_t>(subscriptions.size()));
  subscriptions.emplace_back(as_text(filter), SubscriptionOptions{.qos = static_cast<mqtt::Qos>(flags & 3U),
                                                                  .no_local = (flags & 4U) != 0,
                                                                  .retain_as_published = (flags & 8U) != 0,
                                                                  .subscription_id = id});
  return true;
}

}  // namespace

std::string far_session_key(std::string_view bridge) {
  return std::string(1, '\0').append(bridge);
}

bool is_far_session(std::string_view client_id) {
  return client_id.starts_with('\0');
}

Bytes encode(const SessionRecord& record, const Identity& owner, std::span<const std::uint32_t> unsent) {
  ByteBuffer out;
  put_owner(out, owner);
  put_varint(out, record.queue.value);
  put_varint(out, record.expiry_s);
  put_varint(out, (record.connected() ? kConnected : 0) | (record.will ? kHasWill : 0));
  if (!record.connected()) put_stamp(out, *record.disconnected);
  if (record.will) put_will(out, *record.will);
  put_varint(out, record.subscriptions.size());
  for (std::uint32_t place = 0; place < record.subscriptions.size(); ++place) {
    const bool is_unsent = !unsent.empty() && unsent.front() == place;
    if (is_unsent) unsent = unsent.subspan(1);
    put_subscription(out, record.subscriptions[place], is_unsent);
  }
  return {out.view().begin(), out.view().end()};
}

Bytes encode_will_alone(const WillMessage& will, const Identity& owner) {
  SessionRecord record;
  record.will = std::make_unique<Will>(Will{will});
  return encode(record, owner);
}

std::optional<SessionRecord> decode_session(std::string_view client_id, ByteView bytes,
                                            std::vector<std::uint32_t>* unsent, Identity* owner) {
  Identity whose;
  if (!take_owner(bytes, whose)) return std::nullopt;
  if (owner != nullptr) *owner = std::move(whose);
  SessionRecord record;
  record.client_id = client_id;
  std::uint64_t flags = 0;
  if (!take_varint(bytes, record.queue.value) || !take_u32(bytes, record.expiry_s) || !take_varint(bytes, flags) ||
      (flags & ~(kConnected | kHasWill)) != 0) {
    return std::nullopt;
  }
  if ((flags & kConnected) == 0) {
    record.disconnected = std::make_unique<Disconnected>();
    if (!take_stamp(bytes, *record.disconnected)) return std::nullopt;
  }
  if ((flags & kHasWill) != 0) {
    record.will = std::make_unique<Will>();
    if (!take_will(bytes, *record.will)) return std::nullopt;
  }
  std::uint64_t count = 0;
  if (!take_varint(bytes, count) || count > bytes.size()) return std::nullopt;
  record.subscriptions.reserve(static_cast<std::size_t>(count));
  for (; count > 0; --count) {
    if (!take_subscription(bytes, record.subscriptions, unsent)) return std::nullopt;
  }
  if (!bytes.empty()) return std::nullopt;
  return record;
}

}  // namespace furrow::broker
