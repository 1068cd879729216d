// What a stored message costs: encoding it, committing it, reading it back. Bytes are those handed to the file system.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/session/segment.h"
#include "gateway/store/crc32c.h"
#include "gateway/store/sqlite_store.h"
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
    const std::string topic = "farm/field-" + std::to_string(i % kTopics) + "/soil/moisture";
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

// A store in a directory of its own with one queue in it.
class Bench {
 public:
  Bench() {
    auto opened = SqliteStore::open({.directory = place_ / "data", .vfs = ""}, log_);
    FURROW_CHECK(opened.has_value());
    store_ = *std::move(opened);
    Batch batch;
    batch.queues_created = {queue(kQueue.value)};
    commit(batch);
  }

  void commit(Batch& batch) {
    batch.number = BatchNumber{++batches_};
    const Status status = store_->commit(batch);
    FURROW_CHECK(status.has_value());
  }
  SqliteStore& store() { return *store_; }
  std::uint64_t bytes_written() const { return store_->health().bytes_written; }

 private:
  const TemporaryDirectory place_;
  EventLog log_;
  std::unique_ptr<SqliteStore> store_;
  std::uint64_t batches_ = 0;
};

// Argument 0: messages a commit; argument 1: bytes of payload. The queue stays away, so everything stays.
void CommitMessages(benchmark::State& state) {
  Bench bench;
  const auto messages =
      make_messages(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  const std::uint64_t before = bench.bytes_written();
  std::uint64_t sequence = 0;
  std::uint64_t id = 0;
  for (auto _ : state) {
    Batch batch;
    batch.segments = {make_segment(messages, ++id, sequence)};
    batch.cursors = {cursor(kQueue.value, 0, sequence + 1)};
    bench.commit(batch);
  }
  const auto count = static_cast<double>(sequence);
  state.counters["bytes/msg"] = static_cast<double>(bench.bytes_written() - before) / count;
  state.counters["per_message"] = benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(CommitMessages)
    ->Args({1, 12})
    ->Args({10, 12})
    ->Args({100, 12})
    ->Args({1000, 12})
    ->Args({100, 256})
    ->Args({1000, 256});

// A backlog of 200 segments of 1,000 messages that is read in pages of 1 MiB and settled page by page.
void DrainBacklog(benchmark::State& state) {
  constexpr std::uint64_t kSegments = 200;
  const auto messages = make_messages(1000, 12);
  std::uint64_t drained = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto bench = std::make_unique<Bench>();
    std::uint64_t sequence = 0;
    for (std::uint64_t id = 1; id <= kSegments; ++id) {
      Batch batch;
      batch.segments = {make_segment(messages, id, sequence)};
      bench->commit(batch);
    }
    const std::uint64_t before = bench->bytes_written();
    state.ResumeTiming();
    Sequence settled;
    for (broker::Page page; !page.end;) {
      auto read = bench->store().read({.queue = kQueue, .from = {}, .after = page.last, .bytes_max = 1 * MiB});
      FURROW_CHECK(read.has_value());
      page = *std::move(read);
      for (const SegmentRow& row : page.segments) settled.value += row.messages;
      Batch batch;
      batch.cursors = {cursor(kQueue.value, settled.value, sequence + 1)};
      bench->commit(batch);
    }
    FURROW_CHECK(settled == Sequence{sequence});
    drained += sequence;
    state.counters["bytes/msg"] = static_cast<double>(bench->bytes_written() - before) / static_cast<double>(sequence);
    state.PauseTiming();
    bench.reset();
    state.ResumeTiming();
  }
  state.counters["per_message"] =
      benchmark::Counter(static_cast<double>(drained), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(DrainBacklog)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace furrow::gateway
