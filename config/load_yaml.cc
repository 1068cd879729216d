#include "config/load_yaml.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/utf8.h"
#include "config/assign.h"
#include "config/config_files.h"
#include "config/key_names.h"
#include "config/messages.h"
#include "config/places.h"
#include "config/schema.h"
#include "config/validate.h"
#include "config/yaml_tree.h"

namespace furrow::config {
namespace {

bool has_control_characters(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

// A place in the file under two names: as the table has it, and with indices.
struct Path {
  std::string schema;    // `bridges[].topics[]`
  std::string concrete;  // `bridges[0].topics[2]`

  Path child(std::string_view schema_path, std::string_view name) const {
    return {std::string(schema_path), concrete.empty() ? std::string(name) : concrete + "." + std::string(name)};
  }
  Path element(std::size_t index) const { return {schema, concrete + "[" + std::to_string(index) + "]"}; }
};

// Walks the tree of the file along the table of keys.
class Reader {
 public:
  Reader(const std::filesystem::path& directory, const Environment& environment, Places& places,
         Diagnostics& diagnostics)
      : directory_(directory), environment_(environment), places_(places), diagnostics_(diagnostics) {}

  // Reads the map `node` of section or list element `path`; a null node is an empty map.
  void read_map(const YamlNode& node, const Path& path, Objects at) {
    if (node.kind == YamlNode::Kind::Null) return;
    if (node.kind != YamlNode::Kind::Map) {
      return fail(node.place, path, " must be a map of 'key: value' lines");
    }
    std::map<std::string_view, Place> seen;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      read_pair(node.items[i], node.items[i + 1], path, at, seen);
    }
  }

 private:
  void read_pair(const YamlNode& name, const YamlNode& value, const Path& path, Objects at,
                 std::map<std::string_view, Place>& seen) {
    if (name.kind != YamlNode::Kind::Scalar) return say(name.place, "a key must be plain text");
    const auto [first, is_new] = seen.emplace(name.text, name.place);
    if (!is_new) {
      return say(name.place, "duplicate key '" + name.text + "', first given " + in_line(first->second));
    }
    const Key* key = find_key(path.schema.empty() ? name.text : path.schema + "." + name.text);
    // `bridges[]` is how the table writes it, not a file.
    if (key == nullptr || written_name(key->path) != name.text) {
      return say(name.place, explain_unknown(path.schema, name.text));
    }
    read_value(*key, value, path.child(key->path, name.text), at);
  }

  void read_value(const Key& key, const YamlNode& value, const Path& path, Objects at) {
    places_.put(path.concrete, value.place);
    switch (key.kind) {
      case Kind::Section:
        return read_map(value, path, at);
      case Kind::List:
        return read_list_of_maps(key, value, path, at);
      case Kind::Groups:
        return read_groups(key, value, path, at);
      case Kind::Pairs:
        return read_pairs(key, value, path, at);
      case Kind::Texts:
      case Kind::Addresses:
      case Kind::Networks:
      case Kind::Origins:
        return read_list_of_scalars(key, value, path, at);
      default:
        return read_scalar(key, value, path, at);
    }
  }

  void read_list_of_maps(const Key& key, const YamlNode& value, const Path& path, Objects at) {
    const Slot slot = key.slot(at);
    const auto* access_rules = std::get_if<std::optional<std::vector<AccessRule>>*>(&slot);
    if (value.kind == YamlNode::Kind::Null) {
      // All rules turned into comments must not open what they closed.
      if (access_rules != nullptr) {
        fail(value.place, path, " has no value; write [] to refuse everything, or leave the key out to allow it");
      }
      return;
    }
    if (value.kind != YamlNode::Kind::List)
      return fail(value.place, path, " must be a list: begin each element with '- '");
    if (access_rules != nullptr) {
      read_elements((*access_rules)->emplace(), &Objects::access_rule, value, path, at);
    } else if (const auto* listeners = std::get_if<std::vector<Listener>*>(&slot)) {
      read_elements(**listeners, &Objects::listener, value, path, at);
    } else if (const auto* bridges = std::get_if<std::vector<Bridge>*>(&slot)) {
      read_elements(**bridges, &Objects::bridge, value, path, at);
    } else if (const auto* topics = std::get_if<std::vector<TopicRule>*>(&slot)) {
      read_elements(**topics, &Objects::rule, value, path, at);
    } else if (const auto* watched = std::get_if<std::vector<TopicWatch>*>(&slot)) {
      read_elements(**watched, &Objects::watch, value, path, at);
    }
  }

  template <typename Element>
  void read_elements(std::vector<Element>& elements, Element* Objects::*current, const YamlNode& value,
                     const Path& path, Objects at) {
    elements.clear();
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const Path element_path = path.element(i);
      Element& element = elements.emplace_back();
      element.place = value.items[i].place;
      at.*current = &element;
      places_.put(element_path.concrete, element.place);
      read_map(value.items[i], element_path, at);
    }
  }

