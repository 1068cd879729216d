// What waits in the buffers of bridges.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/buffer.h"
#include "broker-core/broker.h"
#include "gateway/control/answer.h"

namespace furrow::gateway {

// The messages of one buffer, lane after lane in the order of sending, and in each as they were accepted: those in
// memory, and those that are in the store alone, read page by page, so that a million of them take no more memory than
// a few. Messages that are accepted meanwhile are not shown, nor are those that are settled before it is their turn.
class BufferShowAnswer final : public Answer {
 public:
  // Shows `limit` messages at most. `buffer` and `broker` must outlive the answer.
  BufferShowAnswer(const bridge::Buffer& buffer, broker::Broker& broker, std::optional<std::uint64_t> limit);

  Step next(ByteBuffer& out, Instant now) override;
  void handle_page(const broker::Page& page) override;

 private:
  // A page of the store that is being shown.
  struct Reading {
    broker::Page page;
    std::size_t segment = 0;
    std::unique_ptr<broker::SegmentReader> reader;  // of that segment
  };

  const broker::Outbox& outbox() const { return lanes_[lane_]->outbox(); }
  const broker::PagedQueue& contents() const { return outbox().contents(); }
  void begin_lane();
  bool is_full() const { return count_ >= limit_; }
  bool is_unsettled(Sequence sequence) const;
  void ask();
  // Each shows as much as one slice has room for; false when it has come to the end of what it shows.
  bool show_page(ByteBuffer& out, Instant now);
  bool show_memory(ByteBuffer& out, Instant now);
  struct Shown {
    Sequence sequence;
    const broker::Message& message;
    mqtt::Qos qos;
    bool retain;
    bool inflight;
    bool on_disk;
  };
  void show(ByteBuffer& out, const Shown& shown, Instant now);

  // Constant after construction.
  const bridge::Buffer& buffer_;
  broker::Broker& broker_;
  const std::uint64_t limit_;
  std::vector<const bridge::Lane*> lanes_;
  std::vector<Sequence> ends_;  // of each lane the first sequence that is not shown any more

  std::size_t lane_ = 0;  // that is shown
  Sequence from_{1};      // the first that is yet to be shown
  SegmentId after_;       // what the store was read up to
  ReadNumber asked_;      // the page that is waited for; 0: none
  Sequence asked_end_;    // the end of what the store had, when it was asked
  Sequence read_end_;     // the store has given all that it has before this
  std::optional<Reading> reading_;
  std::uint64_t count_ = 0;
};

}  // namespace furrow::gateway
