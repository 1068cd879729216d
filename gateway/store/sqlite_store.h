// The durable store: executes batches of rows on two SQLite files, finds them again at start, reads segments back.
//
// Owns the data directory (locked), the connections and their statements. Synchronous: gateway/store_thread puts a
// thread around it. Knows neither clock nor MQTT. Thread: any, one at a time; `log` must allow that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "broker-core/store.h"
#include "gateway/store/data_directory.h"
#include "gateway/store/disk_room.h"
#include "gateway/store/queue_file.h"
#include "gateway/store/salvage.h"
#include "gateway/store/session_file.h"
#include "gateway/store/store_vfs.h"

namespace furrow::gateway {

struct StoreOptions {
  std::string directory;
  // A SQLite VFS registered by the caller (the simulator); empty: SQLite's own. With one, the directory is the caller's
  // business: not made, not locked, and a damaged file is an error rather than salvaged.
  std::string vfs;
  std::uint32_t page_bytes = 1024;  // of new files
  // `store.disk_reserve`: the queue file does not grow into it, so batches with new messages get Errc::NoSpace, unless
  // they fit where others were. Batches without go on, so that queues can drain. Sessions and retained messages, which
  // have limits of their own, may use it.
  std::uint64_t disk_reserve = 0;
  // Says how many bytes the file system has free; empty: the store asks it, or has no limit on a VFS of the caller's.
  std::function<std::uint64_t()> free_bytes = {};
  WallTime now{};  // names files that are moved aside
  LogTidy::Options tidy = {};
};

class SqliteStore {
 public:
  // Makes the directory if need be, locks it, opens both files. Files that are damaged are moved aside and salvaged.
  static Result<std::unique_ptr<SqliteStore>> open(const StoreOptions& options, Log& log);

  // Everything but the segments; memory and time do not depend on their number.
  Result<broker::Restored> restore();

  // Executes the batch, all or nothing per file, in the order that broker-core/store.h gives. After an error the caller
  // repeats the same batch: its steps that are durable are not done twice. Errc::Corrupt: the repetition salvages
  // first. Errc::NoSpace: the medium is full, or the reserve is reached. REQUIRES: each queue of a cursor exists;
  // messages stored for a queue come with its cursor.
  Status commit(const broker::Batch& batch);

  // A page of the queue's durable segments. Damaged ones are skipped and counted; so are those that the medium still
  // fails to read after several calls, each of which answers Errc::Io, while the rest of it can be read and written.
  Result<broker::Page> read(const broker::ReadRequest& request);

  // Whether the last batch failed whole, and need not be repeated: nothing of it is durable, but for retained messages,
  // which may be written twice.
  bool is_untouched() const { return progress_.step == Step::Retained || progress_.step == Step::Queues; }

  // Writes a row, to see whether the medium takes writes.
  Status probe();
  // Measures the free space. Call now and then; commit() does so by itself.
  void measure_room();
  // Keeps the log of segments small (LogTidy): one step, of half a MiB at most. True when there may be more to do. Call
  // when there is no other work.
  Result<bool> tidy();
  // Makes the queue file small again when it is large and almost empty, which takes no longer than a few commits. Call
  // when nothing has been written for a while: a queue that still drains would soon need the room again.
  Status compact();
  broker::StoreHealth health() const;

  // Small notes of the gateway's own (its id), apart from batches.
  // Puts ids aside at a start, for messages of the first moments: those of `ids` may be given when it succeeds. None
  // where none were given before.
  Status put_ids_aside(broker::OwnIds& ids, std::uint64_t count);
  Result<std::optional<std::string>> meta(std::string_view key);
  Status set_meta(std::string_view key, std::string_view value);

 private:
  // The step that the batch has reached.
  enum class Step : std::uint8_t { Retained, Queues, Sessions, Removals, Done };
  struct Progress {
    BatchNumber batch;
    Step step = Step::Done;
  };

  SqliteStore(const StoreOptions& options, Log& log) : options_(options), log_(log) {}
  DatabaseOptions database_options(const std::string& file) const;
  void find_room();
  Status open_files();
  // Moves the content of the write-ahead log into the file.
  Status empty_log(Database& database);
  template <typename File>
  Status open_file(std::unique_ptr<File>& file);
  // Opens `file` again if it was found damaged.
  template <typename File>
  Status require(std::unique_ptr<File>& file);
  // REQUIRES: directory_.
  template <typename File>
  Status salvage_file(std::unique_ptr<File>& file);
  template <typename File>
  Result<SalvageReport> fill_salvage();
  // Whether a file that does not open with `error` may be salvaged. REQUIRES: it is closed.
  template <typename File>
  bool is_damaged(const Error& error) const;
  // Closes `file` if that is what `status` asks for and it may be salvaged.
  template <typename File>
  void look_for_damage(const Status& status, std::unique_ptr<File>& file);
  template <typename File, typename Work>
  Status execute(std::unique_ptr<File>& file, Work work);
  Status read_rows(broker::Restored& restored);
  // Closes `file` if `status` says that its rows cannot be read and it may be salvaged; returns `status`.
  template <typename File>
  Status look_at_rows(Status status, std::unique_ptr<File>& file);
  // Whether, after this many failures in a row, places that cannot be read count as damaged.
  bool has_bad_sectors(unsigned failures) const;
  Status take_step(const broker::Batch& batch);
  Status commit_queues(const broker::Batch& batch, std::span<const QueueId> removed);
  // Lets the queue file grow by no more than new messages may.
  Status keep_reserve(Database& database);

  // Constant after open().
  const StoreOptions options_;
  Log& log_;
  std::optional<DataDirectory> directory_;  // none with a VFS of the caller's
  std::unique_ptr<StoreVfs> vfs_;
  DiskRoom room_;
  // nullptr: damaged, to be salvaged before the next use.
  std::unique_ptr<QueueFile> queues_;
  std::unique_ptr<SessionFile> sessions_;
  // Changes with commit().
  Progress progress_;
  std::uint64_t commits_ = 0;
  unsigned salvages_ = 0;
  // Failures of the medium in a row. Reads are counted for each queue, as others go on meanwhile; success ends an
  // entry.
  unsigned commit_failures_ = 0;
  std::unordered_map<QueueId, unsigned> read_failures_;
  // The log says once that segments are damaged: each queue that wants one would find it anew, with each read.
  bool damage_reported_ = false;
};

// The state that an error of the store is shown as.
broker::StoreState store_state(Errc code);

}  // namespace furrow::gateway