  void read_groups(const Key& key, const YamlNode& value, const Path& path, Objects at) {
    const Slot slot = key.slot(at);
    std::vector<UserGroup>& groups = **std::get_if<std::vector<UserGroup>*>(&slot);
    groups.clear();
    if (value.kind == YamlNode::Kind::Null) return;
    if (value.kind != YamlNode::Kind::Map) return fail(value.place, path, " must be a map of 'name: [user, …]' lines");
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const YamlNode& name = value.items[i];
      if (!is_new_name(name, groups, "group", path)) continue;
      groups.push_back({.name = name.text, .members = {}, .place = name.place});
      read_members(value.items[i + 1], path.element(groups.size() - 1), groups.back());
      if (places_.is_spoiled(path.element(groups.size() - 1).concrete)) places_.spoil(path.concrete);
    }
  }

  // Whether `name` may name one more of `others`, each a `kind`; else that has been said.
  template <typename Named>
  bool is_new_name(const YamlNode& name, const std::vector<Named>& others, const std::string& kind, const Path& path) {
    if (name.kind != YamlNode::Kind::Scalar || has_control_characters(name.text) || !mqtt::is_valid_utf8(name.text)) {
      fail(name.place, path, ": the name of a " + kind + " must be plain text");
      return false;
    }
    const auto same =
        std::find_if(others.begin(), others.end(), [&](const auto& one) { return one.name == name.text; });
    if (same == others.end()) return true;
    fail(name.place, path, ": there is a " + kind + " " + in_quotes(name.text) + " already, " + in_line(same->place));
    return false;
  }

