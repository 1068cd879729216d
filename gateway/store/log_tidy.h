// Decides which segments are rewritten as one: where a slow queue pins what all others have settled, and where each
// flush was of a few messages.
//
// Segments written since the start are watched: each time that enough of them are small, these become one. And when
// more than half of what the file has in use is wanted by no queue any more, a pass goes through the log from its
// start. A step looks at one stretch; between steps, memory has nothing but the places that they have reached. Thread:
// that of the database.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/session/hole.h"
#include "gateway/store/segment_log.h"
#include "gateway/store/sqlite.h"
#include "tsl/robin_map.h"

namespace furrow::gateway {

class LogTidy {
 public:
  struct Options {
    // This many segments with 8 KiB or less that is wanted become one.
    std::uint32_t small_segments = 64;
    // A file with less than this in use is not searched for waste.
    std::uint64_t in_use_min = 16 * MiB;
    // A larger one is searched each time that there have been this many commits.
    std::uint32_t commits_between = 256;
    // A stretch with less waste than this is not worth a commit.
    std::uint64_t waste_min = 16 * KiB;
  };

  LogTidy() = default;
  // Segments up to `last` were watched when they were written.
  static Result<LogTidy> prepare(Database& database, SegmentId last);

  void note_commit() { ++commits_; }

  // A stretch that is worth rewriting; call done() with the segment that the rewriting has reached, or failed().
  // Nothing when this step has found none; has_more() says whether to ask again at once.
  Result<std::optional<SegmentLog::Stretch>> next(SegmentLog& log, const Options& options);
  bool has_more(const SegmentLog& log) const { return pass_end_ || small_look_ <= log.last_segment(); }
  void done(SegmentId reached);
  // The file cannot be written to now: give the pass up.
  void failed();

  // Tells by their cursors what the queues want of a segment.
  SegmentLog::Wanted wanted(const SegmentLog& log);

 private:
  Status look_for_waste(SegmentLog& log, const Options& options);
  std::span<const broker::Hole> holes_of(QueueId queue);

  Database* database_ = nullptr;
  Statement read_holes_;
  tsl::robin_map<std::uint64_t, std::vector<broker::Hole>> holes_;  // of the step
  std::uint32_t commits_ = 0;                                       // since waste was looked for
  std::uint64_t in_use_ = 0;                                        // after the last pass
  SegmentId pass_at_;                                               // the pass has looked at everything up to here
  SegmentId pass_end_;                                              // 0: there is no pass
  SegmentId small_at_;                                              // as pass_at_, of what is watched
  SegmentId small_look_;                                            // not before there is this one
};

}  // namespace furrow::gateway
