// YAML text as a tree of plain nodes, each with its place. The only pair of files that knows yaml-cpp.
//
// Bounded: text beyond kTextBytesMax, trees of more than kNodesMax nodes (an alias counts as what it stands for, 64
// bytes of text count as one more) or deeper than kDepthMax are refused: a small file cannot unfold into a large one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/diagnostic.h"

namespace furrow::config {

inline constexpr std::size_t kTextBytesMax = std::size_t{1024} * 1024;
inline constexpr std::size_t kNodesMax = 20'000;  // a hundred bridges of twenty rules; checks compare rule by rule
inline constexpr std::size_t kDepthMax = 32;      // our own keys need eight

struct YamlNode {
  enum class Kind : std::uint8_t { Null, Scalar, List, Map };

  Kind kind = Kind::Null;
  Place place;
  std::string text;             // of a scalar
  std::vector<YamlNode> items;  // of a list; of a map: key, value, key, value, …
};

// The first document of `text`; a null node when it is empty. What is wrong goes to `diagnostics`, and then the
// tree is a null node. Anchors and aliases are followed; `<<` is a key like any other.
YamlNode parse_yaml(const std::string& text, Diagnostics& diagnostics);

}  // namespace furrow::config
