#include "tests/sim/bounds.h"

#include <algorithm>
#include <utility>

#include "broker-core/session/outbox.h"

namespace furrow::sim {

using broker::Outbox;

namespace {

// A queue keeps a MiB in memory; only what does not fit leaves it. One message may lie across the border.
constexpr std::uint64_t kFrontBytesMax = 1 * MiB;
// What a client of MQTT 3.1.1, which says nothing, is taken to say: `limits.inflight`, and a bridge likewise.
constexpr std::uint64_t kWindowUnsaid = 100;
// Of a simulated client.
constexpr std::uint64_t kClientWindowMax = 20;
// Settled entries between those in flight go once they are the larger part (Outbox::compact); and no identifier is
// given further behind the oldest unanswered than four windows.
constexpr std::uint64_t kSettledMin = 64;
constexpr std::uint64_t kRangeFactor = 4;

// A log is moved into its file at 4 MiB, after the commit of at most 1 MiB that has made it so large; the one of the
// queues has 6 MiB from the start. What is longer is cut (journal_size_limit).
constexpr std::uint64_t kLogBytesMax = 8 * MiB;
// While a batch is written what it settles still lies beside what it brings.
constexpr std::uint64_t kBatchBytes = 1 * MiB;
// A page holds a part of a long row, or a few short ones: at worst half of it is used.
constexpr std::uint64_t kPageFactor = 2;
// Of a message in a segment of its own: its row, its directory, its stamp.
constexpr std::uint64_t kRowOverhead = 100;
// A segment is kept whole while a queue wants one of its messages.
constexpr std::uint64_t kSegmentBytes = 64 * KiB;
// Tables without rows, cursors, exchanges, and notes.
constexpr std::uint64_t kFileOverhead = 128 * KiB;
// A session with its subscriptions and its will.
constexpr std::uint64_t kSessionBytes = 1 * KiB;

// Of a PUBLISH beside its padding, at least: a small message costs several times the bytes that brought it.
constexpr std::uint64_t kPublishBytesMin = 20;

std::size_t clients(const Options& options) {
  return options.sensors + options.retainers + options.qos0_sensors + options.mortals + options.subscribers +
         options.members + options.passing_members + (options.shared ? 1 : 0) +
         (options.values > 0 ? 1 + options.readers : 0);
}

// What a bridge that thins may hold back, which is in flight in its queue: of each topic one message, and all that give
// way to messages that are not on disk yet.
std::uint64_t held_max(const Options& options) {
  return options.thins() ? clients(options) * options.messages : 0;
}

// What may wait for the store beside what clients send while they may: of each client the rest of a message whose
// beginning had come before, a will, and retained values for its subscription; what readers of the retained messages
// are sent; and what was refused and is taken now.
std::uint64_t waiting_slack(const Options& options) {
  const std::uint64_t taken = options.readers + (options.refuses() ? clients(options) : 0);
  return clients(options) * (2 + options.retainers) + taken * kClientWindowMax;
}

// The messages from the oldest that is not settled on.
std::uint64_t range(const Outbox& outbox) {
  if (outbox.contents().front().empty()) return outbox.messages();
  return outbox.next_sequence().value - outbox.contents().first_in_memory().value;
}

}  // namespace

Bounds::Bounds(std::string name, const Options& options, Ledger& ledger)
    : name_(std::move(name)),
      message_max_(options.message_bytes_max()),
      window_max_(std::max<std::uint64_t>(options.receive_maximum, kWindowUnsaid) + held_max(options)),
      waiting_limit_(options.commit_waiting_bytes),
      waiting_factor_(1 + (Options::kWaitingOverhead + options.padding) / (kPublishBytesMin + options.padding)),
      waiting_slack_(waiting_slack(options) * (message_max_ + Options::kWaitingOverhead)),
      session_file_max_(kPageFactor * (clients(options) * kSessionBytes +
                                       (options.retainers + options.values) * (message_max_ + kRowOverhead)) +
                        kFileOverhead),
      ledger_(ledger) {}

void Bounds::check(std::uint64_t found, std::uint64_t most, const char* what) {
  if (found <= most) return;
  ledger_.fail(name_ + ": " + std::to_string(found) + " " + what + ", where " + std::to_string(most) +
               " are the most that may be");
}

// --- memory ---

void Bounds::start() {
  waiting_max_ = waiting_limit_;
  taken_ = 0;
  over_ = false;
}

void Bounds::note_taken(std::size_t bytes, bool awaited) {
  if (!over_ || !awaited) taken_ += bytes;
}

void Bounds::check_memory(const broker::Journal& journal) {
  const std::uint64_t waiting_bytes = journal.waiting_bytes();
  check_waiting(waiting_bytes);
  std::uint64_t stored = 0;
  journal.for_each([&](const Outbox& outbox) {
    check_queue(outbox, waiting_bytes);
    stored += range(outbox) * (message_max_ + kRowOverhead) + kSegmentBytes;
    peaks_.queue_bytes = std::max(peaks_.queue_bytes, outbox.bytes());
  });
  stored_max_ = std::max(stored_max_, stored);
}

void Bounds::check_waiting(std::uint64_t bytes) {
  if (waiting_limit_ == 0) return;
  waiting_max_ += std::exchange(taken_, 0) * waiting_factor_;
  over_ = bytes > waiting_limit_;
  if (!over_) waiting_max_ = waiting_limit_;
  check(bytes, waiting_max_ + waiting_slack_, "bytes wait for the store");
}

void Bounds::check_queue(const Outbox& outbox, std::uint64_t waiting_bytes) {
  const Ring<Outbox::Entry>& front = outbox.contents().front();
  const Ring<Outbox::Entry>& tail = outbox.contents().tail();
  const std::size_t entries = front.size() + tail.size();
  const std::uint64_t entry_max = sizeof(Outbox::Entry) + sizeof(broker::Message) + message_max_;
  peaks_.memory_bytes = std::max(peaks_.memory_bytes, entries * entry_max);
  if (entries * entry_max <= kFrontBytesMax) return;
  std::uint64_t settled = 0;
  std::uint64_t front_bytes = 0;
  for (std::size_t i = 0; i < front.size(); ++i) {
    const Outbox::Entry& entry = front[i];
    settled += entry.state == broker::PagedQueue::State::Settled ? 1 : 0;
    if (entry.message) front_bytes += sizeof entry + entry.message->memory_bytes();
  }
  std::uint64_t tail_bytes = 0;
  for (std::size_t i = 0; i < tail.size(); ++i) tail_bytes += tail[i].message->bytes_size();
  check(outbox.inflight(), window_max_, "messages are in flight");
  check(settled, kRangeFactor * window_max_ + kSettledMin, "settled messages have places in a queue");
  check(front_bytes, kFrontBytesMax + (1 + window_max_) * entry_max, "bytes are at the front of a queue, in memory");
  check(tail_bytes, waiting_bytes, "bytes are at the tail of a queue, in memory");
}

// --- the disk ---

void Bounds::check_files(const Medium::Files& files) {
  peaks_.file_bytes = std::max(peaks_.file_bytes, files.queues);
  check(files.queues_log, kLogBytesMax, "bytes are in the log of the queues");
  check(files.sessions_log, kLogBytesMax, "bytes are in the log of the sessions");
  check(files.queues, kPageFactor * (stored_max_ + kBatchBytes + message_max_) + kFileOverhead,
        "bytes are in the file of the queues");
  check(files.sessions, session_file_max_, "bytes are in the file of the sessions");
}

Medium::Kept Bounds::most_kept(const broker::Journal& journal) {
  Medium::Kept most;
  journal.for_each([&](const Outbox& outbox) {
    const broker::CursorRow cursor = outbox.cursor(0, 0);
    ++most.queues;
    most.segments += cursor.next.value - 1 - cursor.settled.value;
  });
  return most;
}

void Bounds::check_kept(const Medium::Kept& kept, const Medium::Kept& most) {
  check(kept.queues, most.queues, "queues are stored");
  check(kept.segments, most.segments, "segments are stored");
}

}  // namespace furrow::sim
