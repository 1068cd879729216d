#include "broker-core/access/glob.h"

namespace furrow::access {
namespace {

// The bytes behind the first of a character of UTF-8.
bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

std::size_t character_end(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && continues_character(text[at])) ++at;
  return at;
}

}  // namespace

bool glob_matches(std::string_view glob, std::string_view name) {
  std::size_t in_glob = 0;
  std::size_t in_name = 0;
  // Where to go on when what follows the last `*` does not fit: only the last one has to be tried again.
  std::size_t star = std::string_view::npos;
  std::size_t star_takes = 0;
  while (in_name < name.size()) {
    if (in_glob < glob.size() && glob[in_glob] == '*') {
      star = in_glob++;
      star_takes = in_name;
    } else if (in_glob < glob.size() && glob[in_glob] == '?') {
      ++in_glob;
      in_name = character_end(name, in_name);
    } else if (in_glob < glob.size() && glob[in_glob] == name[in_name]) {
      ++in_glob;
      ++in_name;
    } else if (star != std::string_view::npos) {
      in_glob = star + 1;
      star_takes = character_end(name, star_takes);
      in_name = star_takes;
    } else {
      return false;
    }
  }
  while (in_glob < glob.size() && glob[in_glob] == '*') ++in_glob;
  return in_glob == glob.size();
}

bool is_glob(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

}  // namespace furrow::access
