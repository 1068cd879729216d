#include "config/key_names.h"

#include <algorithm>
#include <numeric>

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

// Levenshtein's distance by rows. Names are short, and the caller has cut what a file brings in.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string in_words(std::string_view path) {
  return path.empty() ? std::string("the file") : "'" + std::string(path) + "'";
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

std::string explain_unknown(std::string_view path, std::string_view name) {
  constexpr std::size_t kNameBytesMax = 64;  // longer than every key: nothing is near it
  const std::vector<const Key*> siblings = keys_in(path);
  const std::string unknown = "unknown key '" + std::string(name.substr(0, kNameBytesMax)) + "'";

  if (const Key* dotted = find_key(path.empty() ? std::string(name) : std::string(path) + "." + std::string(name));
      dotted != nullptr && name.find('.') != std::string_view::npos) {
    return unknown + "; write '" + std::string(written_name(name)) + "' inside of '" +
           std::string(parent_of(dotted->path)) + "'";
  }

  const auto distance = [&](const Key* key) { return edit_distance(name, written_name(key->path)); };
  if (name.size() <= kNameBytesMax && !siblings.empty()) {
    const Key* nearest = *std::min_element(siblings.begin(), siblings.end(),
                                           [&](const Key* a, const Key* b) { return distance(a) < distance(b); });
    // A third of the letters may be wrong; beyond that a suggestion is a guess.
    if (distance(nearest) <= std::max<std::size_t>(1, name.size() / 3)) {
      return unknown + "; did you mean '" + std::string(written_name(nearest->path)) + "'?";
    }
  }
  for (const Key& key : keys()) {
    if (written_name(key.path) == name) return unknown + " here; it belongs into " + in_words(parent_of(key.path));
  }
  std::string known = unknown + "; " + in_words(path) + " has";
  for (const Key* key : siblings)
    known += (key == siblings.front() ? " " : ", ") + std::string(written_name(key->path));
  return known;
}

}  // namespace furrow::config
