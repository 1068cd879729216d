#include "broker-core/message.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "broker-core/message_id.h"

namespace furrow::broker {

Message::Message(const Fields& fields)
    : properties_size_(static_cast<std::uint32_t>(fields.properties.bytes().size())),
      payload_size_(static_cast<std::uint32_t>(fields.payload.size())),
      expiry_s_(fields.expiry_s.value_or(0)),
      received_(fields.received),
      topic_size_(static_cast<std::uint16_t>(fields.topic.size())),
      qos_(fields.qos),
      retain_(fields.retain),
      has_expiry_(fields.expiry_s.has_value()) {}

MessageRef Message::make(const Fields& fields) {
  FURROW_CHECK(fields.topic.size() <= mqtt::kStringBytesMax);
  const ByteView properties = fields.properties.bytes();
  void* place = std::malloc(sizeof(Message) + fields.topic.size() + properties.size() + fields.payload.size());
  FURROW_CHECK(place != nullptr);
  auto* message = ::new (place) Message(fields);
  auto* bytes = reinterpret_cast<std::uint8_t*>(message + 1);
  bytes = std::copy_n(as_bytes(fields.topic).data(), fields.topic.size(), bytes);
  bytes = std::copy_n(properties.data(), properties.size(), bytes);
  std::copy_n(fields.payload.data(), fields.payload.size(), bytes);
  return MessageRef(message);
}

void Message::destroy(const Message* message) {
  message->~Message();
  std::free(const_cast<Message*>(message));
}

bool same_content(const Message& one, const Message& other) {
  return one.topic() == other.topic() && std::ranges::equal(one.payload(), other.payload()) &&
         same_but_for_id(one.properties(), other.properties());
}

}  // namespace furrow::broker
