#include "gateway/cli/tar_archive.h"

#include <array>
#include <cstdio>
#include <cstring>

#include "broker-core/base/check.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kTarBlock = 512;

struct TarHeader {
  std::array<char, 100> name;
  std::array<char, 8> mode;
  std::array<char, 8> uid;
  std::array<char, 8> gid;
  std::array<char, 12> size;
  std::array<char, 12> mtime;
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link;
  std::array<char, 6> magic;
  std::array<char, 2> version;
  std::array<char, 247> rest;  // names of user and group, devices, a prefix of the name
};
static_assert(sizeof(TarHeader) == kTarBlock);

// As many octal digits as there is room for before the NUL.
template <std::size_t kSize>
void put_octal(std::array<char, kSize>& field, std::uint64_t number) {
  for (std::size_t i = kSize - 1; i-- > 0; number >>= 3U) field[i] = static_cast<char>('0' + (number & 7U));
}

}  // namespace

void TarArchive::add(std::string_view name, std::string_view content, std::int64_t mtime_s) {
  FURROW_CHECK(!name.empty() && name.size() <= std::tuple_size_v<decltype(TarHeader::name)>);
  TarHeader header{};
  std::memcpy(header.name.data(), name.data(), name.size());
  put_octal(header.mode, 0600);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, content.size());
  put_octal(header.mtime, mtime_s < 0 ? 0 : static_cast<std::uint64_t>(mtime_s));
  header.type = '0';
  std::memcpy(header.magic.data(), "ustar", 6);
  std::memcpy(header.version.data(), "00", 2);
  header.checksum.fill(' ');
  std::array<unsigned char, kTarBlock> bytes{};
  std::memcpy(bytes.data(), &header, kTarBlock);
  unsigned sum = 0;
  for (const unsigned char byte : bytes) sum += byte;
  std::snprintf(header.checksum.data(), header.checksum.size(), "%06o", sum);  // and a NUL, then a blank
  bytes_.append(reinterpret_cast<const char*>(&header), kTarBlock);
  bytes_ += content;
  bytes_.append((kTarBlock - content.size() % kTarBlock) % kTarBlock, '\0');
}

std::string TarArchive::finish() && {
  bytes_.append(2 * kTarBlock, '\0');
  return std::move(bytes_);
}

}  // namespace furrow::gateway
