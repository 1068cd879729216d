// The simulator's store: batches become durable after a drawn time, reads are answered after another, and a crash forgets all that
// was not durable. It keeps the rows as broker-core/store.h describes them; what SQLite makes of them is tested elsewhere.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "broker-core/base/random.h"
#include "broker-core/store.h"

namespace furrow::sim {

class Disk final : public broker::Store {
 public:
  Disk(Random& random, Duration commit_time_max) : random_(random), commit_time_max_(commit_time_max) {}

  void set_now(Instant now) { now_ = now; }
  void submit(broker::Batch batch) override;
  void read(broker::ReadRequest request) override;

  struct Event {
    BatchNumber durable;
    std::optional<broker::Page> page;  // else a new watermark
  };
  bool poll(Instant now, Event& event);
  Instant next_deadline() const;

  // Nothing becomes durable for `time`.
  void stall(Instant now, Duration time) { stalled_until_ = now + time; }
  void heal() { stalled_until_ = Instant::min(); }

  // What was not durable never happened.
  void crash();
  // What a gateway finds at start; batch numbers begin anew.
  broker::Restored restore();

 private:
  struct Queue {
    broker::QueueRow row;
    broker::CursorRow cursor;
  };
  using ExchangeKey = std::tuple<std::uint64_t, int, std::uint16_t>;  // queue, direction, packet identifier

  void commit(const broker::Batch& batch);
  void drop_passed_segments();
  broker::Page page(const broker::ReadRequest& request) const;

  Random& random_;
  const Duration commit_time_max_;
  Instant now_{};
  Instant stalled_until_ = Instant::min();

  std::deque<std::pair<Instant, broker::Batch>> batches_;
  std::deque<std::pair<Instant, broker::ReadRequest>> reads_;
  BatchNumber durable_;

  // What is durable.
  std::map<std::uint64_t, Queue> queues_;
  std::map<std::uint64_t, broker::SegmentRow> segments_;
  std::map<ExchangeKey, broker::ExchangeRow> exchanges_;
  std::map<std::string, broker::Bytes> sessions_;
  std::map<std::string, broker::Bytes> retained_;
  std::uint64_t last_segment_ = 0;
  std::uint64_t last_queue_ = 0;
};

}  // namespace furrow::sim
