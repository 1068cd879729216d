// A SQLite VFS whose files live in memory, on a disk that loses its power.
//
// What is written lies in the page cache; a sync makes what was written to that file durable, in that order of events.
// In a power cut each write since the file's last sync is, by itself, kept, lost, or torn at a block of 512 bytes or of
// 4 KiB: a disk writes in any order, and ends in the middle. The same goes for truncations. A name is durable from the
// first sync of its file on, and its removal at once, as on a journalling file system.
// A sync that fails leaves some of it on the disk, and the rest in the page cache as if it were there too: a kernel
// takes what it could not write for clean. fail_after() lets the machine go on for so many operations more and then
// fails everything, so that the middle of a commit, of a checkpoint, and of recovery can be cut.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/random.h"
#include "tests/sim/sparse_file.h"

namespace furrow::sim {

class SimVfs {
 public:
  explicit SimVfs(Random& random);
  // REQUIRES: every connection that uses it is closed.
  ~SimVfs();
  SimVfs(const SimVfs&) = delete;
  SimVfs& operator=(const SimVfs&) = delete;

  const std::string& name() const { return name_; }

  // The machine fails after `operations` more writes, truncations and syncs.
  void fail_after(std::uint64_t operations) { operations_left_ = operations; }
  bool failed() const { return operations_left_ == 0; }
  // The process is gone; what it wrote is in the page cache. Ends a failure that was armed.
  void kill();
  // The machine is gone. REQUIRES: every connection is closed.
  void cut_power();

  // Syncs fail from now on, or no longer.
  void fail_syncs(bool fail) { syncs_fail_ = fail; }

  // No file grows once all of them together have so many bytes; 0 = no limit.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  std::uint64_t bytes() const;
  // Of one file; 0 when there is none.
  std::uint64_t bytes_of(const std::string& path) const;
  std::uint64_t syncs() const { return syncs_; }

 private:
  // What has happened to a file since its last sync.
  struct Change {
    std::uint64_t offset = 0;
    std::size_t size = 0;
    bool truncates = false;           // to `offset`
    std::vector<std::uint8_t> bytes;  // none where all are zeros

    // Its bytes from a place in the file on; nullptr for zeros.
    const std::uint8_t* at(std::uint64_t place) const {
      return bytes.empty() ? nullptr : bytes.data() + (place - offset);
    }
    void apply_to(SparseFile& file) const {
      if (truncates) {
        file.resize(offset);
      } else {
        file.write(offset, at(offset), size);
      }
    }
  };
  struct Data {
    SparseFile durable;
    SparseFile cached;  // what the process sees
    std::vector<Change> changes;
    bool named = false;  // whether its name is durable
  };
  struct Vfs : sqlite3_vfs {
    SimVfs* self;
  };
  struct File : sqlite3_file {
    SimVfs* self;
    Data* data;
  };

  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out);
  static const sqlite3_io_methods* methods();
  static Data& data_of(sqlite3_file* file) { return *static_cast<File*>(file)->data; }
  static SimVfs& self_of(sqlite3_file* file) { return *static_cast<File*>(file)->self; }

  // Counts one operation; false when the machine has failed.
  bool operate();
  int write(Data& data, const void* bytes, std::size_t size, std::uint64_t offset);
  int truncate(Data& data, std::uint64_t size);
  int sync(Data& data);
  // Of what has changed since the last sync some reaches the disk.
  void tear(Data& data);

  Random& random_;
  const std::string name_;
  Vfs vfs_{};
  std::map<std::string, std::unique_ptr<Data>> files_;
  std::optional<std::uint64_t> operations_left_;
  bool syncs_fail_ = false;
  std::uint64_t capacity_ = 0;
  std::uint64_t syncs_ = 0;
};

}  // namespace furrow::sim
