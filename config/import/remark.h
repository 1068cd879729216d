// What an import has to say about a line of the file that it reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace furrow::config {

struct Remark {
  enum class Kind : std::uint8_t {
    Todo,  // the result differs from the original, or something has to be done
    Note,  // nothing is to be done
  };

  Kind kind = Kind::Todo;
  std::string file;
  std::uint32_t line = 0;  // 0: of the file as a whole
  std::string option;
  std::string text;
};

using Remarks = std::vector<Remark>;

// `mosquitto.conf:12: autosave_interval: text`; `note: ` stands before the option of a note. Printable, whatever the
// file held.
std::string format(const Remark& remark);

}  // namespace furrow::config
