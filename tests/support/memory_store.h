// A store in memory that the test completes by hand, and that forgets on a crash what it had not completed.
//
// A faithful small model of gateway/store: four commits for each batch (retained messages; the queue file;
// sessions; removed queues), a segment that goes once every queue in it has settled it or is gone, pages in
// the order of segment ids. The unit tests of the broker and the simulator use it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/session/segment.h"
#include "broker-core/store.h"

namespace furrow::test {

class MemoryStore final : public broker::Store {
 public:
  // --- the core's side ---
  void submit(broker::Batch batch) override {
    // The first one of a run may have any number.
    FURROW_CHECK(!last_submitted_ || batch.number.value == last_submitted_.value + 1);
    last_submitted_ = batch.number;
    submitted_.push_back(std::move(batch));
  }
  void read(broker::ReadRequest request) override { reads_.push_back(request); }

  // --- the world's side ---
  // What is submitted and not durable, oldest first.
  const std::deque<broker::Batch>& submitted() const { return submitted_; }

  // Makes what was submitted durable, the oldest batch or all, and returns the watermark for handle_persisted().
  BatchNumber complete_one() {
    FURROW_CHECK(!submitted_.empty());
    const broker::Batch batch = std::move(submitted_.front());
    submitted_.pop_front();
    commit(batch, kCommits);
    durable_ = batch.number;
    return durable_;
  }
  BatchNumber complete() {
    while (!submitted_.empty()) complete_one();
    return durable_;
  }
  // Gives the oldest batch back, for handle_not_persisted(): the medium took nothing of it.
  broker::Batch fail_one() {
    FURROW_CHECK(!submitted_.empty());
    broker::Batch batch = std::move(submitted_.front());
    submitted_.pop_front();
    return batch;
  }

  // Answers the oldest read from what is durable; empty when there is none.
  std::optional<broker::Page> answer_read() {
    if (reads_.empty()) return std::nullopt;
    const broker::ReadRequest request = reads_.front();
    reads_.pop_front();
    return page(request);
  }

  // How many commits a batch consists of.
  static constexpr int kCommits = 4;
  // The power fails: what was submitted is lost, but for the first `commits` commits of the oldest batch.
  void crash(int commits = 0) {
    if (!submitted_.empty()) commit(submitted_.front(), commits);
    submitted_.clear();
    reads_.clear();
    last_submitted_ = durable_ = {};
  }

  // What the core finds when it starts on what is durable.
  broker::Restored restored() const {
    broker::Restored restored;
    for (const auto& [id, queue] : queues_) restored.queues.push_back(queue);
    for (const auto& [key, row] : exchanges_) restored.exchanges.push_back(row);
    for (const auto& [client_id, data] : sessions_) restored.sessions.push_back({client_id, data});
    for (const auto& [topic, data] : retained_) restored.retained.push_back({topic, data});
    for (const auto& [key, data] : heard_) restored.heard.push_back({key.first, key.second, data});
    restored.own_ids = {own_ids_end_, own_ids_end_};
    restored.last_segment = last_segment_;
    restored.last_queue = last_queue_;
    return restored;
  }

  // --- what is durable ---
  std::size_t segments() const { return segments_.size(); }
  std::size_t queues() const { return queues_.size(); }
  std::size_t exchanges() const { return exchanges_.size(); }
  std::size_t heard() const { return heard_.size(); }
  bool has_session(const std::string& client_id) const { return sessions_.contains(client_id); }
  bool has_retained(const std::string& topic) const { return retained_.contains(topic); }

  // Makes `batch` durable as if an earlier run had submitted it.
  void write(const broker::Batch& batch) { commit(batch, kCommits); }

  // --- what that has cost ---
  std::size_t batches_written() const { return batches_written_; }
  std::size_t session_rows_written() const { return session_rows_written_; }

 private:
  using ExchangeKey = std::tuple<QueueId, broker::ExchangeRow::Direction, PacketId>;

  void commit(const broker::Batch& batch, int commits) {
    ++batches_written_;
    if (commits > 0) commit_retained(batch);
    if (commits > 1) commit_queue_file(batch);
    if (commits > 2) commit_sessions(batch);
    if (commits > 3) remove_queues(batch);
  }

