// A mosquitto.conf, with the files that it names, as a Config that does the same, and remarks on what does not.
//
// Where a setting that keeps clients out cannot be translated, the result keeps out more, not less. Passwords and keys
// do not go into the Config: it names a file for each, whose content is beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/import/mosquitto_lines.h"
#include "config/import/remark.h"

namespace furrow::config {

// A file that the result names and that is to be written beside it, for furrow's user alone.
struct SecretFile {
  std::string name;     // relative to the configuration
  std::string content;  // may be empty: a file of passwords without users
  std::string what;     // "the password of bridge 'region'"
  MosquittoLine line;   // where it comes from
};

struct Imported {
  Config config;
  Remarks remarks;  // in the order of the files and their lines
  std::vector<SecretFile> secrets;
};

Imported import_mosquitto(std::string_view text, const std::string& name, const ImportFiles& files);

// Sorted by the line, within each file.
void sort_by_line(Remarks& remarks);

// The text of a furrow.yaml, with what is left to do in comments at its head.
std::string imported_yaml(const Imported& imported, const std::string& name);

}  // namespace furrow::config
