// Any bytes as a stored segment or a retained message: no crash, and what is read lies within what the directory
// announces.
//
//   input := split:1 directory records | 0 message       `split` is the size of the directory
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/session/segment.h"
#include "broker-core/session/segment_merge.h"

namespace furrow::broker {
namespace {

constexpr ClockStamp kNow{.boot = 1, .monotonic = Instant(std::chrono::hours(1)), .wall = WallTime{}, .trusted = true};

// Looks at everything that a reader of a message would.
std::size_t touch(const Message& message) {
  std::size_t sum = message.bytes_size();
  for (const mqtt::Property& property : message.properties()) sum += property.text.size() + property.name.size();
  for (const std::uint8_t byte : message.payload()) sum += byte;
  return sum + static_cast<std::size_t>(message.expires_at().time_since_epoch().count());
}

void read_queue(ByteView directory, ByteView records, const DirectoryEntry& entry) {
  SegmentReader reader(directory, records, entry.queue, kNow);
  std::uint64_t count = 0;
  Sequence before;
  for (SegmentReader::Record record; reader.next(Sequence{1}, record); ++count) {
    FURROW_CHECK(record.sequence > before);
    FURROW_CHECK(record.sequence >= entry.first);
    FURROW_CHECK(record.sequence <= entry.last);
    before = record.sequence;
    (void)touch(*record.message);
  }
  FURROW_CHECK(count <= entry.messages);
  FURROW_CHECK(reader.damaged() || count == entry.messages);
}

// What a merge of the segment with nothing leaves of it, every other message wanted, can be read again whole.
void merge(ByteView directory, ByteView records) {
  const SegmentRow row{.id = SegmentId{1},
                       .messages = 0,
                       .directory = Bytes(directory.begin(), directory.end()),
                       .records = Bytes(records.begin(), records.end())};
  SegmentMerge merge;
  if (!merge.add(row, [](QueueId, Sequence sequence) { return sequence.value % 2 == 0; }) || merge.empty()) return;
  const SegmentRow merged = merge.finish(SegmentId{2});
  std::vector<DirectoryEntry> entries;
  FURROW_CHECK(parse_directory(merged.directory, entries));
  SegmentRecords walk(merged.directory, merged.records);
  std::uint64_t deliveries = 0;
  Message::Fields fields;
  SegmentRecords::Delivery delivery;
  while (walk.next(kNow.monotonic, fields)) {
    while (walk.next_delivery(delivery)) {
      FURROW_CHECK(delivery.sequence.value % 2 == 0);
      ++deliveries;
    }
  }
  FURROW_CHECK(!walk.damaged());
  for (const DirectoryEntry& entry : entries) deliveries -= entry.messages;
  FURROW_CHECK(deliveries == 0);
}

void run(ByteView input) {
  if (input.empty()) return;
  const std::size_t split = input.front();
  input = input.subspan(1);
  if (split == 0) {
    ClockStamp written;
    if (const MessageRef message = decode_message(input, kNow, written)) (void)touch(*message);
    return;
  }
  if (split > input.size()) return;
  const ByteView directory = input.first(split);
  std::vector<DirectoryEntry> entries;
  if (!parse_directory(directory, entries)) return;
  merge(directory, input.subspan(split));
  for (const DirectoryEntry& entry : entries) {
    // Of a queue that is named twice, which we do not write, the first entry counts.
    const auto first = std::ranges::find(entries, entry.queue, &DirectoryEntry::queue);
    read_queue(directory, input.subspan(split), *first);
  }
}

}  // namespace
}  // namespace furrow::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  furrow::broker::run({data, size});
  return 0;
}
