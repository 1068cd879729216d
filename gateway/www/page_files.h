// The files of the status page, as they are embedded in the program.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace furrow::gateway {

struct PageFile {
  std::string_view path;
  std::string_view type;
  std::string_view etag;  // with its quotes
  std::span<const std::uint8_t> gzip;
};

// What the status page is made of; empty where the program was built without Node. `/` is the entry.
std::span<const PageFile> page_files();

}  // namespace furrow::gateway
