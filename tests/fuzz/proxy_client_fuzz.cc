// Any bytes as the answers of a proxy: pieces give what the whole gives, and nothing passes before the proxy has
// opened.
//
//   input := kind:1 step:1 bytes    `kind`: bit 0 SOCKS5, bit 1 with credentials; `step`: bytes at a time; 0: all
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker-core/base/check.h"
#include "gateway/net/proxy_client.h"

namespace furrow::gateway {
namespace {

struct Outcome {
  std::string error;
  std::string said;
  std::string passed;
  bool is_open = false;

  bool operator==(const Outcome&) const = default;
};

std::unique_ptr<Layer> make_layer(std::uint8_t kind) {
  std::optional<ProxyLogin> login;
  if ((kind & 2U) != 0) login = ProxyLogin{"ann", "secret"};
  const ProxyTarget target{"far.example.org", 8883};
  if ((kind & 1U) != 0) return std::make_unique<SocksProxyLayer>(target, login);
  return std::make_unique<HttpProxyLayer>(target, login);
}

Outcome run(std::uint8_t kind, ByteView input, std::size_t step) {
  const std::unique_ptr<Layer> layer = make_layer(kind);
  ByteBuffer below;
  FURROW_CHECK(layer->begin(below).has_value());
  Outcome outcome;
  while (!input.empty() && outcome.error.empty()) {
    std::string piece(as_text(input.first(std::min(step, input.size()))));
    input = input.subspan(piece.size());
    MutableBytes left(reinterpret_cast<std::uint8_t*>(piece.data()), piece.size());
    while (true) {
      const auto above = layer->read(left, below);
      if (!above) outcome.error = above.error().message();
      if (!above || above->empty()) break;
      FURROW_CHECK(layer->phase() == Layer::Phase::Through);
      outcome.passed += as_text(*above);
    }
    FURROW_CHECK(!outcome.error.empty() || left.empty());
  }
  outcome.said = as_text(below.view());
  outcome.is_open = layer->phase() == Layer::Phase::Through;
  return outcome;
}

}  // namespace
}  // namespace furrow::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const furrow::ByteView input(data + 2, size - 2);
  const std::size_t step = data[1] == 0 ? std::max<std::size_t>(input.size(), 1) : data[1];
  const auto whole = furrow::gateway::run(data[0], input, std::max<std::size_t>(input.size(), 1));
  FURROW_CHECK(furrow::gateway::run(data[0], input, step) == whole);
  FURROW_CHECK(whole.is_open || whole.passed.empty());
  return 0;
}
