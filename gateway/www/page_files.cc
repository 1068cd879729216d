#include "gateway/www/page_files.h"

namespace furrow::gateway {

std::span<const PageFile> page_files() {
  return {};
}

}  // namespace furrow::gateway
