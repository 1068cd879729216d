// The bytes of a file in memory, in pages that copies share until one of them is written to; where nothing but zeros
// was written there is no page. So a log of many MiB that is all zeros yet, and a copy of a large file, cost next to
// nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace furrow::sim {

class SparseFile {
 public:
  std::uint64_t size() const { return size_; }
  // What is new reads as zeros.
  void resize(std::uint64_t size);
  // Grows the file where it must. `bytes`: nullptr for zeros.
  void write(std::uint64_t offset, const std::uint8_t* bytes, std::size_t size);
  // Reads what is there, and returns how much that is.
  std::size_t read(std::uint64_t offset, std::uint8_t* bytes, std::size_t size) const;

 private:
  static constexpr std::size_t kPageBytes = 4096;
  using Page = std::array<std::uint8_t, kPageBytes>;

  void write_page(std::shared_ptr<Page>& page, std::size_t at, const std::uint8_t* bytes, std::size_t size);

  std::uint64_t size_ = 0;
  std::vector<std::shared_ptr<Page>> pages_;
};

}  // namespace furrow::sim
