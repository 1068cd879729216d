// An archive as tar reads it (ustar, POSIX.1-1988): regular files alone, each for its owner only.
//
//   archive := (header[512] content padding)* zero[1024]
//   header  := name[100] mode[8] uid[8] gid[8] size[12] mtime[12] checksum[8] type[1] link[100] "ustar" NUL "00" …
// Numbers are octal, and the checksum is the sum of the header's bytes with blanks in its place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace furrow::gateway {

class TarArchive {
 public:
  // `mtime_s` since 1970. REQUIRES: `name` has 1 to 100 bytes, `content` less than 8 GiB.
  void add(std::string_view name, std::string_view content, std::int64_t mtime_s);
  // The whole of it, complete.
  std::string finish() &&;

 private:
  std::string bytes_;
};

}  // namespace furrow::gateway
