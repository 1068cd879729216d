// Files of pre-shared keys.
#include "broker-core/base/bytes.h"
#include "broker-core/base/check.h"
#include "gateway/net/psk_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace furrow;
  const auto table = gateway::PskTable::parse(as_text({data, size}));
  FURROW_CHECK(!table || table->size() > 0);
  FURROW_CHECK(!table || table->find("") == nullptr);
  return 0;
}
