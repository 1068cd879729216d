// The bytes of a segment: the messages of one flush, each written once, with the queues that want it.
//
//   directory  := version:1 { queue first_sequence last_sequence messages bytes }*
//   records    := stamp record*
//   stamp      := boot:8 monotonic_us:8 wall_us:8 trusted:1      little-endian, when it was written
//   record     := flags:1 age_ms topic [expiry_s] [properties] [length] payload [deliveries]
//   flags      := bits 0-1 QoS as published, 2 retain, 3 has expiry, 4 has properties,
//                 5 no deliveries: they are those of the record before,
//                 6 a new topic has [shared],
//                 7 no length: the payload is as long as that of the record before
//   topic      := index into the topics seen so far in this segment; or their count, and a new topic follows as
//                 [shared:1] length bytes, where `shared` is how many leading bytes it has in common with the topic
//                 introduced before it, and the bytes are the rest
//   deliveries := count { queue_index sequence_distance options [count subscription_identifier*] }*
//   options    := bits 0-1 QoS, 2 retain flag, 3 has subscription identifiers
//
// Numbers are varints where no width is given. A queue's index is its place in the directory; sequence distances count
// from the queue's message before in this segment (the first from the directory's first_sequence). Topics are written
// once per segment. The bytes may be damaged when they come back: reading never trusts a length.
#pragma once

#include <cstdint>
#include <forward_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/store.h"
#include "tsl/robin_map.h"

namespace furrow::broker {

// How one queue delivers a message.
struct DeliveryOptions {
  mqtt::Qos qos = mqtt::Qos::AtMostOnce;
  bool retain = false;
  std::span<const std::uint32_t> subscription_ids = {};  // borrowed
  bool ages = true;                                      // whether OutboxLimits::age_max concerns it; not stored
};

// One queue's part in a segment.
struct DirectoryEntry {
  QueueId queue;
  Sequence first;
  Sequence last;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // of Message::bytes_size()
};

// False when the bytes are not a directory.
bool parse_directory(ByteView directory, std::vector<DirectoryEntry>& entries);

// Where a topic stands in the list of those of a segment.
struct TopicPlace {
  std::uint32_t index = 0;
  bool is_new = true;
  std::size_t shared = 0;  // leading bytes that a new topic has in common with the one before, and leaves out
};

class SegmentWriter {
 public:
  explicit SegmentWriter(const ClockStamp& stamp);

  // A record is a message and then its deliveries, `count` of them.
  // REQUIRES: `message` lives until finish(); the deliveries of the message before are complete.
  void add_message(const Message& message, std::uint32_t count);
  // REQUIRES: sequences of one queue increase within the segment; a queue occurs once in a message.
  void add_delivery(QueueId queue, Sequence sequence, const DeliveryOptions& options);

  std::size_t bytes() const { return records_.size(); }
  bool empty() const { return messages_ == 0; }

  // The finished row; the writer is spent.
  SegmentRow finish(SegmentId id);

 private:
  // A queue's entry in the directory as it grows.
  struct Part {
    DirectoryEntry entry;
    std::uint32_t message = 0;  // the last one delivered to it, counted from 1
  };
  TopicPlace place_of(std::string_view topic);
  Part& part_of(QueueId queue);
  void finish_record();

  // Constant after construction.
  const ClockStamp stamp_;
  // Changes with add_message().
  ByteBuffer records_;
  std::uint32_t messages_ = 0;
  std::size_t message_bytes_ = 0;                                // of the record begun last
  std::size_t payload_bytes_ = 0;                                // of that
  std::size_t record_begin_ = 0;                                 // its place
  std::size_t deliveries_begin_ = 0;                             // where its deliveries are to stand
  tsl::robin_map<std::string_view, std::uint32_t> topic_index_;  // keys point into the messages
  std::string_view newest_topic_;                                // of topic_index_
  // Changes with add_delivery().
  std::uint32_t deliveries_left_ = 0;  // of the record begun last
  std::size_t written_begin_ = 0;      // the deliveries that were written last
  std::size_t written_end_ = 0;
  std::vector<Part> parts_;
  tsl::robin_map<std::uint64_t, std::uint32_t> queue_index_;
  std::uint32_t recent_ = 0;  // the part used last: most flushes are for one queue
};

// The part of earlier records of a segment that a later one takes over.
struct Seen {
  std::vector<std::string_view> topics;  // point into the segment's bytes, or into `joined`
  std::forward_list<std::string> joined;
  std::size_t payload_bytes = 0;  // of the last
};

// Walks a segment: a record, its deliveries, the next record.
class SegmentRecords {
 public:
  // Both views must live while this does.
  SegmentRecords(ByteView directory, ByteView records);

