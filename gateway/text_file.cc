#include "gateway/text_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "broker-core/base/bytes.h"
#include "gateway/store/data_directory.h"

namespace furrow::gateway {
namespace {

Error errno_error(const std::string& path) {
  const int cause = errno;
  return {errc_from_errno(cause), "read " + path + ": " + errno_text(cause)};
}

}  // namespace

Result<std::string> read_first_line(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return errno_error(path);
  std::string text;
  std::array<char, 4 * KiB> part;
  while (text.find('\n') == std::string::npos) {
    const std::size_t count = std::fread(part.data(), 1, part.size(), file.get());
    if (std::ferror(file.get()) != 0) return errno_error(path);
    if (count == 0) break;
    text.append(part.data(), count);
    if (text.size() > 64 * KiB) return Error(Errc::InvalidArgument, "read " + path + ": the first line has no end");
  }
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace furrow::gateway
