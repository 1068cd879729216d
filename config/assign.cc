#include "config/assign.h"

#include <algorithm>
#include <type_traits>

#include "broker-core/base/check.h"
#include "config/messages.h"
#include "config/scalar.h"

namespace furrow::config {
namespace {

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

// `value` if it is in the range of `key`, whose limits are read by the same `parse`.
template <typename Value>
Result<Value> in_range(const Key& key, std::string_view text, Result<Value> (*parse)(std::string_view)) {
  FURROW_TRY(const Value value, parse(text));
  if (value < *parse(key.least) || value > *parse(key.most)) {
    return invalid(in_quotes(text) + " is out of range: " + std::string(key.least) + " to " + std::string(key.most));
  }
  return value;
}

// One overload per type of slot: the type of the member decides how its text is read.
struct Assigner {
  const Key& key;
  std::string_view text;
  const std::filesystem::path& directory;

  Status operator()(bool* slot) const {
    if (text != "true" && text != "false") return invalid(in_quotes(text) + " is not one of: true, false");
    *slot = text == "true";
    return {};
  }

  // The range in the table keeps the number within its type; a test assigns both ends of each.
  template <typename Number>
  requires std::is_unsigned_v<Number> Status operator()(Number* slot) const {
    FURROW_TRY(const std::uint64_t number, in_range(key, text, key.kind == Kind::Size ? parse_size : parse_count));
    *slot = static_cast<Number>(number);
    return {};
  }

  Status operator()(Duration* slot) const {
    FURROW_TRY(*slot, in_range(key, text, parse_time));
    return {};
  }

  template <typename Value>
  Status operator()(std::optional<Value>* slot) const {
    if (text == key.words) {
      slot->reset();
      return {};
    }
    Value value{};
    if (Status status = (*this)(&value); !status.has_value()) {
      return invalid(status.error().message() + ", or " + std::string(key.words));
    }
    *slot = value;
    return {};
  }

  // The words of the table stand in the order of the enumeration.
  template <typename Enumeration>
  requires std::is_enum_v<Enumeration> Status operator()(Enumeration* slot) const {
    const std::vector<std::string_view> words = split_words(key.words);
    const auto found = std::find(words.begin(), words.end(), text);
    if (found == words.end()) return invalid(in_quotes(text) + " is not one of: " + joined(words));
    *slot = static_cast<Enumeration>(found - words.begin());
    return {};
  }

  Status operator()(std::string* slot) const {
    *slot = text;
    return {};
  }

  Status operator()(std::filesystem::path* slot) const {
    *slot = text.empty() ? std::filesystem::path() : (directory / text).lexically_normal();
    return {};
  }

  Status operator()(Bind* slot) const {
    FURROW_TRY(*slot, parse_bind(text));
    return {};
  }

  Status operator()(Proxy* slot) const {
    FURROW_TRY(*slot, parse_proxy(text));
    return {};
  }

  Status operator()(DailyWindow* slot) const {
    FURROW_TRY(*slot, parse_window(text));
    return {};
  }

  Status operator()(std::vector<std::string>* slot) const {
    slot->emplace_back(text);
    return {};
  }

  Status operator()(std::vector<IpNetwork>* slot) const {
    FURROW_TRY(const IpNetwork network, IpNetwork::parse(text));
    slot->push_back(network);
    return {};
  }

  Status operator()(std::vector<WebOrigin>* slot) const {
    std::optional<WebOrigin> origin = WebOrigin::parse(text);
    if (!origin) {
      return invalid(in_quotes(text) +
                     " is not the origin of a page: write scheme, host and port as the browser has them, as in "
                     "https://dash.example.org or http://192.168.4.2:3000");
    }
    slot->push_back(*std::move(origin));
    return {};
  }

  Status operator()(std::vector<Address>* slot) const {
    FURROW_TRY(Address address, parse_address(text));
    slot->push_back(std::move(address));
    return {};
  }

  // Lists of maps are not made of texts.
  Status operator()(std::vector<Listener>*) const { return never(); }
  Status operator()(std::vector<Bridge>*) const { return never(); }
  Status operator()(std::vector<TopicRule>*) const { return never(); }
  Status operator()(std::optional<std::vector<AccessRule>>*) const { return never(); }
  Status operator()(std::vector<UserGroup>*) const { return never(); }
  Status operator()(std::vector<TopicWatch>*) const { return never(); }
  Status operator()(std::vector<UserProperty>*) const { return never(); }

  static Status never() {
    FURROW_CHECK(false && "a list of maps is read element by element");
    return {};
  }
};

}  // namespace

Status assign(const Key& key, Objects& at, std::string_view text, const std::filesystem::path& directory) {
  FURROW_CHECK(key.slot != nullptr);
  return std::visit(Assigner{key, text, directory}, key.slot(at));
}

void clear_list(const Key& key, Objects& at) {
  FURROW_CHECK(key.slot != nullptr);
  const Slot slot = key.slot(at);
  if (const auto* texts = std::get_if<std::vector<std::string>*>(&slot)) (*texts)->clear();
  if (const auto* networks = std::get_if<std::vector<IpNetwork>*>(&slot)) (*networks)->clear();
  if (const auto* origins = std::get_if<std::vector<WebOrigin>*>(&slot)) (*origins)->clear();
  if (const auto* addresses = std::get_if<std::vector<Address>*>(&slot)) (*addresses)->clear();
}

}  // namespace furrow::config
