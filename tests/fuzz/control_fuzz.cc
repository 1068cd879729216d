// Any bytes as a request of an operator: what is taken for one has all that its command needs, and says the same when
// it is written again. A refusal fits on a line of JSON, whatever it quotes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/mqtt/utf8.h"
#include "gateway/control/json_object.h"
#include "gateway/control/request.h"

namespace furrow::gateway {
namespace {

bool same(const ControlRequest& one, const ControlRequest& other) {
  return one.command == other.command && one.client == other.client && one.bridge == other.bridge &&
         one.filter == other.filter && one.address == other.address && one.older == other.older &&
         one.length == other.length && one.limit == other.limit;
}

void check_request(const ControlRequest& request) {
  const std::string_view command = name(request.command);
  FURROW_CHECK(mqtt::is_valid_filter(request.filter));
  const bool is_of_client = command.starts_with("clients.") && command != "clients.list";
  const bool is_of_bridge =
      (command.starts_with("bridge.") && command != "bridge.list") || command.starts_with("buffer.");
  FURROW_CHECK(request.client.empty() != is_of_client);
  FURROW_CHECK(request.bridge.empty() != is_of_bridge);
  FURROW_CHECK(request.address.empty() == (command != "bridge.use"));
  FURROW_CHECK(!request.older || command.starts_with("retained."));
  FURROW_CHECK(!request.length || request.length->count() > 0);
  const std::string line = write_request(request);
  FURROW_CHECK(line.find('\n') == std::string::npos);
  const auto again = parse_request(line);
  FURROW_CHECK(again.has_value());
  FURROW_CHECK(same(*again, request));
}

void check_line(std::string_view text) {
  const std::string line = JsonObject().text("error", text).str();
  for (const char c : line) FURROW_CHECK(static_cast<unsigned char>(c) >= ' ');
  FURROW_CHECK(mqtt::is_valid_utf8(line));
}

}  // namespace
}  // namespace furrow::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace furrow::gateway;
  const std::string_view line = furrow::as_text({data, size});
  check_line(line);
  const auto request = parse_request(line);
  if (request) {
    check_request(*request);
  } else {
    check_line(request.error().message());
  }
  return 0;
}
