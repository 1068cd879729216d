#include "broker-core/session/segment.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "broker-core/base/varint.h"
#include "broker-core/session/stamp_codec.h"

namespace furrow::broker {
namespace {

constexpr std::uint8_t kDirectoryVersion = 1;
constexpr std::size_t kVarintBytesMax = 10;

// Of a record's flags; the lowest two bits are the QoS.
constexpr std::uint8_t kQosMask = 0x03;
constexpr std::uint8_t kRetain = 0x04;
constexpr std::uint8_t kHasExpiry = 0x08;
constexpr std::uint8_t kHasProperties = 0x10;
constexpr std::uint8_t kSameDeliveries = 0x20;
constexpr std::uint8_t kSharedBeginning = 0x40;
constexpr std::uint8_t kSameLength = 0x80;
constexpr std::uint8_t kMessageFlags =
    kQosMask | kRetain | kHasExpiry | kHasProperties | kSharedBeginning | kSameLength;

// Bounds the shared beginning of a topic, so that a small damaged segment cannot expand into a large one.
constexpr std::size_t kSharedBytesMax = 127;

// Of a delivery's options; the lowest two bits are the QoS.
constexpr std::uint8_t kHasSubscriptionIds = 0x08;
constexpr std::uint8_t kDeliveryFlags = kQosMask | kRetain | kHasSubscriptionIds;

constexpr std::int64_t kAgeMsMax = (std::int64_t{1} << 60) / 1000;

// As put_varint(), into room that the caller has reserved: one check of the capacity for a whole record.
std::uint8_t* write_varint(std::uint8_t* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<std::uint8_t>(value | 0x80U);
    value >>= 7U;
  }
  *out++ = static_cast<std::uint8_t>(value);
  return out;
}

std::uint8_t* write_bytes(std::uint8_t* out, ByteView bytes) {
  return std::copy_n(bytes.data(), bytes.size(), write_varint(out, bytes.size()));
}

bool take_byte(ByteView& in, std::uint8_t& byte) {
  if (in.empty()) return false;
  byte = in.front();
  in = in.subspan(1);
  return true;
}

std::uint64_t age_ms(const Message& message, Instant now) {
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - message.received());
  return static_cast<std::uint64_t>(std::clamp(std::int64_t{age.count()}, std::int64_t{0}, kAgeMsMax));
}

// An upper bound for what write_record() writes.
std::size_t record_bytes_max(const Message& message) {
  return 1 + 8 * kVarintBytesMax + message.bytes_size();
}

// The text of a topic goes with the first record that has it.
std::uint8_t* write_topic(std::uint8_t* out, std::string_view topic, const TopicPlace& place) {
  out = write_varint(out, place.index);
  if (place.shared > 0) *out++ = static_cast<std::uint8_t>(place.shared);
  return place.is_new ? write_bytes(out, as_bytes(topic.substr(place.shared))) : out;
}

std::size_t shared_bytes(std::string_view topic, std::string_view before) {
  const auto size = static_cast<std::ptrdiff_t>(std::min({topic.size(), before.size(), kSharedBytesMax}));
  const auto differ = std::mismatch(topic.begin(), topic.begin() + size, before.begin());
  return static_cast<std::size_t>(differ.first - topic.begin());
}

// A record up to its payload; `length_before` is that of the payload before.
std::uint8_t* write_record(std::uint8_t* out, const Message& message, Instant now, const TopicPlace& topic,
                           std::size_t length_before) {
  const ByteView properties = message.properties().bytes();
  const ByteView payload = message.payload();
  auto flags = static_cast<std::uint8_t>(message.qos());
  if (message.retain()) flags |= kRetain;
  if (message.expiry_s()) flags |= kHasExpiry;
  if (!properties.empty()) flags |= kHasProperties;
  if (topic.shared > 0) flags |= kSharedBeginning;
  if (payload.size() == length_before) flags |= kSameLength;

  *out++ = flags;
  out = write_varint(out, age_ms(message, now));
  out = write_topic(out, message.topic(), topic);
  if (message.expiry_s()) out = write_varint(out, *message.expiry_s());
  if (!properties.empty()) out = write_bytes(out, properties);
  if (payload.size() != length_before) out = write_varint(out, payload.size());
  return std::copy_n(payload.data(), payload.size(), out);
}

