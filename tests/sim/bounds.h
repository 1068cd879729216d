// What one gateway may take of memory and of its disk, checked by what lies there. Knows no more of furrow than what it
// promises; each bound has its reason beside it in bounds.cc.
//
//   queues    in memory: a front of fixed size, what is in flight, and what is not durable yet
//   journal   what is not durable yet: `commit_waiting`, and what those have sent who need not pause
//   logs      what SQLite keeps of a write-ahead log
//   files     in proportion to the most that had to be stored at a time, however much has passed through
//   kept      after a clean stop: no queue that has ended, no segment that all queues have settled
#pragma once

#include <cstdint>
#include <string>

#include "broker-core/session/journal.h"
#include "tests/sim/ledger.h"
#include "tests/sim/medium.h"
#include "tests/sim/options.h"

namespace furrow::sim {

class Bounds {
 public:
  Bounds(std::string name, const Options& options, Ledger& ledger);

  // The gateway starts: nothing is in memory.
  void start();
  // Bytes came to it; `awaited`: from somebody whose acknowledgements wait for the store.
  void note_taken(std::size_t bytes, bool awaited);
  // The gateway's turn ends, and it has decided whom to read from in the next.
  void check_memory(const broker::Journal& journal);
  void check_files(const Medium::Files& files);
  // The most that may be kept of what `journal`, which is idle, knows of; and whether `kept` is no more.
  static Medium::Kept most_kept(const broker::Journal& journal);
  void check_kept(const Medium::Kept& kept, const Medium::Kept& most);

  // The largest so far.
  struct Peaks {
    std::uint64_t queue_bytes = 0;   // of messages in one queue, wherever they lay
    std::uint64_t memory_bytes = 0;  // of those in memory, at most
    std::uint64_t file_bytes = 0;    // of the queue file
  };
  const Peaks& peaks() const { return peaks_; }

 private:
  void check_waiting(std::uint64_t bytes);
  void check_queue(const broker::Outbox& outbox, std::uint64_t waiting_bytes);
  void check(std::uint64_t found, std::uint64_t most, const char* what);

  // Constant after construction.
  const std::string name_;
  const std::uint64_t message_max_;     // bytes of a message
  const std::uint64_t window_max_;      // messages that may be in flight to anybody, or held back
  const std::uint64_t waiting_limit_;   // `commit_waiting`; 0 = none
  const std::uint64_t waiting_factor_;  // of bytes that came, to the most that they cost while they wait
  const std::uint64_t waiting_slack_;
  const std::uint64_t session_file_max_;
  Ledger& ledger_;

  std::uint64_t waiting_max_ = 0;  // what may wait for the store now
  std::uint64_t taken_ = 0;        // in this turn, from those who need not pause
  bool over_ = false;              // some must pause
  std::uint64_t stored_max_ = 0;   // the most that had to be stored at a time
  Peaks peaks_;
};

}  // namespace furrow::sim
