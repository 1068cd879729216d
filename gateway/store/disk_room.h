// How much more the store may write to its file system, and what it does when others have filled it.
//
// The store's files may grow by what is free beyond the reserve. Others are not bound by that: so a ballast file of our
// own lies in the data directory, and goes when there is no room for even the write-ahead log. What it held lets the
// queues drain, and is never given to new messages. It comes back when there is room again.
// Thread: any, one at a time.
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
    // What the file system has left for us; empty: no limit is known, and there is no ballast.
    std::function<std::uint64_t()> free_bytes;
    std::string ballast;  // its path; empty: none
  };

  DiskRoom() = default;
  // Finds the ballast of the run before; keep_ballast() makes one.
  explicit DiskRoom(Options options);

  // What the file system has left; kUnlimited when nobody knows.
  std::uint64_t free_bytes() const { return options_.free_bytes ? options_.free_bytes() : kUnlimited; }
  // Bytes by which files may grow for new messages.
  std::uint64_t growth() const;
  // Measures again: full below kFullBelow bytes of room, until there is twice that. `reusable` tells what is free
  // inside the files; it is asked for when that matters.
  void measure(const std::function<std::uint64_t()>& reusable);
  bool is_full() const { return full_; }
  // For people: how much is free, and how much of it is kept.
  std::string reason() const;

  // Something could not be written for want of space. True when the ballast made some: try again.
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