bool take_topic(ByteView& in, Seen& seen, bool shares, std::string_view& topic) {
  std::uint64_t index = 0;
  if (!take_varint(in, index) || index > seen.topics.size()) return false;
  if (index < seen.topics.size()) {
    topic = seen.topics[static_cast<std::size_t>(index)];
    return !shares;
  }
  std::uint8_t shared = 0;
  ByteView text;
  if (shares && (!take_byte(in, shared) || seen.topics.empty() || shared > seen.topics.back().size())) return false;
  if (!take_bytes(in, text) || shared + text.size() > mqtt::kStringBytesMax) return false;
  topic = as_text(text);
  if (shared > 0) {
    std::string& joined = seen.joined.emplace_front(seen.topics.back().substr(0, shared));
    topic = joined.append(topic);
  }
  seen.topics.push_back(topic);
  return true;
}

bool take_payload(ByteView& in, bool same_length, Seen& seen, ByteView& payload) {
  std::uint64_t size = seen.payload_bytes;
  if ((!same_length && !take_varint(in, size)) || size > in.size() || size > mqtt::kRemainingLengthMax) return false;
  seen.payload_bytes = static_cast<std::size_t>(size);
  payload = in.first(seen.payload_bytes);
  in = in.subspan(seen.payload_bytes);
  return true;
}

// A record behind its flags, up to its payload; `fields` borrow from the bytes and from `seen`.
bool take_record(ByteView& in, std::uint8_t flags, Instant written, Seen& seen, Message::Fields& fields) {
  std::uint64_t age = 0;
  if ((flags & ~kMessageFlags) != 0 || (flags & kQosMask) == kQosMask) return false;
  if (!take_varint(in, age) || age > std::uint64_t{kAgeMsMax}) return false;
  if (!take_topic(in, seen, (flags & kSharedBeginning) != 0, fields.topic)) return false;
  fields.qos = static_cast<mqtt::Qos>(flags & kQosMask);
  fields.retain = (flags & kRetain) != 0;
  fields.received = written - std::chrono::milliseconds(age);
  if ((flags & kHasExpiry) != 0 && !take_u32(in, fields.expiry_s.emplace())) return false;
  if ((flags & kHasProperties) != 0) {
    // Walking properties trusts their lengths, so they are checked like those of a packet.
    ByteView properties;
    if (!take_bytes(in, properties)) return false;
    if (mqtt::PropertyParser::parse(properties, mqtt::PropertyPlace::Publish, fields.properties).what != nullptr) {
      return false;
    }
  }
  return take_payload(in, (flags & kSameLength) != 0, seen, fields.payload);
}

bool take_entry(ByteView& in, DirectoryEntry& entry) {
  return take_varint(in, entry.queue.value) && take_varint(in, entry.first.value) &&
         take_varint(in, entry.last.value) && take_varint(in, entry.messages) && take_varint(in, entry.bytes);
}

bool plausible(const DirectoryEntry& entry) {
  return entry.queue && entry.first && entry.first <= entry.last && entry.messages > 0 &&
         entry.messages - 1 <= entry.last.value - entry.first.value;
}

}  // namespace

bool parse_directory(ByteView directory, std::vector<DirectoryEntry>& entries) {
  entries.clear();
  std::uint8_t version = 0;
  if (!take_byte(directory, version) || version != kDirectoryVersion) return false;
  while (!directory.empty()) {
    DirectoryEntry& entry = entries.emplace_back();
    if (!take_entry(directory, entry) || !plausible(entry)) return false;
  }
  return true;
}

SegmentWriter::SegmentWriter(const ClockStamp& stamp) : stamp_(stamp) {
  put_stamp(records_, stamp);
}

void SegmentWriter::add_message(const Message& message, std::uint32_t count) {
  FURROW_CHECK(deliveries_left_ == 0);
  record_begin_ = records_.size();
  std::uint8_t* const place = records_.extend(record_bytes_max(message));
  std::uint8_t* end = write_record(place, message, stamp_.monotonic, place_of(message.topic()), payload_bytes_);
  deliveries_begin_ = record_begin_ + static_cast<std::size_t>(end - place);
  end = write_varint(end, count);
  records_.truncate(record_begin_ + static_cast<std::size_t>(end - place));
  ++messages_;
  message_bytes_ = message.bytes_size();
  payload_bytes_ = message.payload().size();
  deliveries_left_ = count;
  if (count == 0) finish_record();
}

