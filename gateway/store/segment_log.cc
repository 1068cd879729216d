#include "gateway/store/segment_log.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "gateway/store/crc32c.h"

namespace furrow::gateway {
namespace {

using broker::DirectoryEntry;
using broker::Page;
using broker::SegmentRow;

// A stretch is read and rewritten while commits wait.
constexpr std::size_t kStretchSegmentsMax = 256;
constexpr std::uint64_t kStretchBytesMax = 512 * KiB;

constexpr Sequence kEverything{std::numeric_limits<std::uint64_t>::max()};

std::uint32_t head_crc(SegmentId id, ByteView directory) {
  std::array<std::uint8_t, 8> number{};
  for (std::size_t i = 0; i < number.size(); ++i) number[i] = static_cast<std::uint8_t>(id.value >> (8 * i));
  return crc32c(crc32c(0, number), directory);
}

}  // namespace

std::uint64_t segment_checks(SegmentId id, ByteView directory, ByteView records) {
  const std::uint32_t head = head_crc(id, directory);
  return std::uint64_t{head} << 32U | crc32c(head, records);
}

const DirectoryEntry* SegmentWalk::Head::entry_of(QueueId queue) const {
  const auto found = std::ranges::find(directory, queue, &DirectoryEntry::queue);
  return found == directory.end() ? nullptr : &*found;
}

Result<SegmentWalk> SegmentWalk::prepare(Database& database) {
  SegmentWalk walk;
  // Records that fit on the page of their row come along: a log of small flushes is read in one pass.
  FURROW_TRY(walk.rows_, RowWalk::prepare(database, "segment", "id",
                                          "checks, directory, messages, "
                                          "CASE WHEN length(records) <= 700 THEN records END, length(records)"));
  FURROW_TRY(walk.fetch_, database.prepare("SELECT messages, checks, directory, records FROM segment WHERE id = ?1"));
  return walk;
}

bool SegmentWalk::next(Head& head) {
  const RowWalk::Step step = rows_.next();
  if (step == RowWalk::Step::End) return false;
  head.id = SegmentId{rows_.key()};
  head.readable = step == RowWalk::Step::Row;
  head.intact = false;
  head.directory.clear();
  if (!head.readable) return true;
  const std::uint64_t checks = rows_.row().number(1);
  const ByteView directory = rows_.row().blob(2);
  head.bytes = directory.size() + rows_.row().number(5);
  head.messages = rows_.row().number(3);
  head.intact = head_crc(head.id, directory) == checks >> 32U && broker::parse_directory(directory, head.directory);
  return true;
}

void SegmentWalk::skip_io_errors(bool skip) {
  skips_io_errors_ = skip;
  rows_.skip_io_errors(skip);
}

std::optional<SegmentRow> SegmentWalk::fetch(const Head& head) {
  const SegmentId id = head.id;
  if (const ByteView small = rows_.row().blob(4); !small.empty()) {
    const ByteView directory = rows_.row().blob(2);
    if (segment_checks(id, directory, small) != rows_.row().number(1)) return std::nullopt;
    return SegmentRow{.id = id,
                      .messages = static_cast<std::uint32_t>(rows_.row().number(3)),
                      .directory = broker::copy_of(directory),
                      .records = broker::copy_of(small)};
  }
  const StatementScope scope(fetch_);
  fetch_.bind(1, id.value);
  Result<bool> found = fetch_.step();
  if (!found) {
    if (!skips_io_errors_ && found.error().code() != Errc::Corrupt) fetched_ = std::move(found).error();
    return std::nullopt;
  }
  if (!*found) return std::nullopt;
  const ByteView directory = fetch_.blob(2);
  const ByteView records = fetch_.blob(3);
  if (segment_checks(id, directory, records) != fetch_.number(1)) return std::nullopt;
  return SegmentRow{.id = id,
                    .messages = static_cast<std::uint32_t>(fetch_.number(0)),
                    .directory = broker::copy_of(directory),
                    .records = broker::copy_of(records)};
}

Result<SegmentLog> SegmentLog::open(Database& database) {
  SegmentLog log;
  FURROW_TRY(log.walk_, SegmentWalk::prepare(database));
  log.skip_io_errors(false);
  FURROW_TRY(log.insert_, database.prepare("INSERT INTO segment(id, messages, checks, directory, records) "
                                           "VALUES(?1, ?2, ?3, ?4, ?5)"));
  FURROW_TRY(log.delete_, database.prepare("DELETE FROM segment WHERE id BETWEEN ?1 AND ?2"));
  FURROW_TRY(log.last_segment_.value, database.query_number("SELECT max(id) FROM segment"));
  return log;
}

void SegmentLog::restore_queue(QueueId queue, const Marks& marks) {
  queues_[queue.value] = {.marks = marks};
  // A salvaged log may have lost its end; its ids must not come back within a queue's marks.
  last_segment_ = std::max(last_segment_, marks.last);
}

const SegmentLog::Marks* SegmentLog::find(QueueId queue) const {
  const auto found = queues_.find(queue.value);
  return found == queues_.end() ? nullptr : &found->second.marks;
}

SegmentLog::Entry* SegmentLog::change(QueueId queue) {
  const auto found = queues_.find(queue.value);
  if (found == queues_.end()) return nullptr;
  Entry& entry = found.value();
  if (!entry.changed) changes_.push_back({queue, entry.marks});
  entry.changed = true;
  return &entry;
}

void SegmentLog::create_queue(QueueId queue) {
  if (!queues_.try_emplace(queue.value, Entry{.marks = {}, .changed = true}).second) return;
  changes_.push_back({queue, std::nullopt});
}

void SegmentLog::settle(QueueId queue, Sequence settled) {
  const Marks* marks = find(queue);
  FURROW_CHECK(marks != nullptr);
  if (settled <= marks->settled) return;
  Entry& entry = *change(queue);
  entry.marks.settled = settled;
  if (entry.marks.first) moved_.push_back(queue);
}

void SegmentLog::remove_queue(QueueId queue) {
  if (find(queue) == nullptr) return;
  settle(queue, kEverything);
  change(queue)->removed = true;
}

bool SegmentLog::is_needed(const DirectoryEntry& entry) const {
  const Marks* marks = find(entry.queue);
  return marks != nullptr && entry.last > marks->settled;
}

Status SegmentLog::insert(const SegmentRow& segment) {
  std::vector<DirectoryEntry> directory;
  const bool parsed = broker::parse_directory(segment.directory, directory);
  FURROW_CHECK(parsed);
  last_segment_ = std::max(last_segment_, segment.id);
  std::erase_if(directory, [this](const DirectoryEntry& entry) { return !is_needed(entry); });
  if (directory.empty()) return {};

  FURROW_TRY_STATUS(write(segment));
  for (const DirectoryEntry& needed : directory) {
    Marks& marks = change(needed.queue)->marks;
    if (!marks.first) marks.first = segment.id;
    marks.last = segment.id;
  }
  return {};
}

Status SegmentLog::write(const SegmentRow& segment) {
  insert_.bind(1, segment.id.value);
  insert_.bind(2, std::uint64_t{segment.messages});
  insert_.bind(3, segment_checks(segment.id, segment.directory, segment.records));
  insert_.bind(4, ByteView(segment.directory));
  insert_.bind(5, ByteView(segment.records));
  return insert_.run();
}

// One sweep. Queues join when the walk reaches their first mark and leave at the first segment they still need, or
// behind their last mark. Where no queue is followed, the walk jumps to the first mark of the next one.
class SegmentLog::Sweep {
 public:
  explicit Sweep(SegmentLog& log) : log_(log) {
    std::ranges::sort(log_.moved_, {}, [this](QueueId queue) { return std::pair(marks(queue).first, queue); });
    // Settled further and then removed, a queue comes twice.
    log_.moved_.erase(std::unique(log_.moved_.begin(), log_.moved_.end()), log_.moved_.end());
  }

