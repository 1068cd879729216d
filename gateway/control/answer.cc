#include "gateway/control/answer.h"

namespace furrow::gateway {

std::unique_ptr<Answer> refusal(std::string_view why) {
  return std::make_unique<ShortAnswer>(JsonObject().flag("ok", false).text("error", why));
}

DurableAnswer::DurableAnswer(broker::Journal& journal, const JsonObject& end)
    : end_(end), acknowledgements_(broker::AckQueue::make(*this)) {
  const std::uint64_t place = acknowledgements_->open(mqtt::PacketType::Puback, PacketId{});
  journal.complete_with_rows({acknowledgements_, place});
}

Answer::Step DurableAnswer::next(ByteBuffer& out, Instant) {
  if (!is_durable_) return Step::Wait;
  write_line(out, end_);
  return Step::Done;
}

}  // namespace furrow::gateway
