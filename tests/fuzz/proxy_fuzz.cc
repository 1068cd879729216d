// Any bytes as the beginning of a connection from a load balancer: what is taken for a PROXY header must be one by its
// plain description, and pieces must give what the whole gives.
//
//   input := step:1 bytes       `step`: how many bytes come at a time; 0: all
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/check.h"
#include "gateway/net/proxy_header.h"

namespace furrow::gateway {
namespace {

struct Outcome {
  std::string error;
  std::string peer = "the socket's";
  std::string passed;

  bool operator==(const Outcome&) const = default;
};

// What a connection that begins with `input`, in pieces of `step` bytes, is taken for.
Outcome run_layer(ByteView input, std::size_t step) {
  ProxyHeaderLayer layer;
  ByteBuffer below;
  Outcome outcome;
  while (!input.empty() && outcome.error.empty()) {
    std::string piece(as_text(input.first(std::min(step, input.size()))));
    input = input.subspan(piece.size());
    MutableBytes left(reinterpret_cast<std::uint8_t*>(piece.data()), piece.size());
    while (true) {
      const auto above = layer.read(left, below);
      if (!above) outcome.error = above.error().message();
      if (!above || above->empty()) break;
      outcome.passed += as_text(*above);
    }
    FURROW_CHECK(!outcome.error.empty() || left.empty());
  }
  FURROW_CHECK(below.empty());
  Introduction introduction{.peer = outcome.peer};
  if (layer.phase() == Layer::Phase::Through) layer.introduce(introduction);
  outcome.peer = introduction.peer;
  return outcome;
}

// The line of version 1 is what a writer of such lines would write for what was read from it.
void check_line(std::string_view line, const ProxyHeader& header) {
  FURROW_CHECK(line.size() <= kProxyLineBytesMax);
  FURROW_CHECK(line.ends_with("\r\n"));
  FURROW_CHECK(line.find_first_of("\r\n") == line.size() - 2);
  if (!header.source) {
    FURROW_CHECK(line.starts_with("PROXY UNKNOWN"));
    return;
  }
  FURROW_CHECK(line.starts_with("PROXY TCP"));
  FURROW_CHECK(std::count(line.begin(), line.end(), ' ') == 5);
}

void check_block(ByteView bytes, const ProxyHeader& header) {
  FURROW_CHECK(header.size == std::size_t{16} + (std::size_t{bytes[14]} << 8U) + bytes[15]);
  FURROW_CHECK(header.size <= kProxyHeaderBytesMax);
  const bool names_client = bytes[12] == 0x21 && (bytes[13] == 0x11 || bytes[13] == 0x21);
  FURROW_CHECK(header.source.has_value() == names_client);
}

void run(std::size_t step, ByteView input) {
  const auto parsed = parse_proxy_header(input);
  const Outcome whole = run_layer(input, input.size());
  FURROW_CHECK(parsed.has_value() == whole.error.empty());
  if (parsed && *parsed) {
    const ProxyHeader& header = **parsed;
    FURROW_CHECK(header.size <= input.size());
    FURROW_CHECK(whole.passed == as_text(input.subspan(header.size)));
    if (input.front() == 'P') {
      check_line(as_text(input.first(header.size)), header);
    } else {
      check_block(input, header);
    }
    // Nothing less is a header.
    FURROW_CHECK(!parse_proxy_header(input.first(header.size - 1))->has_value());
  }
  FURROW_CHECK(run_layer(input, step) == whole);
}

}  // namespace
}  // namespace furrow::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const furrow::ByteView input(data + 1, size - 1);
  const std::size_t step = data[0] == 0 ? std::max<std::size_t>(input.size(), 1) : data[0];
  furrow::gateway::run(step, input);
  return 0;
}
