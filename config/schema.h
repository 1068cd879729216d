// The one table of keys. Parsing, suggestions, the reference file and the manual page all come from it.
//
// A path names its list elements by `[]`: `bridges[].topics[].qos`. The table stands in the order of the reference
// file: a section or list comes before its keys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace furrow::config {

enum class Kind : std::uint8_t {
  Section,    // a map of further keys
  List,       // a list of maps
  Flag,       // true or false
  Count,      // a whole number
  Size,       // bytes, with a unit
  Time,       // a duration, with a unit
  Word,       // one of `words`
  Text,       // any text without control characters
  Texts,      // a list of texts, or one alone
  Groups,     // a map of names to lists of texts
  Pairs,      // a map of names to texts
  File,       // a path, relative to the directory of the file
  Bind,       // where to listen
  Addresses,  // where to connect to: a list, or one alone
  Networks,   // addresses and networks of peers: a list, or one alone
  Origins     // of web pages: a list, or one alone
};

// The objects that the keys of the current place in the file belong to. Inside a list, its element is set.
struct Objects {
  Config& config;
  Listener* listener = nullptr;
  Bridge* bridge = nullptr;
  TopicRule* rule = nullptr;
  AccessRule* access_rule = nullptr;
  TopicWatch* watch = nullptr;
};

// Where the value of a key goes. Its type decides how the text is read, and agrees with the key's kind.
using Slot = std::variant<bool*, std::uint8_t*, std::uint16_t*, std::uint64_t*, std::optional<std::uint16_t>*,
                          Duration*, std::optional<Duration>*, std::optional<bool>*, std::string*,
                          std::filesystem::path*, std::optional<std::filesystem::path>*, std::vector<std::string>*,
                          std::vector<IpNetwork>*, std::vector<WebOrigin>*, Bind*, Proxy*, DailyWindow*,
                          std::vector<Address>*, std::vector<Listener>*, std::vector<Bridge>*, std::vector<TopicRule>*,
                          std::optional<std::vector<AccessRule>>*, std::vector<UserGroup>*, std::vector<TopicWatch>*,
                          std::vector<UserProperty>*, ClientIdPolicy*, Denied*, WhenFull*, Protocol*, Acknowledge*,
                          RetainedDurability*, Direction*, RetainFlag*, DrainOrder*, Keep*, Priority*, Subscribe*,
                          Provider*, MqttVersion*, LoopGuard*, TlsVersion*, UsernameFrom*, LogLevel*, LogFormat*>;

struct Key {
  std::string_view path;
  Kind kind = Kind::Section;
  // As it would be written in the file; empty for sections, lists and keys with an example.
  std::string_view standard = {};
  // The range of counts, sizes and times, as it would be written in the file.
  std::string_view least = {};
  std::string_view most = {};
  // "a | b": for Kind::Word the allowed words, in the order of the enumeration; else words allowed beside a value
  // (`auto`, which leaves the slot empty).
  std::string_view words = {};
  std::string_view doc = {};      // one line: what it means
  std::string_view danger = {};   // one line: what can go wrong; usually empty
  std::string_view example = {};  // what the reference file shows of keys that have no default that could be written
  std::string_view also = {};     // "a | b": what other brokers call it, for advice only
  bool may_be_left_out = false;   // with an example
  bool needs_restart = false;
  Slot (*slot)(Objects& objects) = nullptr;  // null for sections

  bool is_required() const { return !example.empty() && !may_be_left_out; }
};

std::span<const Key> keys();

}  // namespace furrow::config
