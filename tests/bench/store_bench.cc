// What a stored message costs: encoding it, committing it, reading it back, and finding it at start.
//
// `bytes/msg` are those handed to the file system, checkpoints included; `device/msg` those that the block device below
// TMPDIR received, with the file system's own, from whoever writes there. So numbers to compare come from a file system
// of their own:
//   truncate -s 3G /dev/shm/disk && mkfs.ext4 -q /dev/shm/disk && mount -o loop,noatime /dev/shm/disk /mnt
//   TMPDIR=/mnt store_bench --benchmark_filter='StoreAndDrain|StartWithBacklog'
//   TMPDIR=/dev/shm store_bench --benchmark_filter=DurableRate
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/session/segment.h"
#include "gateway/store/crc32c.h"
#include "gateway/store/sqlite_store.h"
#include "tests/bench/load/block_device.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/store_rows.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::MessageRef;
using broker::SegmentReader;
using broker::SegmentRow;
using broker::SegmentWriter;

constexpr QueueId kQueue{1};
constexpr std::size_t kTopics = 100;

std::vector<MessageRef> make_messages(std::size_t count, std::size_t payload_bytes) {
  std::vector<MessageRef> messages;
  const std::string payload(payload_bytes, '1');
  for (std::size_t i = 0; i < count; ++i) {
    const std::string topic = "farm/field-" + std::to_string(100 + i % kTopics) + "/soil/moisture";  // 28 bytes
    broker::Message::Fields fields;
    fields.topic = topic;
    fields.payload = as_bytes(payload);
    fields.received = kStamp.monotonic;
    messages.push_back(broker::Message::make(fields));
  }
  return messages;
}

SegmentRow make_segment(const std::vector<MessageRef>& messages, std::uint64_t id, std::uint64_t& sequence) {
  SegmentWriter writer(kStamp);
  broker::DeliveryOptions options;
  options.qos = mqtt::Qos::AtLeastOnce;
  for (const MessageRef& message : messages) {
    writer.add_message(*message, 1);
    writer.add_delivery(kQueue, Sequence{++sequence}, options);
  }
  return writer.finish(SegmentId{id});
}

