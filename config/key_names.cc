#include "config/key_names.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <numeric>
#include <utility>

#include "config/messages.h"
#include "config/scalar.h"

namespace furrow::config {
namespace {

std::string_view without_brackets(std::string_view path) {
  if (path.ends_with("[]")) path.remove_suffix(2);
  return path;
}

std::string_view parent_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

// How many letters are wrong, missing, too many or exchanged with their neighbour. Names are short, and the caller has
// cut what a file brings in.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before;
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::vector<std::size_t> next(to.size() + 1, i);
    for (std::size_t j = 1; j <= to.size(); ++j) {
      next[j] = std::min({row[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1), row[j] + 1, next[j - 1] + 1});
      const bool exchanged = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (exchanged) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before = std::exchange(row, std::move(next));
  }
  return row.back();
}

// As our names are written: `Client-ID` is `client_id`.
std::string normalized(std::string_view name) {
  std::string result(name);
  for (char& c : result) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string in_words(std::string_view path) {
  return path.empty() ? std::string("the file") : "'" + std::string(path) + "'";
}

bool is_also_called(const Key& key, std::string_view name) {
  const std::vector<std::string_view> words = split_words(key.also);
  return std::find(words.begin(), words.end(), normalized(name)) != words.end();
}

// `part` stands in `whole` between `_` or at an end.
bool is_part_of(std::string_view part, std::string_view whole) {
  return whole.size() > part.size() &&
         ("_" + std::string(whole) + "_").find("_" + std::string(part) + "_") != std::string::npos;
}

// A key that is asked for by another name; `where` is empty or says which map it stands in.
std::string introduced(const Key& key, const std::string& where) {
  const std::string name = "; furrow has '" + std::string(written_name(key.path)) + "'" + where;
  return name + (key.kind == Kind::File && key.path.ends_with("_from") ? ", a file that holds it" : "");
}

std::string whereabouts(const Key& key) {
  const std::string_view parent = parent_of(key.path);
  return parent.empty() ? " at the top of the file" : " inside of " + in_words(parent);
}

// `buffer.age`, which stands in two levels.
std::string advice_for_dots(std::string_view path, std::string_view name) {
  if (name.find('.') == std::string_view::npos) return {};
  const Key* key = find_key(path.empty() ? std::string(name) : std::string(path) + "." + std::string(name));
  if (key == nullptr) return {};
  return "; write '" + std::string(written_name(name)) + "' inside of " + in_words(parent_of(key->path));
}

// The key of the map at `path` that was probably meant.
std::string advice_from_here(std::string_view path, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Key* key : keys_in(path)) {
    if (is_also_called(*key, name)) return introduced(*key, "");
    names.push_back(written_name(key->path));
  }
  const std::string nearest = nearest_name(name, names);
  return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
}

// The key of another map that has this name, with us or with other brokers; one inside of the map at `path` first.
std::string advice_from_elsewhere(std::string_view path, std::string_view name) {
  for (const Key& key : keys()) {
    if (written_name(key.path) == name) return " here; it belongs into " + in_words(parent_of(key.path));
  }
  const std::string inside = std::string(path) + ".";
  for (const Key& key : keys()) {
    if (key.path.starts_with(inside) && is_also_called(key, name)) return introduced(key, whereabouts(key));
  }
  for (const Key& key : keys()) {
    if (is_also_called(key, name)) return introduced(key, whereabouts(key));
  }
  return {};
}

std::string names_of(std::string_view path) {
  constexpr std::size_t kListedMax = 10;  // more names help nobody
  std::vector<std::string_view> names;
  for (const Key* key : keys_in(path)) names.push_back(written_name(key->path));
  if (names.size() > kListedMax) return "'furrow help config' shows the keys of " + in_words(path);
  std::string listed;
  for (const std::string_view one : names) listed += (listed.empty() ? "" : ", ") + std::string(one);
  return in_words(path) + " has " + listed;
}

}  // namespace

const Key* find_key(std::string_view path) {
  for (const Key& key : keys()) {
    if (key.path == path || without_brackets(key.path) == path) return &key;
  }
  return nullptr;
}

std::string_view written_name(std::string_view path) {
  path = without_brackets(path);
  return path.substr(path.rfind('.') + 1);
}

std::vector<const Key*> keys_in(std::string_view path) {
  std::vector<const Key*> found;
  for (const Key& key : keys()) {
    if (parent_of(key.path) == path) found.push_back(&key);
  }
  return found;
}

std::string nearest_name(std::string_view name, const std::vector<std::string_view>& known) {
  constexpr std::size_t kNameBytesMax = 64;  // longer than every name: nothing is near it
  if (name.size() > kNameBytesMax) return {};
  const std::string wanted = normalized(name);
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string_view one : known) {
    // A third of the letters may be wrong; beyond that a suggestion is a guess.
    if (const std::size_t distance = edit_distance(wanted, one); distance < least) {
      nearest = one;
      least = distance;
    }
  }
  // A part of the name, as in `bytes_max`, or a name of which it is a part.
  for (const std::string_view one : known) {
    const bool is_part = is_part_of(one, wanted) || (is_part_of(wanted, one) && wanted.size() > 2);
    if (nearest.empty() && is_part) nearest = one;
  }
  return std::string(nearest);
}

std::string explain_unknown(std::string_view path, std::string_view name) {
  constexpr std::size_t kNameBytesMax = 64;
  const std::string unknown = "unknown key '" + printable(name, kNameBytesMax) + "'";
  if (name == "<<") return unknown + ": YAML's merging of maps is not read here; write the keys out";
  if (const std::string advice = advice_for_dots(path, name); !advice.empty()) return unknown + advice;
  if (const std::string advice = advice_from_here(path, name); !advice.empty()) return unknown + advice;
  if (const std::string advice = advice_from_elsewhere(path, name); !advice.empty()) return unknown + advice;
  return unknown + "; " + names_of(path);
}

}  // namespace furrow::config
