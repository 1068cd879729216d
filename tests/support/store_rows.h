// Rows for tests of the store: a segment in a line, a cursor in a line.
#pragma once

#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/session/segment.h"
#include "broker-core/store.h"

namespace furrow {

inline constexpr ClockStamp kStamp{
    .boot = 1, .monotonic = Instant(std::chrono::hours(1)), .wall = WallTime(std::chrono::hours(1)), .trusted = true};

inline broker::Bytes bytes_of(std::string_view text) {
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

// Which sequences a queue gets from a segment, one for each message.
struct Part {
  std::uint64_t queue;
  std::vector<std::uint64_t> sequences;
};

// A segment that holds a message of its own for each sequence of each part.
inline broker::SegmentRow segment(std::uint64_t id, const std::vector<Part>& parts,
                                  const std::string& payload = "reading") {
  broker::SegmentWriter writer(kStamp);
  broker::Message::Fields fields;
  fields.topic = "farm/field-1/moisture";
  fields.payload = as_bytes(payload);
  fields.received = kStamp.monotonic;
  const broker::MessageRef message = broker::Message::make(fields);
  broker::DeliveryOptions options;
  options.qos = mqtt::Qos::AtLeastOnce;
  for (const Part& part : parts) {
    for (const std::uint64_t sequence : part.sequences) {
      writer.add_message(*message, 1);
      writer.add_delivery(QueueId{part.queue}, Sequence{sequence}, options);
    }
  }
  return writer.finish(SegmentId{id});
}

inline broker::QueueRow queue(std::uint64_t id, std::string name = "region") {
  return {.id = QueueId{id}, .kind = broker::QueueKind::Bridge, .name = std::move(name)};
}

inline broker::CursorRow cursor(std::uint64_t queue, std::uint64_t settled, std::uint64_t next = 100) {
  broker::CursorRow row;
  row.queue = QueueId{queue};
  row.settled = Sequence{settled};
  row.next = Sequence{next};
  return row;
}

// Keeps the names of events.
class EventLog : public Log {
 public:
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view event, std::initializer_list<LogField>) override { events.emplace_back(event); }

  std::vector<std::string> events;
};

}  // namespace furrow
