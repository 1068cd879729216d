// The files of the status page, as they are sent: compressed, in the program itself.
//
// Vite makes them from this folder; see its README.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace furrow::gateway {

struct PageFile {
  std::string_view path;  // of the request: `/`, `/page.js`
  std::string_view type;  // Content-Type
  std::string_view etag;  // with its quotes; another one where the content is another
  std::span<const std::uint8_t> gzip;
};

// What the status page is made of; empty where the program was built without Node. `/` is the entry.
std::span<const PageFile> page_files();

}  // namespace furrow::gateway