  Status run() {
    while (next_ < log_.moved_.size()) {
      log_.walk_.start(marks(log_.moved_[next_]).first, log_.last_segment_);
      sweep_stretch();
      log_.walk_.stop();
      FURROW_TRY_STATUS(log_.walk_.status());
    }
    for (const Run& run : dead_) FURROW_TRY_STATUS(log_.erase(run.first, run.last));
    // A segment with a damaged directory may belong to any queue: it goes when no queue's marks enclose it.
    for (const SegmentId id : damaged_) {
      if (!log_.is_within_marks(id)) FURROW_TRY_STATUS(log_.erase(id, id));
    }
    return {};
  }

 private:
  const Marks& marks(QueueId queue) const { return *log_.find(queue); }

  void join(SegmentId position) {
    for (; next_ < log_.moved_.size() && marks(log_.moved_[next_]).first <= position; ++next_) {
      Entry& entry = *log_.change(log_.moved_[next_]);
      entry.followed = true;
      followed_.push_back(log_.moved_[next_]);
      ++followed_count_;
      horizon_ = std::max(horizon_, entry.marks.last);
    }
  }

  void leave(Entry& entry, SegmentId first) {
    entry.marks.first = first;
    if (!first) entry.marks.last = {};
    entry.followed = false;
    --followed_count_;
  }

