#include "config/write_yaml.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "broker-core/base/check.h"
#include "config/key_names.h"
#include "config/schema.h"
#include "config/value_text.h"

namespace furrow::config {
namespace {

constexpr std::size_t kElementBytesMax = 100;
constexpr std::size_t kFlowBytesMax = 70;  // of a section on one line

using Lines = std::vector<std::string>;

// Whether YAML reads `text` as it is, also between brackets. What is doubtful stands in quotes.
bool is_surely_plain(std::string_view text) {
  constexpr std::array<std::string_view, 4> kNull{"null", "Null", "NULL", "~"};
  const auto is_one_of = [](char c, std::string_view signs) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || signs.find(c) != std::string_view::npos;
  };
  if (text.empty() || !is_one_of(text.front(), "/.$_")) return false;
  const bool is_simple = std::ranges::all_of(text, [&](char c) { return is_one_of(c, "/.$_-+:#@%*="); });
  return is_simple && !text.ends_with(':') && std::ranges::find(kNull, text) == kNull.end();
}

// `$` stands for itself unless a variable would be read into it.
std::string without_variables(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins_variable = text[i] == '$' && i + 1 < text.size() && (text[i + 1] == '$' || text[i + 1] == '{');
    made += begins_variable ? "$$" : std::string(1, text[i]);
  }
  return made;
}

