#include "broker-core/base/ip.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace furrow {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::size_t kGroups = 8;  // of an IPv6 address, 16 bits each
using Groups = std::array<std::uint16_t, kGroups>;

// A whole number of at most `digits_max` digits.
bool parse_number(std::string_view text, std::size_t digits_max, int base, std::uint16_t& number) {
  if (text.empty() || text.size() > digits_max) return false;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

// The part before the next `mark`, which is taken away with it.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t end = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

bool parse_v4(std::string_view text, IpAddress::V4& bytes) {
  if (std::ranges::count(text, '.') != 3) return false;
  for (std::uint8_t& byte : bytes) {
    const std::string_view part = take_until(text, '.');
    std::uint16_t number = 0;
    if (!parse_number(part, 3, 10, number) || number > 0xFF) return false;
    if (part.size() > 1 && part.front() == '0') return false;  // some would read it as octal
    byte = static_cast<std::uint8_t>(number);
  }
  return true;
}

// The groups of an IPv6 address, and where `::` stands among them.
class GroupParser {
 public:
  bool parse(std::string_view text) {
    if (text.starts_with("::")) {
      gap_ = 0;
      text.remove_prefix(2);
    }
    while (!text.empty()) {
      const bool is_last = text.find(':') == std::string_view::npos;
      const std::string_view part = text.substr(0, text.find(':'));
      if (!(is_last && part.find('.') != std::string_view::npos ? add_v4(part) : add_group(part))) return false;
      text.remove_prefix(part.size());
      if (!take_colons(text)) return false;
    }
    return gap_ ? count_ < kGroups : count_ == kGroups;
  }

  // REQUIRES: parse() said yes.
  Groups groups() const {
    Groups all{};
    const std::size_t before = gap_.value_or(count_);
    std::copy_n(groups_.begin(), before, all.begin());
    std::copy_backward(groups_.begin() + before, groups_.begin() + count_, all.end());
    return all;
  }

 private:
  bool add_group(std::string_view part) { return count_ < kGroups && parse_number(part, 4, 16, groups_[count_++]); }

  bool add_v4(std::string_view part) {
    IpAddress::V4 bytes{};
    if (count_ + 2 > kGroups || !parse_v4(part, bytes)) return false;
    groups_[count_++] = static_cast<std::uint16_t>(bytes[0] << 8U | bytes[1]);
    groups_[count_++] = static_cast<std::uint16_t>(bytes[2] << 8U | bytes[3]);
    return true;
  }

  // Between two groups: one colon, or once in an address two.
  bool take_colons(std::string_view& text) {
    if (text.empty()) return true;
    text.remove_prefix(1);
    if (!text.starts_with(':')) return !text.empty();
    text.remove_prefix(1);
    return !std::exchange(gap_, gap_ ? gap_ : std::optional(count_)).has_value();
  }

  Groups groups_{};
  std::size_t count_ = 0;
  std::optional<std::size_t> gap_;
};

struct Run {
  std::size_t begin = 0;
  std::size_t size = 0;
};

// The groups that `::` stands for: the first of the longest runs of zeroes, if that has two or more.
Run longest_zeroes(const Groups& groups) {
  Run longest;
  Run current;
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (groups[i] != 0) {
      current = {};
      continue;
    }
    if (current.size == 0) current.begin = i;
    ++current.size;
    if (current.size > longest.size) longest = current;
  }
  return longest.size < 2 ? Run{kGroups, 0} : longest;
}

std::string v6_text(const IpAddress::V6& bytes) {
  Groups groups{};
  for (std::size_t i = 0; i < kGroups; ++i) {
    groups[i] = static_cast<std::uint16_t>(bytes[2 * i] << 8U | bytes[2 * i + 1]);
  }
  const Run zeroes = longest_zeroes(groups);
  std::string text;
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (i == zeroes.begin) {
      text += "::";
      i += zeroes.size - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16);
    text.append(digits.data(), written.ptr);
  }
  return text;
}

Error bad_network(std::string_view text, std::string_view fix) {
  return {Errc::InvalidArgument, "'" + std::string(text) + "' " + std::string(fix)};
}

// Whether two addresses have their first `bits` in common.
bool same_prefix(const IpAddress::V6& one, const IpAddress::V6& other, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(one.begin(), one.begin() + whole, other.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((one[whole] ^ other[whole]) >> (8 - rest)) == 0;
}

IpAddress first_of(const IpAddress& address, unsigned bits) {
  IpAddress::V6 bytes = address.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const unsigned begin = static_cast<unsigned>(i) * 8;
    const unsigned kept = bits <= begin ? 0 : std::min(bits - begin, 8U);
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xFF00U >> kept));
  }
  return IpAddress(bytes);
}

}  // namespace

IpAddress::IpAddress(const V4& bytes) {
  std::ranges::copy(kV4Prefix, bytes_.begin());
  std::ranges::copy(bytes, bytes_.begin() + kV4Prefix.size());
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  V4 v4{};
  if (parse_v4(text, v4)) return IpAddress(v4);
  GroupParser parser;
  if (text.find(':') == std::string_view::npos || !parser.parse(text)) return std::nullopt;
  V6 v6{};
  const Groups groups = parser.groups();
  for (std::size_t i = 0; i < kGroups; ++i) {
    v6[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8U);
    v6[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
  }
  return IpAddress(v6);
}

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes_.begin());
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[12] == 127;
  V6 one{};
  one.back() = 1;
  return bytes_ == one;
}

std::string IpAddress::text() const {
  if (!is_v4()) return v6_text(bytes_);
  std::string text;
  for (std::size_t i = kV4Prefix.size(); i < bytes_.size(); ++i) {
    text += (text.empty() ? "" : ".") + std::to_string(bytes_[i]);
  }
  return text;
}

std::string IpAddress::text(std::uint16_t port) const {
  return (is_v4() ? text() : "[" + text() + "]") + ":" + std::to_string(port);
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<IpAddress> address = IpAddress::parse(text.substr(0, slash));
  if (!address) {
    return bad_network(text, "is not an address or a network: write one such as 10.0.0.2, 192.168.0.0/16 or fd00::/8");
  }
  const unsigned bits_max = address->is_v4() ? 32 : 128;
  std::uint16_t bits = static_cast<std::uint16_t>(bits_max);
  if (slash != std::string_view::npos && (!parse_number(text.substr(slash + 1), 3, 10, bits) || bits > bits_max)) {
    return bad_network(text, "has no number of bits behind its '/': 0 to " + std::to_string(bits_max));
  }
  IpNetwork network(*address, bits);
  network.first_ = first_of(*address, network.bits_of_all());
  if (network.first_ != *address) return bad_network(text, "has bits beyond its network: write " + network.text());
  return network;
}

unsigned IpNetwork::bits_of_all() const {
  return first_.is_v4() ? 8 * static_cast<unsigned>(kV4Prefix.size()) + bits_ : bits_;
}

bool IpNetwork::contains(const IpAddress& address) const {
  return address.is_v4() == first_.is_v4() && same_prefix(first_.bytes(), address.bytes(), bits_of_all());
}

std::string IpNetwork::text() const {
  const bool is_one = bits_ == (first_.is_v4() ? 32U : 128U);
  return is_one ? first_.text() : first_.text() + "/" + std::to_string(bits_);
}

bool contains(std::span<const IpNetwork> networks, const IpAddress& address) {
  return std::ranges::any_of(networks, [&](const IpNetwork& network) { return network.contains(address); });
}

}  // namespace furrow
