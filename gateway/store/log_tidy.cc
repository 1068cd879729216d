#include "gateway/store/log_tidy.h"

#include <algorithm>

namespace furrow::gateway {

using broker::DirectoryEntry;
using broker::Hole;
using Stretch = SegmentLog::Stretch;

namespace {

// Bytes of a message in a segment beside its payload and its topic, which is not written for each.
constexpr std::uint64_t kRecordOverhead = 16;

// Merged segments are as large as those of a flush.
constexpr std::uint64_t kMergedBytes = 64 * KiB;
// Those of small flushes stay small: a damaged segment costs all its messages.
constexpr std::uint64_t kSmallMergedBytes = 8 * KiB;

bool has_waste(const Stretch& stretch, const LogTidy::Options& options) {
  return stretch.bytes >= 2 * stretch.bytes_wanted && stretch.bytes - stretch.bytes_wanted >= options.waste_min;
}

}  // namespace

Result<LogTidy> LogTidy::prepare(Database& database, SegmentId last) {
  LogTidy tidy;
  tidy.database_ = &database;
  tidy.small_at_ = last;
  FURROW_TRY(tidy.read_holes_, database.prepare("SELECT settled, holes FROM cursor WHERE queue = ?1"));
  return tidy;
}

Result<std::optional<Stretch>> LogTidy::next(SegmentLog& log, const Options& options) {
  holes_.clear();
  if (!pass_end_ && commits_ >= options.commits_between) FURROW_TRY_STATUS(look_for_waste(log, options));
  if (pass_end_) {
    FURROW_TRY(const Stretch stretch, log.survey(pass_at_, pass_end_, wanted(log), kMergedBytes));
    if (stretch.segments > 0 && has_waste(stretch, options)) return std::optional(stretch);
    if (stretch.at_end) {
      pass_end_ = {};
      FURROW_TRY(in_use_, database_->used_bytes());
    } else {
      pass_at_ = stretch.last;
    }
    return std::optional<Stretch>();
  }
  const SegmentId last = log.last_segment();
  small_look_ = std::max(small_look_, SegmentId{small_at_.value + options.small_segments});
  if (small_look_ > last) return std::optional<Stretch>();
  FURROW_TRY(const Stretch stretch, log.survey(small_at_, last, wanted(log), kSmallMergedBytes));
  if (stretch.segments >= options.small_segments) return std::optional(stretch);
  if (stretch.at_end) {
    small_look_ = SegmentId{last.value + options.small_segments};
  } else {
    small_at_ = stretch.last;
  }
  return std::optional<Stretch>();
}

void LogTidy::done(SegmentId reached) {
  (pass_end_ ? pass_at_ : small_at_) = reached;
}

void LogTidy::failed() {
  pass_end_ = {};
  small_look_ = SegmentId{small_look_.value + 1};
}

// The next pass could not make smaller what the last one could not: it waits until half as much again is in use.
Status LogTidy::look_for_waste(SegmentLog& log, const Options& options) {
  commits_ = 0;
  FURROW_TRY(const std::uint64_t in_use, database_->used_bytes());
  in_use_ = std::min(in_use_, in_use);
  if (in_use <= std::max(options.in_use_min, in_use_ + in_use_ / 2)) return {};
  FURROW_TRY(const std::uint64_t wanted_bytes,
             database_->query_number("SELECT coalesce(sum(bytes + messages * " + std::to_string(kRecordOverhead) +
                                     "), 0) FROM cursor"));
  if (in_use < 2 * wanted_bytes) return {};
  pass_at_ = {};
  pass_end_ = log.last_segment();
  return {};
}

std::span<const Hole> LogTidy::holes_of(QueueId queue) {
  const auto [place, is_new] = holes_.try_emplace(queue.value);
  if (!is_new) return place->second;
  const StatementScope scope(read_holes_);
  read_holes_.bind(1, queue.value);
  // Where it cannot be read, nothing is known to be settled out of order.
  const Result<bool> row = read_holes_.step();
  if (row && *row) place.value() = broker::decode_holes(Sequence{read_holes_.number(0)}, read_holes_.blob(1));
  return place->second;
}

SegmentLog::Wanted LogTidy::wanted(const SegmentLog& log) {
  const auto is_wanted = [this, &log](QueueId queue, Sequence sequence) {
    const SegmentLog::Marks* marks = log.find(queue);
    return marks != nullptr && sequence > marks->settled && !broker::is_in_hole(holes_of(queue), sequence);
  };
  const auto count = [this, &log](const DirectoryEntry& entry) -> std::uint64_t {
    const SegmentLog::Marks* marks = log.find(entry.queue);
    if (marks == nullptr || entry.last <= marks->settled) return 0;
    const std::uint64_t first = std::max(entry.first.value, marks->settled.value + 1);
    std::uint64_t left = entry.last.value - first + 1;
    for (const Hole& hole : holes_of(entry.queue)) {
      const std::uint64_t begin = std::max(hole.first.value, first);
      const std::uint64_t end = std::min(hole.end.value, entry.last.value + 1);
      if (begin < end) left -= end - begin;
    }
    return std::min(left, entry.messages);
  };
  return {count, is_wanted};
}

}  // namespace furrow::gateway