  const std::vector<DirectoryEntry>& directory() const { return directory_; }
  // When the segment was written.
  const ClockStamp& stamp() const { return stamp_; }

  struct Delivery {
    std::size_t queue_index = 0;  // in the directory
    Sequence sequence;
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    bool retain = false;
    std::vector<std::uint32_t> subscription_ids;
  };
  // The next record; `fields` borrow from the segment, and ages count back from `written`, the moment of the stamp on
  // the clock of the caller. False at the end or where the bytes make no sense.
  // REQUIRES: next_delivery() has said that the record before has no more.
  bool next(Instant written, Message::Fields& fields);
  // The next delivery of the record. False when there is none, or where the bytes make no sense.
  bool next_delivery(Delivery& delivery);
  // Whether the walk ended early because the bytes make no sense.
  bool damaged() const { return damaged_; }

 private:
  bool begin_deliveries(bool repeated);
  // The deliveries of the record that are yet to be read, and all bytes behind them.
  ByteView& deliveries() { return repeats_ ? repeated_ : rest_; }
  bool read_delivery(Delivery& delivery);

  // Constant after construction.
  std::vector<DirectoryEntry> directory_;
  ClockStamp stamp_;
  // Changes with the walk.
  ByteView rest_;
  ByteView written_;                   // from the deliveries that were written last
  ByteView repeated_;                  // as rest_, where the record repeats those deliveries
  bool repeats_ = false;               // whether it does
  std::uint64_t deliveries_left_ = 0;  // of the record
  std::vector<Sequence> sequences_;    // per queue of the directory: the one seen last, 0 = none yet
  Seen seen_;
  bool damaged_ = false;
};

// Walks the messages that a segment has for one queue.
class SegmentReader {
 public:
  // `now` turns stored ages into times of reception. Both views must live while the reader does.
  SegmentReader(ByteView directory, ByteView records, QueueId queue, const ClockStamp& now);

  struct Record {
    Sequence sequence;
    MessageRef message;
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    bool retain = false;
    std::vector<std::uint32_t> subscription_ids;
  };
  // The next message for the queue whose sequence is at least `from`; false at the end or where the bytes are damaged.
  bool next(Sequence from, Record& record);
  // Whether the walk ended early because the bytes make no sense.
  bool damaged() const { return damaged_; }
  const ClockStamp& stamp() const { return records_.stamp(); }

 private:
  // Reads the deliveries of one record; `wanted` tells whether one is for the queue, from `from` on, and fills
  // `record`.
  bool read_deliveries(Sequence from, Record& record, bool& wanted);

  // Constant after construction.
  std::size_t queue_index_ = 0;
  Instant written_{};  // the moment of writing, on the present monotonic clock
  // Changes with next().
  SegmentRecords records_;
  SegmentRecords::Delivery delivery_;
  std::uint64_t messages_left_ = 0;  // for the queue
  bool damaged_ = false;
};

// A message alone, for the retained store's rows: a stamp and a record that ends with its payload.
Bytes encode_message(const Message& message, const ClockStamp& now);
// Empty reference when the bytes are damaged. `written` becomes the stamp that it was encoded with.
MessageRef decode_message(ByteView bytes, const ClockStamp& now, ClockStamp& written);

}  // namespace furrow::broker
