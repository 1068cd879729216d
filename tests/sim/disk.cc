#include "tests/sim/disk.h"

#include <algorithm>

#include "broker-core/base/check.h"
#include "broker-core/session/segment.h"

namespace furrow::sim {

using broker::ExchangeRow;

void Disk::submit(broker::Batch batch) {
  FURROW_CHECK(batch.number.value == durable_.value + batches_.size() + 1);
  const Duration time(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(commit_time_max_.count()) + 1)));
  batches_.emplace_back(now_ + time, std::move(batch));
}

void Disk::read(broker::ReadRequest request) {
  const Duration time(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(commit_time_max_.count()) + 1)));
  reads_.emplace_back(now_ + time, request);
}

Instant Disk::next_deadline() const {
  Instant next = kNever;
  if (!batches_.empty()) next = std::max(batches_.front().first, stalled_until_);
  if (!reads_.empty()) next = std::min(next, reads_.front().first);
  return next;
}

bool Disk::poll(Instant now, Event& event) {
  if (!batches_.empty() && std::max(batches_.front().first, stalled_until_) <= now) {
    commit(batches_.front().second);
    durable_ = batches_.front().second.number;
    batches_.pop_front();
    event = {durable_, std::nullopt};
    return true;
  }
  if (!reads_.empty() && reads_.front().first <= now) {
    event = {durable_, page(reads_.front().second)};
    reads_.pop_front();
    return true;
  }
  return false;
}

void Disk::commit(const broker::Batch& batch) {
  for (const broker::QueueRow& row : batch.queues_created) {
    last_queue_ = std::max(last_queue_, row.id.value);
    Queue& queue = queues_[row.id.value];
    queue.row = row;
    queue.cursor.queue = row.id;
    queue.cursor.next = Sequence{1};
  }
  for (const broker::SegmentRow& row : batch.segments) {
    FURROW_CHECK(row.id.value > last_segment_);
    last_segment_ = row.id.value;
    segments_[row.id.value] = row;
  }
  for (const broker::CursorRow& row : batch.cursors) {
    const auto queue = queues_.find(row.queue.value);
    FURROW_CHECK(queue != queues_.end());
    queue->second.cursor = row;
  }
  for (const ExchangeRow& row : batch.exchanges) {
    const ExchangeKey key{row.queue.value, static_cast<int>(row.direction), row.packet_id.value};
    if (row.state == ExchangeRow::State::Erased) {
      exchanges_.erase(key);
    } else {
      exchanges_[key] = row;
    }
  }
  for (const broker::SessionRow& row : batch.sessions) {
    if (row.data) {
      sessions_[row.client_id] = *row.data;
    } else {
      sessions_.erase(row.client_id);
    }
  }
  for (const broker::RetainedRow& row : batch.retained) {
    if (row.data) {
      retained_[row.topic] = *row.data;
    } else {
      retained_.erase(row.topic);
    }
  }
  for (const QueueId id : batch.queues_removed) {
    queues_.erase(id.value);
    std::erase_if(exchanges_, [&](const auto& item) { return std::get<0>(item.first) == id.value; });
  }
  drop_passed_segments();
}

// A segment goes when every queue of its directory has passed it or is gone.
void Disk::drop_passed_segments() {
  std::erase_if(segments_, [&](const auto& item) {
    std::vector<broker::DirectoryEntry> directory;
    FURROW_CHECK(broker::parse_directory(item.second.directory, directory));
    return std::ranges::all_of(directory, [&](const broker::DirectoryEntry& entry) {
      const auto queue = queues_.find(entry.queue.value);
      return queue == queues_.end() || queue->second.cursor.settled >= entry.last;
    });
  });
}

broker::Page Disk::page(const broker::ReadRequest& request) const {
  broker::Page page;
  page.queue = request.queue;
  page.last = request.after;
  page.end = true;
  std::size_t bytes = 0;
  for (auto segment = segments_.upper_bound(request.after.value); segment != segments_.end(); ++segment) {
    std::vector<broker::DirectoryEntry> directory;
    FURROW_CHECK(broker::parse_directory(segment->second.directory, directory));
    const auto entry = std::ranges::find(directory, request.queue, &broker::DirectoryEntry::queue);
    if (entry == directory.end() || entry->last < request.from) continue;
    if (bytes >= request.bytes_max) {
      page.end = false;
      break;
    }
    bytes += segment->second.records.size();
    page.segments.push_back(segment->second);
    page.last = segment->second.id;
  }
  return page;
}

void Disk::crash() {
  // The batch at the writer may have become durable just before, with nobody told.
  if (!batches_.empty() && random_.chance(50)) commit(batches_.front().second);
  batches_.clear();
  reads_.clear();
  durable_ = {};
}

broker::Restored Disk::restore() {
  durable_ = {};
  broker::Restored restored;
  for (const auto& [id, queue] : queues_) restored.queues.push_back({queue.row, queue.cursor});
  for (const auto& [key, row] : exchanges_) restored.exchanges.push_back(row);
  for (const auto& [client_id, data] : sessions_) restored.sessions.push_back({client_id, data});
  for (const auto& [topic, data] : retained_) restored.retained.push_back({topic, data});
  restored.last_segment = SegmentId{last_segment_};
  restored.last_queue = QueueId{last_queue_};
  return restored;
}

}  // namespace furrow::sim
