// What a disk has received.
#pragma once

#include <cstdint>
#include <string>

namespace furrow::load {

// What the block device that `folder` lies on has received so far, with all that waits for it written first: the file
// system's own bytes and those of whoever else writes there are in it. 0 where there is none (tmpfs).
//
// Not write_bytes of /proc/PID/io: that counts a folio of the page cache whole when any byte of it becomes dirty, which
// since Linux 6.16 may be megabytes on ext4, of which a block is written.
std::uint64_t block_device_bytes(const std::string& folder);

}  // namespace furrow::load
