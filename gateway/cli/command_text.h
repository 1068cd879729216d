// What a command takes, as a document shows it.
#pragma once

#include <string>
#include <vector>

namespace furrow::gateway {

struct OptionText {
  std::vector<std::string> names;  // with their dashes; none: it is known by its place alone
  std::string place;               // what stands for it as an argument, as in FILE; empty: it has to be named
  std::string value;               // what follows a name; empty: nothing
  std::string text;
  bool required = false;
};

struct CommandText {
  std::string name;
  std::string text;
  std::vector<OptionText> options;
  std::vector<CommandText> commands;  // which it is split into
};

}  // namespace furrow::gateway
