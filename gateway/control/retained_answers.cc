#include "gateway/control/retained_answers.h"

#include "gateway/control/message_json.h"

namespace furrow::gateway {
namespace {

JsonObject retained_json(const broker::RetainedStore& store, const broker::Message& message, bool with_payload,
                         Instant now) {
  const Instant expires = store.expires_at(message);
  JsonObject object;
  object.text("topic", message.topic()).number("bytes", message.payload().size());
  object.number("qos", static_cast<std::uint64_t>(message.qos())).seconds("age_s", now - message.received());
  object.seconds_or_null("expires_s", expires != kNever ? std::optional(expires - now) : std::nullopt);
  if (!with_payload) return object;
  add_payload(object, message.payload());
  add_properties(object, message.properties());
  return object;
}

}  // namespace

broker::MessageRef RetainedCursor::next(const broker::RetainedStore& store, std::size_t& steps, Instant now) {
  broker::RetainedStore::Walk walk(store, choice_.filter, from_);
  while (const broker::MessageRef* const found = walk.next(steps)) {
    const broker::Message& message = **found;
    const bool is_there = store.expires_at(message) > now;
    const bool is_old = !choice_.older || now - message.received() >= *choice_.older;
    if (!is_there || !is_old) continue;
    from_ = message.topic();
    from_ += '\0';  // the least topic behind it
    return *found;
  }
  at_end_ = walk.at_end();
  if (!at_end_) from_ = walk.position();
  return {};
}

Answer::Step RetainedListAnswer::next(ByteBuffer& out, Instant now) {
  const broker::RetainedStore& store = broker_.retained();
  const std::size_t before = out.size();
  std::size_t steps = kStepsMax;
  while (out.size() - before < kSliceBytes) {
    const broker::MessageRef message = cursor_.next(store, steps, now);
    if (!message) break;
    ++count_;
    bytes_ += message->payload().size();
    if (depth_ != Depth::Count) write_line(out, retained_json(store, *message, depth_ == Depth::Payloads, now));
  }
  if (!cursor_.at_end()) return Step::More;
  write_line(out, JsonObject().flag("ok", true).number("count", count_).number("bytes", bytes_));
  return Step::Done;
}

bool RetainedDeleteAnswer::erase(const broker::MessageRef& message, Instant now) {
  broker::AckTicket ticket{acknowledgements_, acknowledgements_->open(mqtt::PacketType::Puback, PacketId{})};
  const broker::Message::Fields fields{.topic = message->topic(),
                                       .payload = {},
                                       .properties = {},
                                       .expiry_s = std::nullopt,
                                       .received = now,
                                       .qos = mqtt::Qos::AtLeastOnce,
                                       .retain = true};
  if (!broker_.publish(fields, {}, ticket, nullptr, now).refused) return true;
  ticket.complete(mqtt::ReasonCode::QuotaExceeded);
  return false;
}

Answer::Step RetainedDeleteAnswer::next(ByteBuffer& out, Instant now) {
  std::size_t steps = kStepsMax;
  for (std::size_t i = 0; i < kDeletionsMax && !refused_; ++i) {
    if (acknowledgements_->waiting() >= kWindow) {
      broker_.journal().hurry_retained();
      return Step::Wait;
    }
    const broker::MessageRef message = cursor_.next(broker_.retained(), steps, now);
    if (!message) break;
    if (broker_.retained().is_own(message->topic())) continue;
    refused_ = !erase(message, now);
    if (!refused_) ++count_;
  }
  if (!refused_ && !cursor_.at_end()) return Step::More;
  if (acknowledgements_->waiting() == 0) return finish(out);
  broker_.journal().hurry_retained();
  return Step::Wait;
}

Answer::Step RetainedDeleteAnswer::finish(ByteBuffer& out) {
  JsonObject end;
  end.flag("ok", !refused_).number("count", count_);
  if (refused_) {
    end.text("error", "stopped after " + std::to_string(count_) +
                          ": the store takes no writes, or a buffer is full and its when_full is refuse");
  }
  write_line(out, end);
  return Step::Done;
}

}  // namespace furrow::gateway
