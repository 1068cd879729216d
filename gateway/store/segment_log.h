// The segments on disk, and which of them are still needed.
//
// A segment is shared by many queues. Each queue keeps two marks, the first and the last segment that may have messages
// that it has not settled: no list of segments lies in memory, whatever the backlog. When queues settle further, one
// sweep walks from their first marks forward, past segments that they no longer need; a segment that no queue needs any
// more is erased. So each queue passes each segment of its stretch once, and a segment's directory is read once for all
// queues that move together.
//
// Changes happen inside a transaction of the caller's; keep() or undo() ends it for the marks. Thread: that of the
// database.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "broker-core/session/segment.h"
#include "broker-core/session/segment_merge.h"
#include "broker-core/store.h"
#include "gateway/store/row_walk.h"
#include "gateway/store/sqlite.h"
#include "tsl/robin_map.h"

namespace furrow::gateway {

// The two checksums of a segment in one number: that of id and directory (upper half), so that a directory can be
// trusted without reading the records, and that of id, directory and records (lower half).
std::uint64_t segment_checks(SegmentId id, ByteView directory, ByteView records);

// Reads stored segments in the order of their ids: all directories, and records where they are asked for.
class SegmentWalk {
 public:
  struct Head {
    SegmentId id;
    bool readable = false;       // its row can be read
    bool intact = false;         // its directory is what was written
    std::uint64_t bytes = 0;     // of its directory and records
    std::uint64_t messages = 0;  // each counts once, however many queues have it
    std::vector<broker::DirectoryEntry> directory;

    const broker::DirectoryEntry* entry_of(QueueId queue) const;
  };

  SegmentWalk() = default;
  static Result<SegmentWalk> prepare(Database& database);

  void start(SegmentId first, SegmentId last) {
    fetched_ = {};
    rows_.start(first.value, last.value);
  }
  // False at the end.
  bool next(Head& head);
  // As those of RowWalk; status() tells of fetch(), too.
  void skip_io_errors(bool skip);
  const Status& status() const { return fetched_ ? rows_.status() : fetched_; }
  // The whole segment of `head`, which next() gave last; empty when it is damaged, or cannot be read (see status()).
  std::optional<broker::SegmentRow> fetch(const Head& head);
  void stop() { rows_.stop(); }

 private:
  RowWalk rows_;
  Statement fetch_;
  Status fetched_;
  bool skips_io_errors_ = true;
};

class SegmentLog {
 public:
  struct Marks {
    Sequence settled;
    SegmentId first;  // 0: nothing is stored
    SegmentId last;

    // Ids are counted up from 1: a last mark beyond this is damage, and would be counted on from.
    static constexpr std::uint64_t kSegmentMax = std::uint64_t{1} << 62U;
    bool make_sense() const { return first <= last && last.value < kSegmentMax; }
  };

  SegmentLog() = default;
  static Result<SegmentLog> open(Database& database);

  // The marks of a queue as they were stored. For the start.
  void restore_queue(QueueId queue, const Marks& marks);

  // The ids of new segments must be larger.
  SegmentId last_segment() const { return last_segment_; }
  // nullptr: no such queue.
  const Marks* find(QueueId queue) const;

  // --- inside a transaction, in this order ---
  void create_queue(QueueId queue);  // one that is known stays as it is
  void settle(QueueId queue, Sequence settled);
  void remove_queue(QueueId queue);  // the queue needs nothing any more
  // Stores the segment unless every queue in it has settled it already.
  Status insert(const broker::SegmentRow& segment);
  // Takes away what is no longer needed.
  Status sweep();
  // Queues whose marks differ from before the transaction, but for removed ones.
  std::vector<QueueId> changed_queues() const;
  // The transaction is durable, or did not happen.
  void keep();
  void undo();

  Result<broker::Page> read(const broker::ReadRequest& request);

  // --- making it smaller ---
  // Tells which messages queues still want: an upper bound for the part of a queue in a segment, and each one.
  struct Wanted {
    std::function<std::uint64_t(const broker::DirectoryEntry&)> count;
    broker::SegmentMerge::Wanted is_wanted;
  };
  // Neighbouring segments, as many as are worth rewriting at once.
  struct Stretch {
    SegmentId first;
    SegmentId last;
    std::size_t segments = 0;
    std::uint64_t bytes = 0;
    std::uint64_t bytes_wanted = 0;  // an estimate, too high where messages are shared
    bool at_end = false;             // no segment lies behind it
  };
  // The stretch behind `after`, up to `until`, with about `wanted_max` bytes that are wanted at most. It ends before a
  // damaged segment; one right behind `after` comes alone, and counts as no segment.
  Result<Stretch> survey(SegmentId after, SegmentId until, const Wanted& wanted, std::uint64_t wanted_max);
  // Inside a transaction: makes one segment of the wanted messages of the stretch, under the id of the last, so that
  // queues that have been read up to somewhere between lose nothing. Stops before a segment that cannot be joined to
  // those before it, and returns the last that was.
  Result<SegmentId> merge(const Stretch& stretch, const Wanted& wanted);

  // With `skip`, segments that the medium fails to read count as damaged; else reading ends there with an error.
  void skip_io_errors(bool skip) { walk_.skip_io_errors(skip); }

 private:
  struct Entry {
    Marks marks;
    bool changed = false;   // in this transaction
    bool removed = false;   // in this transaction
    bool followed = false;  // the sweep is looking for its first mark
  };
  struct Change {
    QueueId queue;
    std::optional<Marks> before;  // empty: was not there
  };
  class Sweep;

  // The entry of `queue`, noted for undo(); nullptr when there is no such queue.
  Entry* change(QueueId queue);
  bool is_needed(const broker::DirectoryEntry& entry) const;
  bool is_within_marks(SegmentId id) const;
  Status write(const broker::SegmentRow& segment);
  Status erase(SegmentId first, SegmentId last);
  void move_marks(SegmentId first, SegmentId last);

  SegmentWalk walk_;
  Statement insert_;
  Statement delete_;
  SegmentId last_segment_;
  tsl::robin_map<std::uint64_t, Entry> queues_;
  // Of the transaction:
  std::vector<Change> changes_;
  std::vector<QueueId> moved_;  // settled further and with something stored
};

}  // namespace furrow::gateway
