#include "gateway/control/buffer_answers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "gateway/control/message_json.h"

namespace furrow::gateway {
namespace {

// Where most messages of a queue are settled, one that is not may be far behind another: looking for it is cheap.
constexpr std::size_t kProbesMax = 16'384;
constexpr std::size_t kPageBytes = 128 * KiB;

}  // namespace

BufferShowAnswer::BufferShowAnswer(const bridge::Buffer& buffer, What what, broker::Broker& broker,
                                   std::optional<std::uint64_t> limit)
    : broker_(broker), limit_(limit.value_or(std::numeric_limits<std::uint64_t>::max())) {
  if (what == What::Quarantine) {
    if (const broker::Outbox* const outbox = buffer.quarantine().outbox()) add(*outbox, "normal");
  } else {
    buffer.lanes().for_each([&](const bridge::Lane& lane) { add(lane.outbox(), buffer.lanes().name(lane)); });
  }
}

void BufferShowAnswer::add(const broker::Outbox& outbox, std::string_view lane) {
  queues_.push_back({outbox, lane, outbox.next_sequence()});
}

void BufferShowAnswer::begin_queue() {
  from_ = Sequence{1};
  after_ = {};
  asked_end_ = read_end_ = {};
}

void BufferShowAnswer::show(ByteBuffer& out, const Shown& shown, Instant now) {
  const broker::Message& message = shown.message;
  JsonObject object;
  object.number("sequence", shown.sequence.value).text("topic", message.topic());
  add_payload(object, message.payload());
  object.number("qos", static_cast<std::uint64_t>(shown.qos)).flag("retain", shown.retain);
  object.seconds("age_s", now - message.received());
  const Instant expires = message.expires_at();
  if (expires != kNever) object.seconds("expires_s", expires - now);
  object.text("state", shown.inflight ? "inflight" : "waiting").flag("on_disk", shown.on_disk);
  const std::string_view lane = queues_[place_].lane;
  if (lane != "normal") object.text("lane", lane);
  add_properties(object, message.properties());
  write_line(out, object);
  ++count_;
}

// A message that a page has brought may have left meanwhile.
bool BufferShowAnswer::is_unsettled(Sequence sequence) const {
  return contents().in_gap(sequence) || contents().find(sequence) != nullptr;
}

void BufferShowAnswer::ask() {
  asked_end_ = contents().gap_end();
  asked_ = broker_.journal().read({.queue = outbox().queue(), .from = from_, .after = after_, .bytes_max = kPageBytes});
}

void BufferShowAnswer::handle_page(const broker::Page& page) {
  if (!asked_ || page.number != asked_) return;
  asked_ = {};
  after_ = page.segments.empty() ? page.last : page.segments.back().id;
  if (page.end) read_end_ = asked_end_;
  if (!page.segments.empty()) reading_ = Reading{.page = page};
}

bool BufferShowAnswer::show_page(ByteBuffer& out, Instant now) {
  const ClockStamp stamp = broker_.journal().stamp(now);
  const std::size_t before = out.size();
  while (reading_->segment < reading_->page.segments.size()) {
    const broker::SegmentRow& row = reading_->page.segments[reading_->segment];
    if (!reading_->reader) {
      reading_->reader = std::make_unique<broker::SegmentReader>(row.directory, row.records, outbox().queue(), stamp);
    }
    broker::SegmentReader::Record record;
    while (!is_full() && out.size() - before < kSliceBytes && reading_->reader->next(from_, record)) {
      if (record.sequence >= queues_[place_].end) break;
      from_ = Sequence{record.sequence.value + 1};
      if (!is_unsettled(record.sequence)) continue;
      const broker::PagedQueue::Entry* const entry = contents().find(record.sequence);
      const bool inflight = entry != nullptr && entry->state == broker::PagedQueue::State::InFlight;
      show(out, {record.sequence, *record.message, record.qos, record.retain, inflight, true}, now);
    }
    if (is_full() || out.size() - before >= kSliceBytes) return true;
    reading_->reader.reset();
    ++reading_->segment;
  }
  return false;
}

bool BufferShowAnswer::show_memory(ByteBuffer& out, Instant now) {
  const std::size_t before = out.size();
  std::size_t shown = 0;
  for (std::size_t probes = 0; from_ < queues_[place_].end; ++probes) {
    if (is_full() || shown == kStepsMax || probes == kProbesMax || out.size() - before >= kSliceBytes) return true;
    if (const broker::PagedQueue::Entry* const entry = contents().find(from_)) {
      const bool inflight = entry->state == broker::PagedQueue::State::InFlight;
      show(out, {from_, *entry->message, entry->qos, entry->retain, inflight, entry->on_disk}, now);
      ++shown;
    } else if (from_ >= read_end_ && contents().in_gap(from_)) {
      ask();
      return true;
    }
    ++from_.value;
  }
  return false;
}

Answer::Step BufferShowAnswer::next(ByteBuffer& out, Instant now) {
  if (asked_) return Step::Wait;
  if (reading_ && !show_page(out, now)) reading_.reset();
  const bool goes_on = reading_ || (!queues_.empty() && show_memory(out, now));
  if (goes_on && !is_full()) return asked_ ? Step::Wait : Step::More;
  if (!is_full() && place_ + 1 < queues_.size()) {
    ++place_;
    begin_queue();
    return Step::More;
  }
  write_line(out, JsonObject().flag("ok", true).number("count", count_));
  return Step::Done;
}

ReplayAnswer::ReplayAnswer(bridge::Buffer& buffer, broker::Broker& broker, Instant now)
    : buffer_(buffer), broker_(broker), before_(buffer.quarantine().messages()) {
  buffer_.quarantine().replay(now);
}

Answer::Step ReplayAnswer::next(ByteBuffer& out, Instant now) {
  if (buffer_.quarantine().is_moving()) return Step::Wait;
  if (!end_) {
    const std::uint64_t left = buffer_.quarantine().messages();
    end_ = std::make_unique<DurableAnswer>(
        broker_.journal(),
        JsonObject().flag("ok", true).number("count", before_ - std::min(left, before_)).number("left", left));
  }
  return end_->next(out, now);
}

}  // namespace furrow::gateway
