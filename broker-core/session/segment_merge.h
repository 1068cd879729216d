// Makes one segment of the messages that are still wanted of several: a slow queue then pins only its own messages, and
// rows with a message each become one row.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/session/segment.h"
#include "broker-core/store.h"
#include "tsl/robin_map.h"

namespace furrow::broker {

class SegmentMerge {
 public:
  // Whether a queue still has to deliver the message.
  using Wanted = std::function<bool(QueueId, Sequence)>;

  // Adds the wanted messages of `segment`, the next in the order of ids. False when it cannot be joined: its bytes make
  // no sense, or it was written in another boot of the machine, and how much younger its messages are may be unknown
  // yet. Then nothing of it was added, and no further segment may be.
  bool add(const SegmentRow& segment, const Wanted& wanted);

  bool empty() const { return records_.empty(); }
  // REQUIRES: !empty().
  SegmentRow finish(SegmentId id) const;

 private:
  struct Delivery {
    QueueId queue;
    Sequence sequence;
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    bool retain = false;
    std::vector<std::uint32_t> subscription_ids;
  };
  struct Record {
    MessageRef message;
    std::vector<Delivery> deliveries;
  };
  // The last message of a queue so far, and the record that it was in.
  struct Reached {
    Sequence sequence;
    std::size_t record = 0;
  };
  // Whether the queue's messages come in the order of their sequences, one in a record.
  bool advances(QueueId queue, Sequence sequence);

  std::vector<Record> records_;
  tsl::robin_map<std::uint64_t, Reached> reached_;
  std::size_t records_seen_ = 0;
  ClockStamp stamp_;  // of the segment added last
  bool stamped_ = false;
};

}  // namespace furrow::broker
