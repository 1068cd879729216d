// The lines of a mosquitto.conf, and of the files that it includes, in the order in which Mosquitto takes them.
//
//   file = (line LF)*      line = "#" TEXT | OPTION [" " VALUE]
// VALUE ends with the line; what it means is the option's affair. `include_dir` stands for the files in that directory
// that end in .conf, and counts in the main file only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"
#include "config/import/remark.h"

namespace furrow::config {

// How the import gets at files: it opens none itself.
struct ImportFiles {
  std::function<Result<std::string>(const std::string& path)> read;
  std::function<Result<std::vector<std::string>>(const std::string& directory)> list;  // names, in any order
};

struct MosquittoLine {
  std::string file;
  std::uint32_t number = 0;
  std::string written;  // the option as the file has it
  std::string option;   // its present name: `remote_password` for `password`
  std::string value;    // without blanks around it

  // The first word of the value; empty when there is none. Mosquitto does not look at more of a number or a flag.
  std::string_view word() const { return std::string_view(value).substr(0, value.find(' ')); }
  // `true` and `1`, `false` and `0`; nothing for anything else.
  std::optional<bool> flag() const;
  // A decimal number, perhaps with a `-`; nothing for anything else or for what no setting could mean.
  std::optional<std::int64_t> number_value() const;

  Remark todo(std::string text) const { return {Remark::Kind::Todo, file, number, written, std::move(text)}; }
  Remark note(std::string text) const { return {Remark::Kind::Note, file, number, written, std::move(text)}; }
};

// The lines of one file, which begins with no listener and no bridge, wherever the file stands that includes it.
using MosquittoFile = std::vector<MosquittoLine>;

// The words of `text` between blanks.
std::vector<std::string_view> words_of(std::string_view text);
std::string_view trimmed(std::string_view text);

// Whether the text can stand in a furrow.yaml: UTF-8 without control characters, and not too long.
bool is_writable(std::string_view text);

// The lines of `text` alone, which holds options or is an ACL file.
MosquittoFile read_lines(std::string_view text, const std::string& name, Remarks& remarks);

// The lines of `text`, and in the places of its `include_dir` those of other files.
std::vector<MosquittoFile> read_mosquitto_lines(std::string_view text, const std::string& name,
                                                const ImportFiles& files, Remarks& remarks);

}  // namespace furrow::config
