// Retained messages: shown, counted, deleted.
//
// The status topics of the gateway are shown where a filter names them, and never deleted.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "broker-core/broker.h"
#include "gateway/control/answer.h"

namespace furrow::gateway {

// Which of them: those that match a filter, and that are older than something.
struct RetainedChoice {
  std::string filter;  // valid
  std::optional<std::chrono::seconds> older;
};

// Goes over the chosen ones in the byte order of their topics, slice by slice, whatever changes in between.
class RetainedCursor {
 public:
  explicit RetainedCursor(RetainedChoice choice) : choice_(std::move(choice)) {}

  // The next one; nullptr at the end, or when `steps`, which it counts down, are used up.
  broker::MessageRef next(const broker::RetainedStore& store, std::size_t& steps, Instant now);
  bool at_end() const { return at_end_; }

 private:
  const RetainedChoice choice_;
  std::string from_;  // the topics that are yet to be looked at begin here
  bool at_end_ = false;
};

class RetainedListAnswer final : public Answer {
 public:
  enum class Depth : std::uint8_t { Count, Topics, Payloads };

  // `broker` must outlive the answer.
  RetainedListAnswer(const broker::Broker& broker, RetainedChoice choice, Depth depth)
      : broker_(broker), depth_(depth), cursor_(std::move(choice)) {}

  Step next(ByteBuffer& out, Instant now) override;

 private:
  const broker::Broker& broker_;
  const Depth depth_;
  RetainedCursor cursor_;
  std::uint64_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

// Publishes an empty retained message for each, as a client would, at QoS 1: subscribers see it, and bridges keep it
// for their far brokers. The end is said once all of them are safe.
class RetainedDeleteAnswer final : public Answer, private broker::AckSink {
 public:
  RetainedDeleteAnswer(broker::Broker& broker, RetainedChoice choice)
      : broker_(broker), cursor_(std::move(choice)), acknowledgements_(broker::AckQueue::make(*this)) {}
  ~RetainedDeleteAnswer() override { acknowledgements_->detach(); }

  Step next(ByteBuffer& out, Instant now) override;

 private:
  // As a publisher's window: so many may wait for the store at a time.
  static constexpr std::size_t kWindow = 256;
  // Deletions of one turn: each goes to every subscriber and to the buffers of bridges.
  static constexpr std::size_t kDeletionsMax = 64;

  void write_acknowledgement(mqtt::PacketType, PacketId, mqtt::ReasonCode) override {}
  // False when it was refused.
  bool erase(const broker::MessageRef& message, Instant now);
  Step finish(ByteBuffer& out);

  broker::Broker& broker_;
  RetainedCursor cursor_;
  const Ref<broker::AckQueue> acknowledgements_;
  std::uint64_t count_ = 0;
  bool refused_ = false;
};

}  // namespace furrow::gateway