  void commit_queue_file(const broker::Batch& batch) {
    for (const broker::QueueRow& row : batch.queues_created) {
      broker::CursorRow cursor;
      cursor.queue = row.id;
      cursor.next = Sequence{1};
      const auto [queue, created] = queues_.try_emplace(row.id, broker::RestoredQueue{row, cursor});
      if (!created) queue->second.row = row;
      last_queue_ = std::max(last_queue_, row.id);
    }
    for (const broker::CursorRow& row : batch.cursors) {
      const auto queue = queues_.find(row.queue);
      FURROW_CHECK(queue != queues_.end());
      FURROW_CHECK(queue->second.cursor.settled <= row.settled);
      queue->second.cursor = row;
    }
    for (const broker::SegmentRow& row : batch.segments) {
      FURROW_CHECK(row.id > last_segment_);
      last_segment_ = row.id;
      segments_.emplace(row.id, Segment{row, directory_of(row)});
    }
    for (const broker::ExchangeRow& row : batch.exchanges) {
      const ExchangeKey key{row.queue, row.direction, row.packet_id};
      if (row.state == broker::ExchangeRow::State::Erased) {
        exchanges_.erase(key);
      } else {
        exchanges_.insert_or_assign(key, row);
      }
    }
    for (const broker::HeardRow& row : batch.heard) {
      heard_.erase({row.origin, row.block});
      if (row.data) heard_.emplace(std::pair(row.origin, row.block), *row.data);
    }
    if (batch.own_ids_end) own_ids_end_ = *batch.own_ids_end;
    sweep();
  }

  void commit_sessions(const broker::Batch& batch) {
    for (const broker::SessionRow& row : batch.sessions) put(sessions_, row.client_id, row.data);
    session_rows_written_ += batch.sessions.size();
  }

  void commit_retained(const broker::Batch& batch) {
    for (const broker::RetainedRow& row : batch.retained) put(retained_, row.topic, row.data);
  }

  void remove_queues(const broker::Batch& batch) {
    for (const QueueId queue : batch.queues_removed) {
      queues_.erase(queue);
      std::erase_if(exchanges_, [&](const auto& entry) { return std::get<QueueId>(entry.first) == queue; });
    }
    sweep();
  }

  static void put(std::map<std::string, broker::Bytes>& rows, const std::string& key,
                  const std::optional<broker::Bytes>& data) {
    if (data) {
      rows.insert_or_assign(key, *data);
    } else {
      rows.erase(key);
    }
  }

  // A segment goes when no queue needs any of its messages.
  void sweep() {
    std::erase_if(segments_, [&](const auto& entry) {
      return std::ranges::none_of(entry.second.directory, [&](const broker::DirectoryEntry& part) {
        const auto queue = queues_.find(part.queue);
        return queue != queues_.end() && queue->second.cursor.settled < part.last;
      });
    });
  }

  broker::Page page(const broker::ReadRequest& request) const {
    broker::Page page{
        .number = request.number, .queue = request.queue, .segments = {}, .last = request.after, .end = true};
    std::size_t bytes = 0;
    for (auto segment = segments_.upper_bound(request.after); segment != segments_.end(); ++segment) {
      const auto& [id, stored] = *segment;
      const auto part = std::ranges::find(stored.directory, request.queue, &broker::DirectoryEntry::queue);
      if (part == stored.directory.end() || part->last < request.from) continue;
      if (bytes > 0 && bytes >= request.bytes_max) {
        page.end = false;
        break;
      }
      bytes += stored.row.directory.size() + stored.row.records.size();
      page.segments.push_back(stored.row);
      page.last = id;
    }
    return page;
  }

  struct Segment {
    broker::SegmentRow row;
    std::vector<broker::DirectoryEntry> directory;
  };
  static std::vector<broker::DirectoryEntry> directory_of(const broker::SegmentRow& row) {
    std::vector<broker::DirectoryEntry> directory;
    FURROW_CHECK(broker::parse_directory(row.directory, directory));
    return directory;
  }

  std::deque<broker::Batch> submitted_;
  std::deque<broker::ReadRequest> reads_;
  BatchNumber last_submitted_;
  BatchNumber durable_;
  std::size_t batches_written_ = 0;
  std::size_t session_rows_written_ = 0;

  // What is durable.
  std::map<QueueId, broker::RestoredQueue> queues_;
  std::map<SegmentId, Segment> segments_;
  std::map<ExchangeKey, broker::ExchangeRow> exchanges_;
  std::map<std::string, broker::Bytes> sessions_;
  std::map<std::string, broker::Bytes> retained_;
  std::map<std::pair<std::string, std::uint64_t>, broker::Bytes> heard_;
  std::uint64_t own_ids_end_ = 0;
  SegmentId last_segment_;
  QueueId last_queue_;
};

}  // namespace furrow::test
