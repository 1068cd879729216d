// How much more the store may write to its file system, and what it does when others have filled that.
//
// The store's files may grow by the bytes that are free beyond the reserve. Other programs are not bound by the
// reserve: so a ballast file of our own lies in the data directory, and is deleted when there is no room even for the
// write-ahead log. Its space lets the queues drain, and is never given to new messages. The ballast comes back when
// there is room. Thread: any, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "broker-core/base/bytes.h"
#include "broker-core/base/result.h"

namespace furrow::gateway {

class DiskRoom {
 public:
  // Twice what the write-ahead log takes between two checkpoints: one to write it, one to move it into the file.
  static constexpr std::uint64_t kBallastBytes = 8 * MiB;
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  struct Options {
    std::uint64_t reserve = 0;
    // The free bytes of the file system; empty: no limit is known, and there is no ballast.
    std::function<std::uint64_t()> free_bytes;
    std::string ballast;  // its path; empty: none
  };

  DiskRoom() = default;
  // Finds the ballast of the run before; keep_ballast() makes one.
  explicit DiskRoom(Options options);

  // The free bytes of the file system; kUnlimited when they are not known.
  std::uint64_t free_bytes() const { return options_.free_bytes ? options_.free_bytes() : kUnlimited; }
  // Bytes by which files may grow for new messages.
  std::uint64_t growth() const;
  // Measures again: full below kFullBelow bytes of room, until there is twice that. `reusable` says how many bytes are
  // free inside the files; it is called only where that matters.
  void measure(const std::function<std::uint64_t()>& reusable);
  bool is_full() const { return full_; }
  // For people: how much is free, and how much of it is kept.
  std::string reason() const;

  // A write failed for want of space. True when giving up the ballast has made some: try again.
  bool give_up_ballast();
  // Makes the ballast if it is missing and there is room for it.
  void keep_ballast();

 private:
  // A batch is at most 1 MiB of records; some are under way before a publisher hears of it.
  static constexpr std::uint64_t kFullBelow = 4 * MiB;

  bool has_ballast() const { return ballast_there_ || options_.ballast.empty(); }

  // Constant after construction.
  Options options_;
  // Changes with measure().
  bool full_ = false;
  // Changes with give_up_ballast(), keep_ballast().
  bool ballast_there_ = false;
};

}  // namespace furrow::gateway