std::string scalar(std::string_view value) {
  const std::string text = without_variables(value);
  if (is_surely_plain(text)) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

template <typename Element, typename Text>
std::string flow_list(const std::vector<Element>& elements, Text text) {
  if (elements.size() == 1) return scalar(text(elements.front()));
  std::string list;
  for (const Element& one : elements) list += (list.empty() ? "" : ", ") + scalar(text(one));
  return "[" + list + "]";
}

std::string groups_text(const std::vector<UserGroup>& groups) {
  std::string map;
  for (const UserGroup& group : groups) {
    map += (map.empty() ? "" : ", ") + scalar(group.name) + ": ";
    map += flow_list(group.members, [](const std::string& one) { return one; });
  }
  return "{" + map + "}";
}

std::string pairs_text(const std::vector<UserProperty>& pairs) {
  std::string map;
  for (const UserProperty& one : pairs) map += (map.empty() ? "" : ", ") + scalar(one.name) + ": " + scalar(one.value);
  return "{" + map + "}";
}

// The value of a key as YAML, on one line.
std::string value_yaml(const Key& key, Objects& at) {
  const Slot slot = key.slot(at);
  if (const auto* texts = std::get_if<std::vector<std::string>*>(&slot)) {
    return flow_list(**texts, [](const std::string& one) { return one; });
  }
  const auto own_text = [](const auto& one) { return one.text(); };
  if (const auto* networks = std::get_if<std::vector<IpNetwork>*>(&slot)) return flow_list(**networks, own_text);
  if (const auto* origins = std::get_if<std::vector<WebOrigin>*>(&slot)) return flow_list(**origins, own_text);
  if (const auto* addresses = std::get_if<std::vector<Address>*>(&slot)) return flow_list(**addresses, own_text);
  if (const auto* groups = std::get_if<std::vector<UserGroup>*>(&slot)) return groups_text(**groups);
  if (const auto* pairs = std::get_if<std::vector<UserProperty>*>(&slot)) return pairs_text(**pairs);
  if (const auto* text = std::get_if<std::string*>(&slot)) return scalar(**text);
  if (const auto* path = std::get_if<std::filesystem::path*>(&slot)) return scalar((*path)->native());
  // A file with the name of the word that stands for no file.
  if (const auto* path = std::get_if<std::optional<std::filesystem::path>*>(&slot); path != nullptr && **path) {
    const std::string& name = (**path)->native();
    return scalar(name == key.words ? "./" + name : name);
  }
  return scalar(value_text(key, at));
}

bool is_within(const Key& key, const Key& parent) {
  return key.path.size() > parent.path.size() && key.path.starts_with(parent.path) &&
         key.path[parent.path.size()] == '.';
}

// Writes the keys beneath one path, each from the objects that it is about.
class Writer {
 public:
  explicit Writer(const Config& config) : config_(config) {}

  std::string write() {
    std::string text;
    for (const std::string& line : keys_of(keys(), {.config = config_}, {.config = standard_})) text += line + "\n";
    return text;
  }

 private:
  static std::size_t size_of_family(std::span<const Key> rest) {
    std::size_t size = 1;
    while (size < rest.size() && is_within(rest[size], rest.front())) ++size;
    return size;
  }

  // The lines of all keys in `family` that differ from `standard`.
  Lines keys_of(std::span<const Key> family, Objects at, Objects standard) {
    Lines lines;
    while (!family.empty()) {
      const std::size_t size = size_of_family(family);
      const Lines more = lines_of(family.first(size), at, standard);
      lines.insert(lines.end(), more.begin(), more.end());
      family = family.subspan(size);
    }
    return lines;
  }

  Lines lines_of(std::span<const Key> family, Objects at, Objects standard) {
    const Key& key = family.front();
    const std::string name(written_name(key.path));
    if (key.kind == Kind::Section) return section(name, keys_of(family.subspan(1), at, standard));
    if (key.kind == Kind::List) return list(name, family, at);
    const std::string value = value_yaml(key, at);
    // A listener without its address would not say what it is.
    const bool is_always_written = key.path == "listeners[].bind";
    if (!is_always_written && value == value_yaml(key, standard)) return {};
    return {name + ": " + value};
  }

  static Lines section(const std::string& name, const Lines& inner) {
    if (inner.empty()) return {};
    if (const auto flow = flow_map(inner); flow && flow->size() + name.size() + 2 <= kFlowBytesMax) {
      return {name + ": " + *flow};
    }
    return under(name + ":", inner);
  }

  Lines list(const std::string& name, std::span<const Key> family, Objects at) {
    const Slot slot = family.front().slot(at);
    if (const auto* listeners = std::get_if<std::vector<Listener>*>(&slot)) {
      if (**listeners == Config().listeners) return {};
      return elements(name, **listeners, &Objects::listener, family, at);
    }
    if (const auto* bridges = std::get_if<std::vector<Bridge>*>(&slot)) {
      return (*bridges)->empty() ? Lines() : elements(name, **bridges, &Objects::bridge, family, at);
    }
    if (const auto* topics = std::get_if<std::vector<TopicRule>*>(&slot)) {
      return (*topics)->empty() ? Lines() : elements(name, **topics, &Objects::rule, family, at);
    }
    if (const auto* watched = std::get_if<std::vector<TopicWatch>*>(&slot)) {
      return (*watched)->empty() ? Lines() : elements(name, **watched, &Objects::watch, family, at);
    }
    const auto* rules = std::get_if<std::optional<std::vector<AccessRule>>*>(&slot);
    FURROW_CHECK(rules != nullptr);
    return **rules ? elements(name, ***rules, &Objects::access_rule, family, at) : Lines();
  }

  template <typename Element>
  Lines elements(const std::string& name, std::vector<Element>& list, Element* Objects::*current,
                 std::span<const Key> family, Objects at) {
    if (list.empty()) return {name + ": []"};
    Lines lines{name + ":"};
    Element standard_element;
    Objects standard{.config = standard_};
    standard.*current = &standard_element;
    for (Element& element : list) {
      at.*current = &element;
      const Lines one = keys_of(family.subspan(1), at, standard);
      const std::optional<std::string> flow = flow_map(one);
      if (one.empty()) {
        lines.push_back("  - {}");
      } else if (one.size() > 1 && flow && flow->size() + 6 <= kElementBytesMax) {
        lines.push_back("  - " + *flow);
      } else {
        for (std::size_t i = 0; i < one.size(); ++i) lines.push_back((i == 0 ? "  - " : "    ") + one[i]);
      }
    }
    return lines;
  }

  // `{a: 1, b: 2}`; nothing where something is nested.
  static std::optional<std::string> flow_map(const Lines& lines) {
    std::string map;
    for (const std::string& line : lines) {
      if (line.starts_with(' ') || line.ends_with(':')) return std::nullopt;
      map += (map.empty() ? "" : ", ") + line;
    }
    return "{" + map + "}";
  }

  static Lines under(const std::string& head, const Lines& inner) {
    Lines lines{head};
    for (const std::string& line : inner) lines.push_back("  " + line);
    return lines;
  }

  Config config_;  // a copy: the table hands out slots that could be written to
  Config standard_;
};

}  // namespace

std::string write_yaml(const Config& config) {
  return Writer(config).write();
}

}  // namespace furrow::config