// Most records of a flush are for the same queues, each one message further: four bytes less for each.
void SegmentWriter::finish_record() {
  const ByteView all = records_.view();
  if (std::ranges::equal(all.subspan(deliveries_begin_), all.subspan(written_begin_, written_end_ - written_begin_))) {
    records_.data()[record_begin_] |= kSameDeliveries;
    records_.truncate(deliveries_begin_);
  } else {
    written_begin_ = deliveries_begin_;
    written_end_ = records_.size();
  }
}

TopicPlace SegmentWriter::place_of(std::string_view topic) {
  const auto [found, is_new] = topic_index_.try_emplace(topic, static_cast<std::uint32_t>(topic_index_.size()));
  if (!is_new) return {.index = found->second, .is_new = false};
  return {.index = found->second, .shared = shared_bytes(topic, std::exchange(newest_topic_, topic))};
}

SegmentWriter::Part& SegmentWriter::part_of(QueueId queue) {
  if (recent_ < parts_.size() && parts_[recent_].entry.queue == queue) return parts_[recent_];
  const auto [place, is_new] = queue_index_.try_emplace(queue.value, static_cast<std::uint32_t>(parts_.size()));
  if (is_new) parts_.emplace_back().entry.queue = queue;
  recent_ = place->second;
  return parts_[recent_];
}

void SegmentWriter::add_delivery(QueueId queue, Sequence sequence, const DeliveryOptions& options) {
  FURROW_CHECK(deliveries_left_ > 0);
  --deliveries_left_;
  Part& part = part_of(queue);
  DirectoryEntry& entry = part.entry;
  FURROW_CHECK(sequence > entry.last);
  FURROW_CHECK(part.message != messages_);
  if (!entry.first) entry.first = entry.last = sequence;

  auto flags = static_cast<std::uint8_t>(options.qos);
  if (options.retain) flags |= kRetain;
  if (!options.subscription_ids.empty()) flags |= kHasSubscriptionIds;

  const std::size_t begin = records_.size();
  std::uint8_t* const place = records_.extend((3 + options.subscription_ids.size()) * kVarintBytesMax + 1);
  std::uint8_t* end = write_varint(place, recent_);
  end = write_varint(end, sequence.value - entry.last.value);
  *end++ = flags;
  if (!options.subscription_ids.empty()) end = write_varint(end, options.subscription_ids.size());
  for (const std::uint32_t id : options.subscription_ids) end = write_varint(end, id);
  records_.truncate(begin + static_cast<std::size_t>(end - place));

  entry.last = sequence;
  ++entry.messages;
  entry.bytes += message_bytes_;
  part.message = messages_;
  if (deliveries_left_ == 0) finish_record();
}

SegmentRow SegmentWriter::finish(SegmentId id) {
  FURROW_CHECK(deliveries_left_ == 0);
  ByteBuffer directory;
  directory.push_back(kDirectoryVersion);
  for (const Part& part : parts_) {
    put_varint(directory, part.entry.queue.value);
    put_varint(directory, part.entry.first.value);
    put_varint(directory, part.entry.last.value);
    put_varint(directory, part.entry.messages);
    put_varint(directory, part.entry.bytes);
  }
  const ByteView head = directory.view();
  const ByteView body = records_.view();
  return {.id = id,
          .messages = messages_,
          .directory = Bytes(head.begin(), head.end()),
          .records = Bytes(body.begin(), body.end())};
}

SegmentRecords::SegmentRecords(ByteView directory, ByteView records) : rest_(records) {
  damaged_ = !parse_directory(directory, directory_) || !take_stamp(rest_, stamp_);
  if (!damaged_) sequences_.resize(directory_.size());
}

bool SegmentRecords::next(Instant written, Message::Fields& fields) {
  FURROW_CHECK(damaged_ || deliveries_left_ == 0);
  if (damaged_ || rest_.empty()) return false;
  fields = {};
  std::uint8_t flags = 0;
  damaged_ = !take_byte(rest_, flags) ||
             !take_record(rest_, flags & static_cast<std::uint8_t>(~kSameDeliveries), written, seen_, fields) ||
             !begin_deliveries((flags & kSameDeliveries) != 0);
  return !damaged_;
}

