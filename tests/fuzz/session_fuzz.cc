// Any bytes as the stored row of a session: no crash, and what is read is stored again as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/session/session_record.h"

namespace furrow::broker {
namespace {

void run(ByteView input) {
  std::vector<std::uint32_t> unsent;
  Identity owner;
  const auto record = decode_session("client", input, &unsent, &owner);
  if (!record) return;
  FURROW_CHECK(!record->will || mqtt::is_valid_name(record->will->topic));
  for (const Subscription& one : record->subscriptions) FURROW_CHECK(mqtt::is_valid_filter(one.filter()));
  const Bytes stored = encode(*record, owner, unsent);
  std::vector<std::uint32_t> unsent_again;
  Identity owner_again;
  const auto again = decode_session("client", stored, &unsent_again, &owner_again);
  FURROW_CHECK(again.has_value());
  FURROW_CHECK(owner_again == owner);
  FURROW_CHECK(unsent_again == unsent);
  FURROW_CHECK(std::ranges::equal(encode(*again, owner_again, unsent_again), stored));
}

}  // namespace
}  // namespace furrow::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  furrow::broker::run({data, size});
  return 0;
}
