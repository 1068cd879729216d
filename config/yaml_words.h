// The words of a text that is meant to be YAML, in their order and with their places, also where it is no YAML.
//
// Not a parser: enough of one to find what an operator has most likely forgotten (quotes, a bracket, a blank), which
// the parser cannot say, since it only knows where it gave up.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"

namespace furrow::config {

struct YamlWords {
  // A text without quotes that YAML does not take as one.
  struct Unquoted {
    Place place;
    std::string_view text;  // all of what was meant
    char mark = 0;          // what YAML took for something else: one of * @ ` [ { # :
  };
  // A key of a block, or the dash of a list.
  struct Begin {
    Place place;
    std::string_view text;  // the key, or "-"
  };
  // A text in quotes that goes over several lines.
  struct Folded {
    Place place;
    std::uint32_t last_line = 0;
    bool is_open = false;  // it has no end: the file ends first
  };
  struct Bracket {
    Place place;
    char mark = 0;  // '[' or '{'
  };
  // A bracket that closes another kind than is open.
  struct Crossed {
    Place place;
    char mark = 0;
    Bracket open;
  };

  std::vector<Unquoted> unquoted;
  std::vector<Begin> begins;
  std::vector<Folded> folded;
  std::vector<Bracket> open;       // brackets that the file does not close, from the outside in
  std::optional<Crossed> crossed;  // the first
  Place tab;                       // the first tab in the indentation of a line; line 0: none
};

// The views borrow from `text`.
YamlWords split_yaml(std::string_view text);

}  // namespace furrow::config
