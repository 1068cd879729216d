// Any bytes as the id of a message of a mesh, and as a stored block of such ids: no crash, and what is read is written
// as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "broker-core/base/check.h"
#include "broker-core/message_id.h"
#include "broker-core/session/heard_ids.h"

namespace furrow::broker {
namespace {

void run(ByteView input) {
  if (const auto id = parse_message_id(as_text(input))) {
    FURROW_CHECK(is_gateway_id(id->origin));
    FURROW_CHECK(id->sequence > 0 && id->sequence <= kIdSequenceMax);
    FURROW_CHECK(id_text(*id) == as_text(input));
    HeardIds heard;
    FURROW_CHECK(heard.judge(*id) == HeardIds::Verdict::New);
    heard.note_safe(heard.note_taken(*id));
    FURROW_CHECK(heard.judge(*id) == HeardIds::Verdict::Had);
  }
  const auto ids = decode_heard(input);
  if (!ids) return;
  const Bytes stored = encode_heard(*ids);
  FURROW_CHECK(stored.size() <= 1 + HeardIds::kBlockIds / 8);
  const auto again = decode_heard(stored);
  FURROW_CHECK(again.has_value());
  FURROW_CHECK(*again == *ids);
}

}  // namespace
}  // namespace furrow::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  furrow::broker::run({data, size});
  return 0;
}