bool SegmentRecords::begin_deliveries(bool repeated) {
  repeats_ = repeated;
  if (repeated) {
    repeated_ = written_;
  } else {
    written_ = rest_;
  }
  return take_varint(deliveries(), deliveries_left_);
}

bool SegmentRecords::next_delivery(Delivery& delivery) {
  if (damaged_ || deliveries_left_ == 0) return false;
  --deliveries_left_;
  damaged_ = !read_delivery(delivery);
  return !damaged_;
}

bool SegmentRecords::read_delivery(Delivery& delivery) {
  ByteView& in = deliveries();
  std::uint64_t index = 0;
  std::uint64_t distance = 0;
  std::uint8_t flags = 0;
  if (!take_varint(in, index) || !take_varint(in, distance) || !take_byte(in, flags)) return false;
  if (index >= directory_.size() || (flags & ~kDeliveryFlags) != 0 || (flags & kQosMask) == kQosMask) return false;

  delivery.queue_index = static_cast<std::size_t>(index);
  const DirectoryEntry& entry = directory_[delivery.queue_index];
  Sequence& sequence = sequences_[delivery.queue_index];
  const bool is_first = !sequence;
  if (is_first) sequence = entry.first;
  if (is_first != (distance == 0) || distance > entry.last.value - sequence.value) return false;
  sequence.value += distance;

  delivery.sequence = sequence;
  delivery.qos = static_cast<mqtt::Qos>(flags & kQosMask);
  delivery.retain = (flags & kRetain) != 0;
  delivery.subscription_ids.clear();
  std::uint64_t count = 0;
  if ((flags & kHasSubscriptionIds) != 0 && !take_varint(in, count)) return false;
  for (; count > 0; --count) {
    std::uint32_t id = 0;
    if (!take_u32(in, id) || id == 0 || id > mqtt::kRemainingLengthMax) return false;
    delivery.subscription_ids.push_back(id);
  }
  return true;
}

SegmentReader::SegmentReader(ByteView directory, ByteView records, QueueId queue, const ClockStamp& now)
    : records_(directory, records), damaged_(records_.damaged()) {
  if (damaged_) return;
  written_ = now.monotonic - elapsed(records_.stamp(), now);
  const auto entry = std::ranges::find(records_.directory(), queue, &DirectoryEntry::queue);
  if (entry == records_.directory().end()) return;
  queue_index_ = static_cast<std::size_t>(entry - records_.directory().begin());
  messages_left_ = entry->messages;
}

bool SegmentReader::next(Sequence from, Record& record) {
  while (messages_left_ > 0 && !damaged_) {
    Message::Fields fields;
    bool wanted = false;
    damaged_ = !records_.next(written_, fields) || !read_deliveries(from, record, wanted);
    if (wanted && !damaged_) {
      record.message = Message::make(fields);
      return true;
    }
  }
  return false;
}

bool SegmentReader::read_deliveries(Sequence from, Record& record, bool& wanted) {
  bool seen = false;
  while (records_.next_delivery(delivery_)) {
    if (delivery_.queue_index != queue_index_) continue;
    // A queue occurs once in a message, and no oftener than the directory says.
    if (seen || messages_left_ == 0) return false;
    seen = true;
    --messages_left_;
    if (delivery_.sequence < from) continue;
    wanted = true;
    record.sequence = delivery_.sequence;
    record.qos = delivery_.qos;
    record.retain = delivery_.retain;
    std::swap(record.subscription_ids, delivery_.subscription_ids);
  }
  return !records_.damaged();
}

Bytes encode_message(const Message& message, const ClockStamp& now) {
  ByteBuffer out;
  put_stamp(out, now);
  const std::size_t begin = out.size();
  std::uint8_t* const place = out.extend(record_bytes_max(message));
  const std::uint8_t* const end = write_record(place, message, now.monotonic, {}, 0);
  out.truncate(begin + static_cast<std::size_t>(end - place));
  return copy_of(out.view());
}

MessageRef decode_message(ByteView bytes, const ClockStamp& now, ClockStamp& written) {
  if (!take_stamp(bytes, written)) return {};
  Seen seen;
  std::uint8_t flags = 0;
  Message::Fields fields;
  if (!take_byte(bytes, flags)) return {};
  if (!take_record(bytes, flags, now.monotonic - elapsed(written, now), seen, fields) || !bytes.empty()) return {};
  return Message::make(fields);
}

}  // namespace furrow::broker