  void sweep_stretch() {
    SegmentWalk::Head head;
    run_open_ = false;
    join(marks(log_.moved_[next_]).first);
    while (followed_count_ > 0 && log_.walk_.next(head)) {
      if (head.id > horizon_) break;
      join(head.id);
      if (head.intact && !pass(head)) {
        bury(head.id);
        continue;
      }
      run_open_ = false;
      if (head.readable && !head.intact) damaged_.push_back(head.id);
    }
    // A queue that is still followed here has nothing stored any more.
    for (const QueueId queue : followed_) {
      if (Entry& entry = *log_.change(queue); entry.followed) leave(entry, {});
    }
    followed_.clear();
    horizon_ = {};
  }

  // Whether somebody needs the segment.
  bool pass(const SegmentWalk::Head& head) {
    bool needed = false;
    for (const DirectoryEntry& part : head.directory) {
      const auto found = log_.queues_.find(part.queue.value);
      if (found == log_.queues_.end()) continue;
      Entry& entry = found.value();
      const bool needs_it = part.last > entry.marks.settled;
      needed = needed || needs_it;
      if (!entry.followed) continue;
      if (needs_it) {
        leave(entry, head.id);
      } else if (entry.marks.last <= head.id) {
        leave(entry, {});
      }
    }
    return needed;
  }

  // Goes with those before it, as long as none between them stays.
  void bury(SegmentId id) {
    if (!run_open_) dead_.push_back({id, id});
    dead_.back().last = id;
    run_open_ = true;
  }

  struct Run {
    SegmentId first;
    SegmentId last;
  };

