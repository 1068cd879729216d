// The answer to one request, made in slices: lines of JSON, the last of which says how it went.
//
//   answer := item* end
//   item   := {…}                                one of what was asked for
//   end    := {"ok":true,…} | {"ok":false,"error":"…"}
//
// A listing may be long and a deletion longer. next() does what takes the loop about a millisecond, and the rest in
// later turns: between two of them anything may have changed, so that a listing is no picture of one moment. What is
// there from its begin to its end is in it once. Thread: loop. Time: passed in.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/session/journal.h"
#include "broker-core/store.h"
#include "gateway/control/json_object.h"

namespace furrow::gateway {

class Answer {
 public:
  enum class Step : std::uint8_t {
    More,  // in a later turn
    Wait,  // for the store: ask again once it has answered
    Done,  // the end has been written
  };

  virtual ~Answer() = default;
  // Appends lines to `out`.
  virtual Step next(ByteBuffer& out, Instant now) = 0;
  // The store has read a page, perhaps for this answer.
  virtual void handle_page(const broker::Page& page) { (void)page; }
  // Who asked has no further requests, or is gone.
  virtual void handle_reader_left() {}
  // When next() is worth a call after Wait, though nothing else happens.
  virtual Instant next_deadline() const { return kNever; }

 protected:
  // How many things one slice looks at, and how many bytes it writes before it ends.
  static constexpr std::size_t kStepsMax = 64;
  static constexpr std::size_t kSliceBytes = 64 * KiB;

  static void write_line(ByteBuffer& out, const JsonObject& object) {
    out.append(object.str());
    out.push_back('\n');
  }
};

// All that there is to say is said at once.
class ShortAnswer final : public Answer {
 public:
  explicit ShortAnswer(const JsonObject& end) : end_(end) {}
  Step next(ByteBuffer& out, Instant) override {
    write_line(out, end_);
    return Step::Done;
  }

 private:
  const JsonObject end_;
};

// `why` is for people.
std::unique_ptr<Answer> refusal(std::string_view why);

// Says `end` once all rows that were put into the journal until now are durable: after a power cut they still hold.
class DurableAnswer final : public Answer, private broker::AckSink {
 public:
  DurableAnswer(broker::Journal& journal, const JsonObject& end);
  ~DurableAnswer() override { acknowledgements_->detach(); }

  Step next(ByteBuffer& out, Instant now) override;

 private:
  void write_acknowledgement(mqtt::PacketType, PacketId, mqtt::ReasonCode) override { is_durable_ = true; }

  const JsonObject end_;
  const Ref<broker::AckQueue> acknowledgements_;
  bool is_durable_ = false;
};

}  // namespace furrow::gateway