  void read_pairs(const Key& key, const YamlNode& value, const Path& path, Objects at) {
    const Slot slot = key.slot(at);
    std::vector<UserProperty>& pairs = **std::get_if<std::vector<UserProperty>*>(&slot);
    pairs.clear();
    if (value.kind == YamlNode::Kind::Null) return;
    if (value.kind != YamlNode::Kind::Map) return fail(value.place, path, " must be a map of 'name: text' lines");
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const YamlNode& name = value.items[i];
      if (!is_new_name(name, pairs, "property", path)) continue;
      const auto text = read_text(value.items[i + 1], path);
      if (text) pairs.push_back({.name = name.text, .value = *text, .place = name.place});
    }
  }

  void read_members(const YamlNode& value, const Path& path, UserGroup& group) {
    places_.put(path.concrete, value.place);
    const auto read = [&](const YamlNode& node) {
      if (const auto text = read_text(node, path)) group.members.push_back(*text);
    };
    if (value.kind != YamlNode::Kind::List) return read(value);
    for (const YamlNode& node : value.items) read(node);
  }

  void read_list_of_scalars(const Key& key, const YamlNode& value, const Path& path, Objects at) {
    clear_list(key, at);
    if (value.kind != YamlNode::Kind::List) return read_scalar(key, value, path, at);
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      places_.put(path.element(i).concrete, value.items[i].place);
      read_scalar(key, value.items[i], path.element(i), at);
      if (places_.is_spoiled(path.element(i).concrete)) places_.spoil(path.concrete);
    }
  }

  void read_scalar(const Key& key, const YamlNode& value, const Path& path, Objects at) {
    if (value.kind == YamlNode::Kind::Null) {
      const bool is_text = key.kind == Kind::Text || key.kind == Kind::Texts;
      return fail(value.place, path,
                  is_text ? " has no value; quote a text that begins with #, as in " + as_written("#")
                          : std::string(" has no value"));
    }
    const std::optional<std::string> text = read_text(value, path);
    if (!text) return;
    const Status assigned = assign(key, at, *text, directory_of(value.place));
    if (!assigned.has_value()) fail(value.place, path, ": " + assigned.error().message());
  }

  // The text of a scalar; nothing when it is none or cannot be one of ours, which has been said.
  std::optional<std::string> read_text(const YamlNode& value, const Path& path) {
    const auto failed = [&](std::string_view problem) {
      fail(value.place, path, problem);
      return std::nullopt;
    };
    if (value.kind == YamlNode::Kind::Null) return failed(" has no value");
    if (value.kind != YamlNode::Kind::Scalar) return failed(" must be a single value");
    Result<std::string> text = interpolate(value.text, environment_);
    if (!text.has_value()) return failed(": " + text.error().message());
    if (has_control_characters(*text)) return failed(" has a control character in it");
    if (!mqtt::is_valid_utf8(*text)) return failed(" is not valid UTF-8");
    if (text->size() > mqtt::kStringBytesMax) return failed(" is longer than 65535 bytes");
    return *std::move(text);
  }

  // Relative paths are relative to the file that names them.
  std::filesystem::path directory_of(const Place& place) const {
    return place.file != nullptr ? std::filesystem::path(place.file->name).parent_path() : directory_;
  }

  void say(Place place, std::string message) { diagnostics_.push_back({Severity::Error, place, std::move(message)}); }

  // `problem` continues the sentence that begins with the key: " has no value", ": 'x' is not a time".
  void fail(Place place, const Path& path, std::string_view problem) {
    places_.spoil(path.concrete);
    say(place, (path.schema.empty() ? "the file" : path.schema) + std::string(problem));
  }

  const std::filesystem::path& directory_;
  const Environment& environment_;
  Places& places_;
  Diagnostics& diagnostics_;
};

// 0 is "no limit"; where MQTT itself has one, that one is written, so that nobody downstream has to know it.
void replace_zero_by_protocol_limit(Limits& limits) {
  if (limits.packet_bytes_max == 0) limits.packet_bytes_max = kPacketBytesMax;
  if (limits.inflight_max == 0) limits.inflight_max = kInflightMax;
  if (limits.topic_levels_max == 0) limits.topic_levels_max = kTopicLevelsMax;
}

void read_config(const YamlNode& root, const std::string& file_name, const Environment& environment, Loaded& loaded) {
  const std::filesystem::path directory = std::filesystem::path(file_name).parent_path();
  Reader(directory, environment, loaded.places, loaded.diagnostics).read_map(root, {}, {.config = loaded.config});
  replace_zero_by_protocol_limit(loaded.config.limits);
  validate(loaded.config, loaded.places, loaded.diagnostics);
}

}  // namespace

Loaded load(const std::string& text, const std::string& file_name, const Environment& environment,
            const FindFiles& find_files) {
  Loaded loaded;
  YamlNode root = parse_yaml(text, loaded.diagnostics);
  Diagnostics notes;
  if (find_files != nullptr) {
    notes = include_files(root, {file_name, environment, find_files}, loaded.diagnostics);
  }
  // A file that is not YAML was not read, so nothing more can be said about it.
  if (!has_errors(loaded.diagnostics)) read_config(root, file_name, environment, loaded);
  if (!has_errors(loaded.diagnostics)) std::ranges::move(notes, std::back_inserter(loaded.diagnostics));
  if (root.kind == YamlNode::Kind::Null && !has_errors(loaded.diagnostics)) {
    loaded.diagnostics.push_back({Severity::Warning, {}, "the file has no keys: everything is at its default"});
  }
  sort_by_place(loaded.diagnostics);
  return loaded;
}

Result<Loaded> load_file(const std::filesystem::path& file, const Environment& environment) {
  FURROW_TRY(const std::string text, read_config_file(file));
  return load(text, file.string(), environment,
              [&file](const std::string& pattern) { return find_config_files(pattern, file); });
}

}  // namespace furrow::config
