// What waits in the buffers of bridges.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "bridge/buffer.h"
#include "broker-core/broker.h"
#include "gateway/control/answer.h"

namespace furrow::gateway {

// The messages of one buffer that wait, lane after lane in the order of sending, and in each as they were accepted, or
// those of its quarantine: those in memory, and those that are in the store alone, read page by page, so that a million
// of them take no more memory than a few. Messages that are accepted meanwhile are not shown, nor are those that are
// settled before it is their turn.
class BufferShowAnswer final : public Answer {
 public:
  enum class What : std::uint8_t { Waiting, Quarantine };
  // Shows `limit` messages at most. `buffer` and `broker` must outlive the answer.
  BufferShowAnswer(const bridge::Buffer& buffer, What what, broker::Broker& broker, std::optional<std::uint64_t> limit);

  Step next(ByteBuffer& out, Instant now) override;
  void handle_page(const broker::Page& page) override;

 private:
  // A page of the store that is being shown.
  struct Reading {
    broker::Page page;
    std::size_t segment = 0;
    std::unique_ptr<broker::SegmentReader> reader;  // of that segment
  };

  struct Queue {
    const broker::Outbox& outbox;
    std::string_view lane;
    Sequence end;  // the first sequence that is not shown any more
  };

  void add(const broker::Outbox& outbox, std::string_view lane);
  const broker::Outbox& outbox() const { return queues_[place_].outbox; }
  const broker::PagedQueue& contents() const { return outbox().contents(); }
  void begin_queue();
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
  broker::Broker& broker_;
  const std::uint64_t limit_;
  std::vector<Queue> queues_;

  std::size_t place_ = 0;  // of the queue that is shown
  Sequence from_{1};       // the first that is yet to be shown
  SegmentId after_;        // what the store was read up to
  ReadNumber asked_;       // the page that is waited for; 0: none
  Sequence asked_end_;     // the end of what the store had, when it was asked
  Sequence read_end_;      // the store has given all that it has before this
  std::optional<Reading> reading_;
  std::uint64_t count_ = 0;
};

// Gives what the quarantine has to the lanes, and says how many messages those were once that is durable.
class ReplayAnswer final : public Answer {
 public:
  // `buffer` and `broker` must outlive the answer.
  ReplayAnswer(bridge::Buffer& buffer, broker::Broker& broker, Instant now);

  Step next(ByteBuffer& out, Instant now) override;

 private:
  bridge::Buffer& buffer_;
  broker::Broker& broker_;
  const std::uint64_t before_;
  std::unique_ptr<Answer> end_;
};

}  // namespace furrow::gateway
