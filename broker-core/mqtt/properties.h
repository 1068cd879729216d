// The properties of an MQTT 5 packet, kept as the bytes that were received.
//
//   properties := property*
//   property   := id:byte (byte | two_bytes | four_bytes | variable byte integer | string | binary data | string
//   string)
//
// A PropertyView is checked once, when the packet is decoded (identifiers, types, places, duplicates, UTF-8);
// reading and forwarding it afterwards cannot fail and keeps order, as [MQTT-3.3.2-18] asks for user properties.
// Spec: MQTT 5.0 §2.2.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/protocol.h"

namespace furrow::mqtt {

enum class PropertyId : std::uint8_t {
  PayloadFormatIndicator = 0x01,
  MessageExpiryInterval = 0x02,
  ContentType = 0x03,
  ResponseTopic = 0x08,
  CorrelationData = 0x09,
  SubscriptionIdentifier = 0x0B,
  SessionExpiryInterval = 0x11,
  AssignedClientIdentifier = 0x12,
  ServerKeepAlive = 0x13,
  AuthenticationMethod = 0x15,
  AuthenticationData = 0x16,
  RequestProblemInformation = 0x17,
  WillDelayInterval = 0x18,
  RequestResponseInformation = 0x19,
  ResponseInformation = 0x1A,
  ServerReference = 0x1C,
  ReasonString = 0x1F,
  ReceiveMaximum = 0x21,
  TopicAliasMaximum = 0x22,
  TopicAlias = 0x23,
  MaximumQos = 0x24,
  RetainAvailable = 0x25,
  UserProperty = 0x26,
  MaximumPacketSize = 0x27,
  WildcardSubscriptionAvailable = 0x28,
  SubscriptionIdentifierAvailable = 0x29,
  SharedSubscriptionAvailable = 0x2A,
};

// One property. Which member holds the value follows from the type of `id`: `number` for all integers,
// `text` for strings and binary data; a user property has its name in `name` and its value in `text`.
struct Property {
  PropertyId id{};
  std::uint32_t number = 0;
  std::string_view text;
  std::string_view name;
  ByteView encoded;  // the property as received, identifier included: what forwarding copies
};

// Borrowed, valid bytes of a property list, without its length prefix.
class PropertyView {
 public:
  PropertyView() = default;

  bool empty() const { return bytes_.empty(); }
  ByteView bytes() const { return bytes_; }

  class Iterator {
   public:
    const Property& operator*() const { return property_; }
    const Property* operator->() const { return &property_; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return property_.encoded.data() == other.property_.encoded.data(); }

   private:
    friend class PropertyView;
    Property property_;
    ByteView rest_;
  };
  Iterator begin() const;
  Iterator end() const;

  // The first property `id`, as its kind of value; empty when it is not there. REQUIRES: `id` is of that kind.
  std::optional<std::uint32_t> number(PropertyId id) const;
  std::optional<std::string_view> text(PropertyId id) const;

  // For bytes that were valid when they were stored by us.
  // REQUIRES: `bytes` came from PropertyView::bytes() or a PropertyWriter.
  static PropertyView from_valid(ByteView bytes) { return PropertyView(bytes); }

 private:
  friend class PropertyParser;
  explicit PropertyView(ByteView bytes) : bytes_(bytes) {}

  ByteView bytes_;
};

// Where a property list stands: each place allows its own properties [MQTT 5.0 table 2-4].
enum class PropertyPlace : std::uint8_t {
  Connect,
  Connack,
  Publish,
  Will,
  Puback,
  Pubrec,
  Pubrel,
  Pubcomp,
  Subscribe,
  Suback,
  Unsubscribe,
  Unsuback,
  Disconnect,
  Auth,
};

// Which properties a list has, however often.
class PropertySet {
 public:
  bool contains(PropertyId id) const { return (bits_ >> static_cast<unsigned>(id) & 1U) != 0; }
  void add(PropertyId id) { bits_ |= std::uint64_t{1} << static_cast<unsigned>(id); }

 private:
  std::uint64_t bits_ = 0;
};

// What a property list may not do, in words for the log and the reason string; nullptr when it is valid.
struct PropertyFault {
  const char* what = nullptr;  // static text
  bool malformed = false;      // malformed packet (0x81), else protocol error (0x82)
};

class PropertyParser {
 public:
  // Checks `bytes` (a property list without its length prefix) for `place`; sets `view` when there is no fault, and
  // `present` to what stands in it. An empty list has no fault. Left to the decoder: a topic alias of zero, which has a
  // reason code of its own, what AUTH must have, and what binds one end of the connection only.
  static PropertyFault parse(ByteView bytes, PropertyPlace place, PropertyView& view, PropertySet& present);
  static PropertyFault parse(ByteView bytes, PropertyPlace place, PropertyView& view) {
    PropertySet present;
    return parse(bytes, place, view, present);
  }
};

// Appends properties to a buffer, in the order of the calls. Values must be valid: of the kind of `id`, in its range,
// strings at most 65,535 bytes.
class PropertyWriter {
 public:
  explicit PropertyWriter(ByteBuffer& out) : out_(out) {}

  void number(PropertyId id, std::uint32_t value);
  void text(PropertyId id, std::string_view value);
  void user(std::string_view name, std::string_view value);

 private:
  ByteBuffer& out_;
};

}  // namespace furrow::mqtt
