#include "tests/sim/sparse_file.h"

#include <algorithm>

namespace furrow::sim {

void SparseFile::resize(std::uint64_t size) {
  pages_.resize((size + kPageBytes - 1) / kPageBytes);
  const std::size_t in_last = size % kPageBytes;
  if (size < size_ && in_last > 0) write_page(pages_.back(), in_last, nullptr, kPageBytes - in_last);
  size_ = size;
}

void SparseFile::write(std::uint64_t offset, const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return;
  if (size_ < offset + size) resize(offset + size);
  for (std::size_t done = 0; done < size;) {
    const std::size_t at = (offset + done) % kPageBytes;
    const std::size_t count = std::min(size - done, kPageBytes - at);
    write_page(pages_[(offset + done) / kPageBytes], at, bytes == nullptr ? nullptr : bytes + done, count);
    done += count;
  }
}

void SparseFile::write_page(std::shared_ptr<Page>& page, std::size_t at, const std::uint8_t* bytes, std::size_t size) {
  if (bytes == nullptr && (!page || size == kPageBytes)) {
    page.reset();
    return;
  }
  if (!page) {
    page = std::make_shared<Page>();
  } else if (page.use_count() > 1) {
    page = std::make_shared<Page>(*page);
  }
  const auto begin = page->begin() + static_cast<std::ptrdiff_t>(at);
  if (bytes == nullptr) {
    std::fill_n(begin, size, std::uint8_t{0});
  } else {
    std::copy_n(bytes, size, begin);
  }
}

std::size_t SparseFile::read(std::uint64_t offset, std::uint8_t* bytes, std::size_t size) const {
  if (offset >= size_) return 0;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - offset));
  for (std::size_t done = 0; done < count;) {
    const std::size_t at = (offset + done) % kPageBytes;
    const std::size_t part = std::min(count - done, kPageBytes - at);
    const std::shared_ptr<Page>& page = pages_[(offset + done) / kPageBytes];
    if (page) {
      std::copy_n(page->begin() + static_cast<std::ptrdiff_t>(at), part, bytes + done);
    } else {
      std::fill_n(bytes + done, part, std::uint8_t{0});
    }
    done += part;
  }
  return count;
}

}  // namespace furrow::sim
