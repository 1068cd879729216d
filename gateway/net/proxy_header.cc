#include "gateway/net/proxy_header.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace furrow::gateway {
namespace {

using namespace std::string_view_literals;

using Parsed = Result<std::optional<ProxyHeader>>;

constexpr std::string_view kLineBegin = "PROXY ";
constexpr std::string_view kUnknown = "UNKNOWN";
constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kFixedBytes = 16;  // of version 2, before its block

Parsed incomplete() {
  return std::optional<ProxyHeader>();
}

Error malformed(std::string_view why) {
  return {Errc::InvalidArgument, std::string(why)};
}

bool is_begin_of(std::string_view text, std::string_view whole) {
  return whole.starts_with(text.substr(0, whole.size()));
}

// --- version 1 ---

std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (text.empty() || leading_zero || read.ec != std::errc{} || read.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return port;
}

std::optional<IpAddress> parse_ip(std::string_view text, bool is_v4) {
  const bool has_colon = text.find(':') != std::string_view::npos;
  return has_colon == is_v4 ? std::nullopt : IpAddress::parse(text);
}

// `line` is what stands behind "PROXY ", without its end.
Result<std::optional<ProxyHeader::Source>> parse_line(std::string_view line) {
  const bool ends_in_space = line.ends_with(' ');
  const std::string_view protocol = take_word(line);
  if (protocol == kUnknown) return std::optional<ProxyHeader::Source>();
  if (protocol != "TCP4" && protocol != "TCP6") return malformed("its protocol is not TCP4, TCP6 or UNKNOWN");
  const bool is_v4 = protocol == "TCP4";
  const std::optional<IpAddress> source = parse_ip(take_word(line), is_v4);
  const std::optional<IpAddress> destination = parse_ip(take_word(line), is_v4);
  if (!source || !destination) return malformed("an address is not one of its protocol");
  const std::optional<std::uint16_t> source_port = parse_port(take_word(line));
  const std::optional<std::uint16_t> destination_port = parse_port(take_word(line));
  if (!source_port || !destination_port) return malformed("a port is not a number from 0 to 65535");
  if (!line.empty() || ends_in_space) return malformed("something follows the second port");
  return std::optional(ProxyHeader::Source{*source, *source_port});
}

Parsed parse_v1(std::string_view text) {
  const std::string_view possible = text.substr(0, kProxyLineBytesMax);
  const std::size_t end = possible.find_first_of("\r\n");
  if (end == std::string_view::npos) {
    if (possible.size() == kProxyLineBytesMax) return malformed("its line is longer than 107 bytes");
    return incomplete();
  }
  if (possible[end] == '\n') return malformed("its line ends without CR");
  if (end + 1 == kProxyLineBytesMax) return malformed("its line is longer than 107 bytes");
  if (end + 1 == possible.size()) return incomplete();
  if (possible[end + 1] != '\n') return malformed("its line has CR without LF");
  FURROW_TRY(auto source, parse_line(possible.substr(0, end).substr(kLineBegin.size())));
  return std::optional(ProxyHeader{.size = end + 2, .source = source});
}

// --- version 2 ---

enum class Family : std::uint8_t { None, V4, V6, Unix };

std::size_t number_at(ByteView bytes, std::size_t at) {
  return std::size_t{bytes[at]} << 8U | bytes[at + 1];
}

// The source that stands first in `block`, and its port behind both addresses.
template <typename Bytes>
Result<std::optional<ProxyHeader::Source>> source_in(ByteView block) {
  Bytes bytes{};
  const std::size_t port_at = 2 * bytes.size();
  if (block.size() < port_at + 4) return malformed("its block is too short for its addresses");
  std::copy_n(block.begin(), bytes.size(), bytes.begin());
  return std::optional(ProxyHeader::Source{IpAddress(bytes), static_cast<std::uint16_t>(number_at(block, port_at))});
}

Result<std::optional<ProxyHeader::Source>> parse_block(Family family, ByteView block) {
  switch (family) {
    case Family::V4:
      return source_in<IpAddress::V4>(block);
    case Family::V6:
      return source_in<IpAddress::V6>(block);
    case Family::None:
    case Family::Unix:
      break;
  }
  return std::optional<ProxyHeader::Source>();
}

Parsed parse_v2(ByteView bytes) {
  if (bytes.size() < kFixedBytes) return incomplete();
  const unsigned version = bytes[12] >> 4U;
  const unsigned command = bytes[12] & 0x0FU;
  const unsigned family = bytes[13] >> 4U;
  const unsigned transport = bytes[13] & 0x0FU;
  if (version != 2) return malformed("its binary form has version " + std::to_string(version) + ", not 2");
  if (command > 1) return malformed("its command is neither LOCAL nor PROXY");
  if (family > 3 || transport > 2) return malformed("its family or transport is unknown");
  const std::size_t size = kFixedBytes + number_at(bytes, 14);
  if (size > kProxyHeaderBytesMax) return malformed("it announces " + std::to_string(size) + " bytes, more than 536");
  if (bytes.size() < size) return incomplete();
  ProxyHeader header{.size = size, .source = {}};
  // Of a datagram, or of a transport that the balancer cannot name, there is no TCP client.
  if (command == 1 && transport == 1) {
    FURROW_TRY(header.source, parse_block(static_cast<Family>(family), bytes.subspan(kFixedBytes, size - kFixedBytes)));
  }
  return std::optional(header);
}

}  // namespace

Result<std::optional<ProxyHeader>> parse_proxy_header(ByteView bytes) {
  if (bytes.empty()) return incomplete();
  const std::string_view text = as_text(bytes);
  if (is_begin_of(text, kLineBegin)) return text.size() < kLineBegin.size() ? incomplete() : parse_v1(text);
  if (is_begin_of(text, kSignature)) return parse_v2(bytes);
  return malformed("the connection begins with something else");
}

Result<MutableBytes> ProxyHeaderLayer::read(MutableBytes& bytes, ByteBuffer&) {
  if (!header_) {
    const std::size_t before = gathered_.size();
    // No header is longer, so that the parser has decided by then.
    const MutableBytes more = bytes.first(std::min(bytes.size(), kProxyHeaderBytesMax - before));
    gathered_.append(more);
    FURROW_TRY(header_, parse_proxy_header(gathered_.view()));
    if (!header_) {
      bytes = {};
      return MutableBytes();
    }
    if (header_->source && !allowed_.empty() && !contains(allowed_, header_->source->address)) {
      return malformed(header_->source->address.text() + " is not among the addresses of allow_from");
    }
    bytes = bytes.subspan(header_->size - before);
    gathered_.release();
  }
  return std::exchange(bytes, {});
}

Status ProxyHeaderLayer::write(ByteBuffer& plain, ByteBuffer& below) {
  const std::size_t size = std::min(plain.size(), kPieceBytes);
  below.append(plain.view().first(size));
  plain.consume(size);
  return {};
}

void ProxyHeaderLayer::introduce(Introduction& introduction) const {
  if (!header_->source) return;
  introduction.peer = header_->source->address.text(header_->source->port);
  introduction.address = header_->source->address;
  introduction.port = header_->source->port;
}

}  // namespace furrow::gateway