// Time per message: argument 0 messages a segment, argument 1 bytes of payload.
void EncodeMessage(benchmark::State& state) {
  const auto messages =
      make_messages(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  std::uint64_t sequence = 0;
  for (auto _ : state) benchmark::DoNotOptimize(make_segment(messages, 1, sequence));
  state.counters["per_message"] =
      benchmark::Counter(static_cast<double>(sequence), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(EncodeMessage)->Args({1, 12})->Args({100, 12})->Args({1000, 12})->Args({200, 256});

void DecodeMessage(benchmark::State& state) {
  std::uint64_t sequence = 0;
  const SegmentRow row = make_segment(make_messages(1000, static_cast<std::size_t>(state.range(0))), 1, sequence);
  std::uint64_t count = 0;
  SegmentReader::Record record;
  for (auto _ : state) {
    SegmentReader reader(row.directory, row.records, kQueue, kStamp);
    while (reader.next(Sequence{1}, record)) ++count;
  }
  state.counters["per_message"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(DecodeMessage)->Arg(12)->Arg(256);

void Crc32c(benchmark::State& state) {
  const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(state.range(0)), 0x5A);
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(0, bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Crc32c)->Arg(64)->Arg(64 * 1024);

double cpu_seconds() {
  rusage usage{};
  FURROW_CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// A store in a directory of its own with one queue in it.
class Bench {
 public:
  explicit Bench(const std::string& vfs = "") : vfs_(vfs) {
    std::filesystem::create_directory(directory());
    open();
    Batch batch;
    batch.queues_created = {queue(kQueue.value)};
    commit(batch);
  }

  void open() {
    auto opened = SqliteStore::open({.directory = directory(), .vfs = vfs_}, log_);
    FURROW_CHECK(opened.has_value());
    store_ = *std::move(opened);
  }
  void close() { store_.reset(); }

  void commit(Batch& batch) {
    batch.number = BatchNumber{++batches_};
    const Status status = store_->commit(batch);
    FURROW_CHECK(status.has_value());
  }
  // One flush of `messages`.
  void flush(const std::vector<MessageRef>& messages) {
    Batch batch;
    batch.segments = {make_segment(messages, ++segment_, sequence_)};
    batch.cursors = {cursor(kQueue.value, settled_, sequence_ + 1)};
    commit(batch);
  }
  void settle(std::uint64_t up_to) {
    settled_ = up_to;
    Batch batch;
    batch.cursors = {cursor(kQueue.value, settled_, sequence_ + 1)};
    commit(batch);
  }
  broker::Page read(SegmentId after, std::size_t bytes_max = 1 * MiB) {
    auto page = store_->read({.queue = kQueue, .from = {settled_ + 1}, .after = after, .bytes_max = bytes_max});
    FURROW_CHECK(page.has_value());
    return *std::move(page);
  }

  std::string directory() const { return place_ / "data"; }
  SqliteStore& store() { return *store_; }
  std::uint64_t bytes_written() const { return store_->health().bytes_written; }
  std::uint64_t messages() const { return sequence_; }
  std::uint64_t& segment() { return segment_; }
  std::uint64_t& sequence() { return sequence_; }

 private:
  const TemporaryDirectory place_;
  const std::string vfs_;
  EventLog log_;
  std::unique_ptr<SqliteStore> store_;
  std::uint64_t batches_ = 0;
  std::uint64_t segment_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t settled_ = 0;
};

// Argument 0: messages a flush; argument 1: bytes of payload; argument 2: flushes, enough for several checkpoints. The
// link is down: everything is written and then, in `out`, settled 1,000 messages at a time.
void StoreAndDrain(benchmark::State& state) {
  const auto messages =
      make_messages(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    Bench bench;
    const std::uint64_t bytes_before = bench.bytes_written();
    const std::uint64_t device_before = load::block_device_bytes(bench.directory());
    const double cpu_before = cpu_seconds();
    for (std::int64_t i = 0; i < state.range(2); ++i) bench.flush(messages);
    const auto count = static_cast<double>(bench.messages());
    state.counters["cpu_s/M"] = (cpu_seconds() - cpu_before) / count * 1e6;
    const std::uint64_t bytes_in = bench.bytes_written();
    const std::uint64_t device_in = load::block_device_bytes(bench.directory());
    for (std::uint64_t up_to = 1000; up_to <= bench.messages(); up_to += 1000) bench.settle(up_to);
    const auto per_message = [&](std::uint64_t bytes) { return static_cast<double>(bytes) / count; };
    state.counters["bytes/msg"] = per_message(bytes_in - bytes_before);
    state.counters["device/msg"] = per_message(device_in - device_before);
    state.counters["bytes_in_out/msg"] = per_message(bench.bytes_written() - bytes_before);
    state.counters["device_in_out/msg"] = per_message(load::block_device_bytes(bench.directory()) - device_before);
  }
}
BENCHMARK(StoreAndDrain)
    ->Args({1, 12, 6000})
    ->Args({10, 12, 6000})
    ->Args({100, 12, 2000})
    ->Args({1000, 12, 1000})
    ->Args({1000, 64, 200})
    ->Args({100, 256, 1000})
    ->Args({1000, 256, 200})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// What a durable log costs at least: the records with a checksum behind those before, and a sync, in a file that has
// its blocks already.
class RawLog {
 public:
  RawLog(const std::string& path, std::size_t bytes) : file_(::open(path.c_str(), O_RDWR | O_CREAT, 0600)) {
    FURROW_CHECK(file_ >= 0);
    const std::vector<char> zeros(bytes);
    FURROW_CHECK(::write(file_, zeros.data(), zeros.size()) == static_cast<ssize_t>(zeros.size()));
  }
  ~RawLog() { ::close(file_); }
  RawLog(const RawLog&) = delete;
  RawLog& operator=(const RawLog&) = delete;

  void append(const SegmentRow& row) {
    buffer_.assign(row.directory.begin(), row.directory.end());
    buffer_.insert(buffer_.end(), row.records.begin(), row.records.end());
    const std::uint32_t checksum = crc32c(0, buffer_);
    for (unsigned shift = 0; shift < 32; shift += 8) buffer_.push_back(static_cast<std::uint8_t>(checksum >> shift));
    FURROW_CHECK(::pwrite(file_, buffer_.data(), buffer_.size(), at_) == static_cast<ssize_t>(buffer_.size()));
    at_ += static_cast<off_t>(buffer_.size());
    FURROW_CHECK(::fdatasync(file_) == 0);
  }

 private:
  const int file_;
  off_t at_ = 0;
  std::vector<std::uint8_t> buffer_;
};

// The rate of durable messages on a medium that takes 5 ms to sync, beside a raw log with the same batches: `share` is
// theirs. Argument 0: messages a flush.
void DurableRate(benchmark::State& state) {
  constexpr int kFlushes = 400;
  constexpr auto kSync = std::chrono::milliseconds(5);
  using Clock = std::chrono::steady_clock;
  const auto messages = make_messages(static_cast<std::size_t>(state.range(0)), 12);
  for (auto _ : state) {
    FaultyVfs slow("slow-medium");
    Bench bench(slow.name());
    bench.flush(messages);  // its log exists now
    slow.on_sync = [&] { ::usleep(std::chrono::microseconds(kSync).count()); };
    const auto store_started = Clock::now();
    for (int i = 0; i < kFlushes; ++i) bench.flush(messages);
    const double store_s = std::chrono::duration<double>(Clock::now() - store_started).count();

    const TemporaryDirectory place;
    RawLog raw(place / "log", kFlushes * (messages.size() * 64 + 256));
    std::uint64_t sequence = 0;
    const auto raw_started = Clock::now();
    for (int i = 0; i < kFlushes; ++i) {
      raw.append(make_segment(messages, 1, sequence));
      ::usleep(std::chrono::microseconds(kSync).count());
    }
    const double raw_s = std::chrono::duration<double>(Clock::now() - raw_started).count();
    const double count = static_cast<double>(messages.size()) * kFlushes;
    state.counters["msg/s"] = count / store_s;
    state.counters["raw_msg/s"] = count / raw_s;
    state.counters["share"] = raw_s / store_s;
  }
}
BENCHMARK(DurableRate)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->Arg(5000)->Iterations(1)->Unit(benchmark::kMillisecond);

// A backlog of 200 segments of 1,000 messages that is read in pages of 1 MiB and settled page by page.
void DrainBacklog(benchmark::State& state) {
  const auto messages = make_messages(1000, 12);
  std::uint64_t drained = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto bench = std::make_unique<Bench>();
    for (int i = 0; i < 200; ++i) bench->flush(messages);
    const std::uint64_t before = bench->bytes_written();
    state.ResumeTiming();
    std::uint64_t settled = 0;
    for (broker::Page page; !page.end;) {
      page = bench->read(page.last);
      for (const SegmentRow& row : page.segments) settled += row.messages;
      bench->settle(settled);
    }
    FURROW_CHECK(settled == bench->messages());
    drained += settled;
    state.counters["bytes/msg"] = static_cast<double>(bench->bytes_written() - before) / static_cast<double>(settled);
    state.PauseTiming();
    bench.reset();
    state.ResumeTiming();
  }
  state.counters["per_message"] =
      benchmark::Counter(static_cast<double>(drained), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(DrainBacklog)->Unit(benchmark::kMillisecond);

// A start with a million messages waiting, written `argument 0` at a time: until the core could begin, until the first
// page, and what it takes of memory. Then all of it is read and settled, page by page.
void StartWithBacklog(benchmark::State& state) {
  constexpr std::uint64_t kMessages = 1'000'000;
  using Clock = std::chrono::steady_clock;
  const auto milliseconds_since = [](Clock::time_point then) {
    return std::chrono::duration<double, std::milli>(Clock::now() - then).count();
  };
  const auto messages = make_messages(static_cast<std::size_t>(state.range(0)), 12);
  for (auto _ : state) {
    Bench bench;
    while (bench.messages() < kMessages) {
      Batch batch;  // many flushes share a sync here, which leaves the same rows
      for (int i = 0; i < 1000 && bench.sequence() < kMessages; ++i) {
        batch.segments.push_back(make_segment(messages, ++bench.segment(), bench.sequence()));
      }
      batch.cursors = {cursor(kQueue.value, 0, bench.sequence() + 1)};
      bench.commit(batch);
    }
    bench.close();
    const std::uint64_t resident = resident_bytes();
    const auto started = Clock::now();
    bench.open();
    FURROW_CHECK(bench.store().restore().has_value());
    state.counters["restore_ms"] = milliseconds_since(started);
    (void)bench.read({}, 256 * KiB);
    state.counters["first_page_ms"] = milliseconds_since(started);

    const auto drain_started = Clock::now();
    std::uint64_t settled = 0;
    for (broker::Page page; !page.end;) {
      page = bench.read(page.last, 256 * KiB);
      for (const SegmentRow& row : page.segments) settled += row.messages;
      bench.settle(settled);
    }
    FURROW_CHECK(settled == bench.messages());
    state.counters["drain_msg/s"] = static_cast<double>(settled) / milliseconds_since(drain_started) * 1000;
    const std::uint64_t now = resident_bytes();
    state.counters["resident_MiB"] = static_cast<double>(now - std::min(now, resident)) / static_cast<double>(MiB);
  }
}
BENCHMARK(StartWithBacklog)->Arg(1)->Arg(10)->Arg(1000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace furrow::gateway
