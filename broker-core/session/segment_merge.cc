#include "broker-core/session/segment_merge.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace furrow::broker {

bool SegmentMerge::advances(QueueId queue, Sequence sequence) {
  const auto [place, is_new] = reached_.try_emplace(queue.value, Reached{sequence, records_seen_});
  if (is_new) return true;
  const Reached before = std::exchange(place.value(), {sequence, records_seen_});
  return before.sequence < sequence && before.record < records_seen_;
}

bool SegmentMerge::add(const SegmentRow& segment, const Wanted& wanted) {
  SegmentRecords walk(segment.directory, segment.records);
  if (walk.damaged() || (stamped_ && walk.stamp().boot != stamp_.boot)) return false;
  std::vector<Record> taken;
  Message::Fields fields;
  // Ages are kept on the clock of the boot that they were written in.
  while (walk.next(walk.stamp().monotonic, fields)) {
    ++records_seen_;
    Record record;
    SegmentRecords::Delivery delivery;
    while (walk.next_delivery(delivery)) {
      const QueueId queue = walk.directory()[delivery.queue_index].queue;
      if (!advances(queue, delivery.sequence)) return false;
      if (!wanted(queue, delivery.sequence)) continue;
      record.deliveries.push_back(
          {queue, delivery.sequence, delivery.qos, delivery.retain, std::move(delivery.subscription_ids)});
    }
    if (record.deliveries.empty()) continue;
    record.message = Message::make(fields);
    taken.push_back(std::move(record));
  }
  if (walk.damaged()) return false;
  std::ranges::move(taken, std::back_inserter(records_));
  stamp_ = walk.stamp();
  stamped_ = true;
  return true;
}

SegmentRow SegmentMerge::finish(SegmentId id) const {
  FURROW_CHECK(!empty());
  SegmentWriter writer(stamp_);
  for (const Record& record : records_) {
    writer.add_message(*record.message, static_cast<std::uint32_t>(record.deliveries.size()));
    for (const Delivery& delivery : record.deliveries) {
      writer.add_delivery(delivery.queue, delivery.sequence,
                          {delivery.qos, delivery.retain, delivery.subscription_ids});
    }
  }
  return writer.finish(id);
}

}  // namespace furrow::broker
