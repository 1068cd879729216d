#include "broker-core/message_id.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace furrow::broker {

namespace {

constexpr char kSeparator = ':';

void skip_ids(mqtt::PropertyView::Iterator& at, const mqtt::PropertyView::Iterator& end) {
  while (!(at == end) && is_id(*at)) ++at;
}

}  // namespace

bool is_gateway_id(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !text.empty() && text.size() <= kGatewayBytesMax && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::optional<MessageId> parse_message_id(std::string_view text) {
  const std::size_t colon = text.find(kSeparator);
  if (colon == std::string_view::npos || !is_gateway_id(text.substr(0, colon))) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  MessageId id{.origin = text.substr(0, colon)};
  if (digits.empty() || digits.front() == '0') return std::nullopt;
  const char* const end = digits.data() + digits.size();
  const auto [last, error] = std::from_chars(digits.data(), end, id.sequence);
  if (error != std::errc() || last != end || id.sequence > kIdSequenceMax) return std::nullopt;
  return id;
}

std::string id_text(const MessageId& id) {
  return std::string(id.origin) + kSeparator + std::to_string(id.sequence);
}

std::optional<MessageId> id_of(mqtt::PropertyView publish) {
  for (const mqtt::Property& property : publish) {
    if (is_id(property)) return parse_message_id(property.text);
  }
  return std::nullopt;
}

mqtt::PropertyView with_id(mqtt::PropertyView publish, const MessageId& id, ByteBuffer& out) {
  out.clear();
  out.append(publish.bytes());
  mqtt::PropertyWriter(out).user(kIdProperty, id_text(id));
  return mqtt::PropertyView::from_valid(out.view());
}

mqtt::PropertyView without_id(mqtt::PropertyView publish, ByteBuffer& out) {
  bool has_id = false;
  for (const mqtt::Property& property : publish) has_id = has_id || is_id(property);
  if (!has_id) return publish;
  ByteBuffer others;
  for (const mqtt::Property& property : publish) {
    if (!is_id(property)) others.append(property.encoded);
  }
  out = std::move(others);
  return mqtt::PropertyView::from_valid(out.view());
}

bool same_but_for_id(mqtt::PropertyView one, mqtt::PropertyView other) {
  if (std::ranges::equal(one.bytes(), other.bytes())) return true;
  mqtt::PropertyView::Iterator here = one.begin();
  mqtt::PropertyView::Iterator there = other.begin();
  for (;; ++here, ++there) {
    skip_ids(here, one.end());
    skip_ids(there, other.end());
    if (here == one.end() || there == other.end()) return here == one.end() && there == other.end();
    if (!std::ranges::equal(here->encoded, there->encoded)) return false;
  }
}

}  // namespace furrow::broker
