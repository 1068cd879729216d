#include "config/value_text.h"

#include <type_traits>
#include <vector>

#include "broker-core/base/check.h"
#include "config/scalar.h"

namespace furrow::config {
namespace {

template <typename Element, typename Text>
std::string list_text(const std::vector<Element>& list, Text text) {
  std::string all;
  for (const Element& one : list) all += (all.empty() ? "" : ", ") + text(one);
  return "[" + all + "]";
}

// One overload for each type of slot, as in assign.cc.
struct Shower {
  const Key& key;

  std::string operator()(const bool* slot) const { return *slot ? "true" : "false"; }

  template <typename Number>
  requires std::is_unsigned_v<Number> std::string operator()(const Number* slot) const {
    // A size that is no whole number of KiB cannot be written, but may be a default.
    const bool is_size = key.kind == Kind::Size && *slot % KiB == 0;
    return is_size ? size_text(*slot) : std::to_string(*slot);
  }

  std::string operator()(const Duration* slot) const { return time_text(*slot); }

  template <typename Value>
  std::string operator()(const std::optional<Value>* slot) const {
    return *slot ? (*this)(&**slot) : std::string(key.words);
  }

  template <typename Enumeration>
  requires std::is_enum_v<Enumeration> std::string operator()(const Enumeration* slot) const {
    const std::vector<std::string_view> words = split_words(key.words);
    const auto index = static_cast<std::size_t>(*slot);
    FURROW_CHECK(index < words.size());
    return std::string(words[index]);
  }

  static std::string in_quotes_if_empty(const std::string& text) { return text.empty() ? "\"\"" : text; }
  std::string operator()(const std::string* slot) const { return in_quotes_if_empty(*slot); }
  std::string operator()(const std::filesystem::path* slot) const { return (*this)(&slot->native()); }
  std::string operator()(const Bind* slot) const { return slot->text(); }
  std::string operator()(const Proxy* slot) const { return in_quotes_if_empty(slot->text()); }
  std::string operator()(const DailyWindow* slot) const { return in_quotes_if_empty(slot->text()); }

  std::string operator()(const std::vector<std::string>* slot) const {
    return list_text(*slot, [this](const std::string& one) { return (*this)(&one); });
  }
  std::string operator()(const std::vector<UserGroup>* slot) const {
    std::string all;
    for (const UserGroup& group : *slot) all += (all.empty() ? "" : ", ") + group.name + ": " + (*this)(&group.members);
    return "{" + all + "}";
  }
  std::string operator()(const std::vector<UserProperty>* slot) const {
    std::string all;
    for (const UserProperty& one : *slot) all += (all.empty() ? "" : ", ") + one.name + ": " + (*this)(&one.value);
    return "{" + all + "}";
  }
  template <typename Element>
  requires requires(const Element& one) {
    { one.text() } -> std::same_as<std::string>;
  }
  std::string operator()(const std::vector<Element>* slot) const {
    return list_text(*slot, [](const Element& one) { return one.text(); });
  }

  // Lists of maps have no text.
  template <typename Element>
  std::string operator()(const std::vector<Element>*) const {
    FURROW_CHECK(false && "a list of maps is shown element by element");
    return {};
  }
};

}  // namespace

std::string value_text(const Key& key, Objects& at) {
  FURROW_CHECK(key.slot != nullptr && key.kind != Kind::List);
  return std::visit(Shower{key}, key.slot(at));
}

}  // namespace furrow::config
