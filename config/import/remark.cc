#include "config/import/remark.h"

#include "broker-core/base/printable.h"
#include "config/messages.h"

namespace furrow::config {

std::string format(const Remark& remark) {
  constexpr std::size_t kRemarkBytesMax = 2'000;
  std::string line = printable(remark.file, kShownBytesMax) + ":";
  if (remark.line != 0) line += std::to_string(remark.line) + ":";
  line += remark.kind == Remark::Kind::Note ? " note: " : " ";
  return line + printable(remark.option, kShownBytesMax) + ": " + printable(remark.text, kRemarkBytesMax);
}

}  // namespace furrow::config
