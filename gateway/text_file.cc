#include "gateway/text_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "broker-core/base/bytes.h"
#include "gateway/store/errno_error.h"

namespace furrow::gateway {

Result<std::string> read_first_line(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return errno_error("read " + path);
  std::string text;
  std::array<char, 4 * KiB> part;
  while (text.find('\n') == std::string::npos) {
    const std::size_t count = std::fread(part.data(), 1, part.size(), file.get());
    if (std::ferror(file.get()) != 0) return errno_error("read " + path);
    if (count == 0) break;
    text.append(part.data(), count);
    if (text.size() > 64 * KiB) return Error(Errc::InvalidArgument, "read " + path + ": the first line has no end");
  }
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Status write_all(const Descriptor& file, std::string_view text, std::string_view attempted) {
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error(attempted);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(file.get()) == 0 ? Status() : errno_error(attempted);
}

}  // namespace furrow::gateway