  SegmentLog& log_;
  std::size_t next_ = 0;  // in moved_: the first queue that has not joined
  std::vector<QueueId> followed_;
  std::size_t followed_count_ = 0;  // of them, not yet left
  SegmentId horizon_;               // the furthest last mark of those that joined
  std::vector<Run> dead_;
  bool run_open_ = false;  // the last of dead_ may go on
  std::vector<SegmentId> damaged_;
};

Status SegmentLog::sweep() {
  if (moved_.empty()) return {};
  return Sweep(*this).run();
}

bool SegmentLog::is_within_marks(SegmentId id) const {
  return std::ranges::any_of(queues_, [id](const auto& queue) {
    const Marks& marks = queue.second.marks;
    return marks.first && marks.first <= id && id <= marks.last;
  });
}

Status SegmentLog::erase(SegmentId first, SegmentId last) {
  delete_.bind(1, first.value);
  delete_.bind(2, last.value);
  return delete_.run();
}

std::vector<QueueId> SegmentLog::changed_queues() const {
  std::vector<QueueId> queues;
  for (const Change& change : changes_) {
    if (!queues_.find(change.queue.value)->second.removed) queues.push_back(change.queue);
  }
  return queues;
}

void SegmentLog::keep() {
  for (const Change& change : changes_) {
    const auto found = queues_.find(change.queue.value);
    if (found->second.removed) {
      queues_.erase(found);
    } else {
      found.value().changed = false;
    }
  }
  changes_.clear();
  moved_.clear();
}

void SegmentLog::undo() {
  for (const Change& change : changes_) {
    if (change.before) {
      queues_[change.queue.value] = {.marks = *change.before};
    } else {
      queues_.erase(change.queue.value);
    }
  }
  changes_.clear();
  moved_.clear();
}

Result<Page> SegmentLog::read(const broker::ReadRequest& request) {
  Page page{.number = request.number, .queue = request.queue, .segments = {}, .last = request.after, .end = true};
  const Marks* marks = find(request.queue);
  if (marks == nullptr || !marks->first) return page;
  walk_.start(std::max(marks->first, SegmentId{request.after.value + 1}), marks->last);
  std::size_t bytes = 0;
  for (SegmentWalk::Head head; walk_.next(head);) {
    page.last = head.id;
    if (!head.intact) {
      ++page.damaged;
      continue;
    }
    const DirectoryEntry* entry = head.entry_of(request.queue);
    if (entry == nullptr || entry->last < request.from) continue;
    std::optional<SegmentRow> segment = walk_.fetch(head);
    if (!walk_.status()) break;
    if (!segment) {
      ++page.damaged;
      continue;
    }
    bytes += segment->directory.size() + segment->records.size();
    page.segments.push_back(*std::move(segment));
    if (bytes < request.bytes_max || head.id == marks->last) continue;
    page.end = false;
    break;
  }
  walk_.stop();
  FURROW_TRY_STATUS(walk_.status());
  return page;
}

Result<SegmentLog::Stretch> SegmentLog::survey(SegmentId after, SegmentId until, const Wanted& wanted,
                                               std::uint64_t wanted_max) {
  Stretch stretch;
  walk_.start(SegmentId{after.value + 1}, until);
  SegmentWalk::Head head;
  bool more = walk_.next(head);
  for (; more && head.intact && stretch.segments < kStretchSegmentsMax && stretch.bytes < kStretchBytesMax &&
         stretch.bytes_wanted < wanted_max;
       more = walk_.next(head)) {
    if (stretch.segments++ == 0) stretch.first = head.id;
    stretch.last = head.id;
    stretch.bytes += head.bytes;
    std::uint64_t left = 0;
    for (const DirectoryEntry& entry : head.directory) left += wanted.count(entry);
    stretch.bytes_wanted += head.bytes * std::min(left, head.messages) / std::max<std::uint64_t>(head.messages, 1);
  }
  if (more && stretch.segments == 0) stretch.first = stretch.last = head.id;
  stretch.at_end = !more;
  walk_.stop();
  FURROW_TRY_STATUS(walk_.status());
  return stretch;
}

Result<SegmentId> SegmentLog::merge(const Stretch& stretch, const Wanted& wanted) {
  broker::SegmentMerge merged;
  SegmentId last;
  walk_.start(stretch.first, stretch.last);
  for (SegmentWalk::Head head; walk_.next(head);) {
    const std::optional<SegmentRow> segment = walk_.fetch(head);
    if (!segment || !merged.add(*segment, wanted.is_wanted)) break;
    last = head.id;
  }
  walk_.stop();
  FURROW_TRY_STATUS(walk_.status());
  // The first cannot be read: past it.
  if (!last) return stretch.first;
  FURROW_TRY_STATUS(erase(stretch.first, last));
  if (!merged.empty()) FURROW_TRY_STATUS(write(merged.finish(last)));
  move_marks(stretch.first, last);
  return last;
}

// All that lay in segments `first` to `last` lies in `last` now.
void SegmentLog::move_marks(SegmentId first, SegmentId last) {
  const auto moves = [&](SegmentId mark) { return first <= mark && mark < last; };
  std::vector<QueueId> moved;
  for (const auto& [queue, entry] : queues_) {
    if (moves(entry.marks.first) || moves(entry.marks.last)) moved.push_back(QueueId{queue});
  }
  for (const QueueId queue : moved) {
    Marks& marks = change(queue)->marks;
    if (moves(marks.first)) marks.first = last;
    if (moves(marks.last)) marks.last = last;
  }
}

}  // namespace furrow::gateway
