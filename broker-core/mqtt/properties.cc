#include "broker-core/mqtt/properties.h"

#include <array>

#include "broker-core/mqtt/enum_bits.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/mqtt/utf8.h"
#include "broker-core/mqtt/variable_byte_integer.h"

namespace furrow::mqtt {
namespace {

enum class Kind : std::uint8_t { None, Byte, TwoBytes, FourBytes, Variable, Text, Binary, Pair };

using Places = std::uint16_t;  // one bit for each PropertyPlace

struct Rule {
  PropertyId id{};
  Kind kind = Kind::None;
  Places places = 0;
  const char* range = nullptr;  // what the fault is called when a number is out of its range
};

// [MQTT 5.0 table 2-4]
constexpr auto kRules = [] {
  using enum PropertyPlace;
  constexpr Places kEverywhere = in(Connect, Connack, Publish, Will, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback,
                                    Unsubscribe, Unsuback, Disconnect, Auth);
  constexpr Places kReasonStringPlaces =
      in(Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth);
  return std::to_array<Rule>({
      {PropertyId::PayloadFormatIndicator, Kind::Byte, in(Publish, Will), "payload format indicator is not 0 or 1"},
      {PropertyId::MessageExpiryInterval, Kind::FourBytes, in(Publish, Will)},
      {PropertyId::ContentType, Kind::Text, in(Publish, Will)},
      {PropertyId::ResponseTopic, Kind::Text, in(Publish, Will)},
      {PropertyId::CorrelationData, Kind::Binary, in(Publish, Will)},
      {PropertyId::SubscriptionIdentifier, Kind::Variable, in(Publish, Subscribe), "subscription identifier is zero"},
      {PropertyId::SessionExpiryInterval, Kind::FourBytes, in(Connect, Connack, Disconnect)},
      {PropertyId::AssignedClientIdentifier, Kind::Text, in(Connack)},
      {PropertyId::ServerKeepAlive, Kind::TwoBytes, in(Connack)},
      {PropertyId::AuthenticationMethod, Kind::Text, in(Connect, Connack, Auth)},
      {PropertyId::AuthenticationData, Kind::Binary, in(Connect, Connack, Auth)},
      {PropertyId::RequestProblemInformation, Kind::Byte, in(Connect), "request problem information is not 0 or 1"},
      {PropertyId::WillDelayInterval, Kind::FourBytes, in(Will)},
      {PropertyId::RequestResponseInformation, Kind::Byte, in(Connect), "request response information is not 0 or 1"},
      {PropertyId::ResponseInformation, Kind::Text, in(Connack)},
      {PropertyId::ServerReference, Kind::Text, in(Connack, Disconnect)},
      {PropertyId::ReasonString, Kind::Text, kReasonStringPlaces},
      {PropertyId::ReceiveMaximum, Kind::TwoBytes, in(Connect, Connack), "receive maximum is zero"},
      {PropertyId::TopicAliasMaximum, Kind::TwoBytes, in(Connect, Connack)},
      {PropertyId::TopicAlias, Kind::TwoBytes, in(Publish)},
      {PropertyId::MaximumQos, Kind::Byte, in(Connack), "maximum QoS is not 0 or 1"},
      {PropertyId::RetainAvailable, Kind::Byte, in(Connack), "retain available is not 0 or 1"},
      {PropertyId::UserProperty, Kind::Pair, kEverywhere},
      {PropertyId::MaximumPacketSize, Kind::FourBytes, in(Connect, Connack), "maximum packet size is zero"},
      {PropertyId::WildcardSubscriptionAvailable, Kind::Byte, in(Connack),
       "wildcard subscription available is not 0 or 1"},
      {PropertyId::SubscriptionIdentifierAvailable, Kind::Byte, in(Connack),
       "subscription identifier available is not 0 or 1"},
      {PropertyId::SharedSubscriptionAvailable, Kind::Byte, in(Connack), "shared subscription available is not 0 or 1"},
  });
}();

// Identifier → its rule. All identifiers of 5.0 are one byte long.
constexpr auto kRuleById = [] {
  std::array<Rule, static_cast<std::size_t>(PropertyId::SharedSubscriptionAvailable) + 1> rules{};
  for (const Rule& rule : kRules) rules[static_cast<std::size_t>(rule.id)] = rule;
  return rules;
}();

constexpr bool is_number(Kind kind) {
  return kind >= Kind::Byte && kind <= Kind::Variable;
}
constexpr bool is_text(Kind kind) {
  return kind == Kind::Text || kind == Kind::Binary;
}

Kind kind_of(PropertyId id) {
  const auto index = static_cast<std::size_t>(id);
  return index < kRuleById.size() ? kRuleById[index].kind : Kind::None;
}

// Takes a big-endian number of `size` bytes.
bool take_number(ByteView& in, std::size_t size, std::uint32_t& value) {
  if (in.size() < size) return false;
  value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8U | in[i];
  in = in.subspan(size);
  return true;
}

// Takes a two-byte length and that many bytes.
bool take_text(ByteView& in, std::string_view& text) {
  std::uint32_t size = 0;
  if (!take_number(in, 2, size) || in.size() < size) return false;
  text = as_text(in.first(size));
  in = in.subspan(size);
  return true;
}

bool take_value(ByteView& in, Kind kind, Property& property) {
  switch (kind) {
    case Kind::None:
      return false;
    case Kind::Byte:
      return take_number(in, 1, property.number);
    case Kind::TwoBytes:
      return take_number(in, 2, property.number);
    case Kind::FourBytes:
      return take_number(in, 4, property.number);
    case Kind::Variable:
      return take_variable_byte_integer(in, property.number) == Taken::Whole;
    case Kind::Text:
    case Kind::Binary:
      return take_text(in, property.text);
    case Kind::Pair:
      return take_text(in, property.name) && take_text(in, property.text);
  }
  return false;
}

// Takes one property off the front of `in`; false when its identifier is unknown or its value cut short.
bool take_property(ByteView& in, Property& property) {
  property = Property{};
  if (in.empty()) return false;
  const ByteView begin = in;
  property.id = static_cast<PropertyId>(in.front());
  in = in.subspan(1);
  if (!take_value(in, kind_of(property.id), property)) return false;
  property.encoded = begin.first(begin.size() - in.size());
  return true;
}

bool is_in_range(const Property& property, Kind kind) {
  switch (property.id) {
    case PropertyId::SubscriptionIdentifier:
    case PropertyId::ReceiveMaximum:
    case PropertyId::MaximumPacketSize:
      return property.number > 0;
    default:
      return kind != Kind::Byte || property.number <= 1;  // all single bytes are yes or no, or QoS 0 or 1
  }
}

bool may_repeat(PropertyId id, PropertyPlace place) {
  return id == PropertyId::UserProperty ||
         (id == PropertyId::SubscriptionIdentifier && place == PropertyPlace::Publish);
}

PropertyFault malformed(const char* what) {
  return {.what = what, .malformed = true};
}
PropertyFault protocol_error(const char* what) {
  return {.what = what, .malformed = false};
}

// What is wrong with the value of `property`, its place aside.
PropertyFault value_fault(const Property& property, const Rule& rule) {
  if (is_number(rule.kind)) return is_in_range(property, rule.kind) ? PropertyFault{} : protocol_error(rule.range);
  if (rule.kind == Kind::Binary) return {};
  if (!is_valid_utf8(property.text)) return malformed("property is not valid UTF-8");
  if (!is_valid_utf8(property.name)) return malformed("name of a user property is not valid UTF-8");
  // [MQTT-3.3.2-14], and a topic name has at least one character [MQTT-4.7.3-1].
  if (property.id == PropertyId::ResponseTopic && !is_valid_name(property.text)) {
    return protocol_error("response topic is empty or has a wildcard");
  }
  return {};
}

// What is wrong with a list of valid properties as a whole.
PropertyFault list_fault(const PropertySet& present, PropertyPlace place) {
  const bool has_data_only =
      present.contains(PropertyId::AuthenticationData) && !present.contains(PropertyId::AuthenticationMethod);
  if (place == PropertyPlace::Connect && has_data_only) {
    return protocol_error("authentication data without a method");  // [MQTT 5.0 §3.1.2.11.10]
  }
  return {};
}

}  // namespace

PropertyView::Iterator& PropertyView::Iterator::operator++() {
  if (rest_.empty()) {
    property_ = Property{};
    property_.encoded = rest_;
    return *this;
  }
  // The bytes were valid when the view was made.
  FURROW_CHECK(take_property(rest_, property_));
  return *this;
}

PropertyView::Iterator PropertyView::begin() const {
  Iterator first;
  first.rest_ = bytes_;
  return ++first;
}

PropertyView::Iterator PropertyView::end() const {
  Iterator past;
  past.property_.encoded = bytes_.last(0);
  return past;
}

std::optional<std::uint32_t> PropertyView::number(PropertyId id) const {
  FURROW_CHECK(is_number(kind_of(id)));
  for (const Property& property : *this) {
    if (property.id == id) return property.number;
  }
  return std::nullopt;
}

std::optional<std::string_view> PropertyView::text(PropertyId id) const {
  FURROW_CHECK(is_text(kind_of(id)));
  for (const Property& property : *this) {
    if (property.id == id) return property.text;
  }
  return std::nullopt;
}

PropertyFault PropertyParser::parse(ByteView bytes, PropertyPlace place, PropertyView& view, PropertySet& present) {
  present = PropertySet{};
  Property property;
  for (ByteView rest = bytes; !rest.empty();) {
    const auto id = static_cast<PropertyId>(rest.front());
    if (kind_of(id) == Kind::None) return malformed("unknown property identifier");
    const Rule& rule = kRuleById[static_cast<std::size_t>(id)];
    if ((rule.places & in(place)) == 0) return malformed("property does not belong in this packet");
    if (!take_property(rest, property)) return malformed("property is cut short or badly encoded");
    if (present.contains(id) && !may_repeat(id, place)) return protocol_error("property is given twice");
    if (const PropertyFault fault = value_fault(property, rule); fault.what != nullptr) return fault;
    present.add(id);
  }
  if (const PropertyFault fault = list_fault(present, place); fault.what != nullptr) return fault;
  view = PropertyView(bytes);
  return {};
}

void PropertyWriter::number(PropertyId id, std::uint32_t value) {
  const Kind kind = kind_of(id);
  FURROW_CHECK(is_number(kind));
  out_.push_back(static_cast<std::uint8_t>(id));
  if (kind == Kind::Variable) {
    FURROW_CHECK(value <= kVariableByteIntegerMax);
    put_variable_byte_integer(out_.extend(variable_byte_integer_size(value)), value);
    return;
  }
  const std::size_t size = kind == Kind::Byte ? 1 : kind == Kind::TwoBytes ? 2 : 4;
  FURROW_CHECK(size == 4 || value >> (8 * size) == 0);
  std::uint8_t* at = out_.extend(size);
  for (std::size_t i = size; i-- > 0;) *at++ = static_cast<std::uint8_t>(value >> (8 * i));
}

namespace {

void append_text(ByteBuffer& out, std::string_view text) {
  FURROW_CHECK(text.size() <= kStringBytesMax);
  out.push_back(static_cast<std::uint8_t>(text.size() >> 8U));
  out.push_back(static_cast<std::uint8_t>(text.size()));
  out.append(text);
}

}  // namespace

void PropertyWriter::text(PropertyId id, std::string_view value) {
  FURROW_CHECK(is_text(kind_of(id)));
  out_.push_back(static_cast<std::uint8_t>(id));
  append_text(out_, value);
}

void PropertyWriter::user(std::string_view name, std::string_view value) {
  out_.push_back(static_cast<std::uint8_t>(PropertyId::UserProperty));
  append_text(out_, name);
  append_text(out_, value);
}

}  // namespace furrow::mqtt
