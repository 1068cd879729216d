#include "gateway/net/psk_table.h"

#include <algorithm>
#include <utility>

#include "broker-core/mqtt/utf8.h"
#include "gateway/entry_lines.h"

namespace furrow::gateway {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_identity(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return !text.empty() && text.size() <= kPskIdentityBytesMax && std::ranges::none_of(text, is_control) &&
         mqtt::is_valid_utf8(text);
}

}  // namespace

Result<std::string> parse_psk(std::string_view hexadecimal) {
  if (hexadecimal.size() % 2 != 0) return invalid("the key has an odd number of hexadecimal digits");
  std::string key;
  for (std::size_t i = 0; i < hexadecimal.size(); i += 2) {
    const int high = digit(hexadecimal[i]);
    const int low = digit(hexadecimal[i + 1]);
    if (high < 0 || low < 0) return invalid("the key is not made of hexadecimal digits");
    key.push_back(static_cast<char>(high * 16 + low));
  }
  if (key.size() < kPskBytesMin) {
    return invalid("the key is shorter than 16 bytes, 32 hexadecimal digits: 'openssl rand -hex 32' makes a good one");
  }
  if (key.size() > kPskBytesMax) return invalid("the key is longer than 64 bytes");
  return key;
}

Result<PskTable> PskTable::parse(std::string_view text) {
  PskTable table;
  EntryLines lines(text);
  while (const std::optional<std::string_view> entry = lines.next()) {
    const std::string_view line = *entry;
    const auto fault = [&lines](const std::string& why) {
      return invalid("line " + std::to_string(lines.number()) + ": " + why);
    };
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return fault("it is not IDENTITY:KEY");
    const std::string_view identity = line.substr(0, colon);
    if (!is_identity(identity)) {
      return fault("the identity is not 1 to 128 bytes of UTF-8 without control characters");
    }
    Result<std::string> key = parse_psk(line.substr(colon + 1));
    if (!key) return fault(key.error().message());
    if (!table.keys_.emplace(identity, *std::move(key)).second) return fault("the identity is there a second time");
  }
  if (table.keys_.empty()) return invalid("there is no line IDENTITY:KEY in it");
  return table;
}

const std::string* PskTable::find(std::string_view identity) const {
  const auto found = keys_.find(identity);
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace furrow::gateway
