// A gateway's store over its lives, and what to put into it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gateway/store/sqlite_store.h"
#include "tests/support/store_rows.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {

namespace fs = std::filesystem;

// A gateway's store over its lives.
class SqliteStoreTest : public ::testing::Test {
 protected:
  SqliteStoreTest() { start(); }

  void start() {
    auto opened = SqliteStore::open(options_, log_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
  }
  void stop() { store_.reset(); }
  void restart() {
    stop();
    start();
  }

  Status try_commit(broker::Batch batch) {
    batch.number = BatchNumber{++batches_};
    return store_->commit(batch);
  }
  void commit(broker::Batch batch) {
    const Status status = try_commit(std::move(batch));
    ASSERT_TRUE(status) << status.error().message();
  }
  void commit_segments(std::vector<broker::SegmentRow> segments) {
    broker::Batch batch;
    batch.segments = std::move(segments);
    commit(std::move(batch));
  }
  void commit_cursors(std::vector<broker::CursorRow> cursors) {
    broker::Batch batch;
    batch.cursors = std::move(cursors);
    commit(std::move(batch));
  }
  void create_queues(std::vector<broker::QueueRow> queues) {
    broker::Batch batch;
    batch.queues_created = std::move(queues);
    commit(std::move(batch));
  }
  void remove_queue(std::uint64_t queue) {
    broker::Batch batch;
    batch.queues_removed = {QueueId{queue}};
    commit(std::move(batch));
  }

  broker::Restored restore() {
    auto restored = store_->restore();
    EXPECT_TRUE(restored) << restored.error().message();
    return *std::move(restored);
  }
  broker::Page read(std::uint64_t queue, std::uint64_t from = 1, std::uint64_t after = 0,
                    std::size_t bytes_max = 1 * MiB) {
    auto page = store_->read({.queue = QueueId{queue}, .from = {from}, .after = {after}, .bytes_max = bytes_max});
    EXPECT_TRUE(page) << page.error().message();
    return *std::move(page);
  }
  static std::vector<std::uint64_t> ids(const broker::Page& page) {
    std::vector<std::uint64_t> ids;
    for (const auto& row : page.segments) ids.push_back(row.id.value);
    return ids;
  }

  // What a power cut would leave: the files as they lie there now.
  void copy_files(const std::string& to) const {
    fs::create_directory(to);
    for (const char* file : {"queues.db", "queues.db-wal", "sessions.db", "sessions.db-wal"}) {
      if (fs::exists(place_ / "data/" + file)) fs::copy_file(place_ / "data/" + file, to + "/" + file);
    }
  }
  // Ids of the segments on disk, whoever wants them.
  std::vector<std::uint64_t> stored_segments() const {
    const TemporaryDirectory copy;
    copy_files(copy / "data");
    const auto database = Database::open({.path = copy / "data/queues.db", .vfs = "", .page_bytes = 1024});
    auto rows = (*database)->prepare("SELECT id FROM segment ORDER BY id");
    std::vector<std::uint64_t> found;
    for (auto row = rows->step(); row && *row; row = rows->step()) found.push_back(rows->number(0));
    return found;
  }

  // Flips a bit of the first place where `text` stands in a file.
  void flip_bit(const std::string& file, const std::string& text) const {
    std::fstream stream(place_ / "data/" + file, std::ios::in | std::ios::out | std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(stream)), {});
    const std::size_t at = content.find(text);
    ASSERT_NE(at, std::string::npos);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(content[at] ^ 1));
  }
  void overwrite(const std::string& file, std::size_t at, std::size_t size) const {
    std::fstream stream(place_ / "data/" + file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream << std::string(size, '\x55');
  }
  std::size_t count_kept(const std::string& prefix) const {
    const auto files = fs::directory_iterator(place_ / "data");
    return static_cast<std::size_t>(std::count_if(begin(files), end(files), [&](const auto& entry) {
      return entry.path().filename().string().starts_with(prefix);
    }));
  }

  const TemporaryDirectory place_;
  EventLog log_;
  StoreOptions options_{.directory = place_ / "data",
                        .vfs = "",
                        .page_bytes = 1024,
                        .disk_reserve = 0,
                        .now = WallTime(std::chrono::seconds(1'763'892'672))};
  std::unique_ptr<SqliteStore> store_;
  std::uint64_t batches_ = 0;
};

inline broker::Batch one_of_everything() {
  broker::Batch batch;
  batch.queues_created = {queue(1), {.id = QueueId{2}, .kind = broker::QueueKind::Session, .name = "sensor-4"}};
  batch.segments = {segment(5, {{1, {1, 2}}, {2, {1}}}), segment(6, {{1, {3}}})};
  batch.cursors = {cursor(1, 0, 4)};
  batch.cursors[0].holes = {1, 1};
  batch.cursors[0].messages = 2;
  batch.cursors[0].bytes = 99;
  batch.cursors[0].counters = {7, 7, 7};
  batch.exchanges = {{.queue = QueueId{1},
                      .direction = broker::ExchangeRow::Direction::Outbound,
                      .packet_id = PacketId{65'535},
                      .state = broker::ExchangeRow::State::Released,
                      .sequence = Sequence{2}}};
  batch.heard = {{.origin = "barn-7", .block = 5, .data = bytes_of("ids")},
                 {.origin = "barn-8", .block = 5, .data = bytes_of("other ids")}};
  batch.own_ids_end = 4711;
  batch.sessions = {{.client_id = "sensor-4", .data = broker::Bytes{1, 2, 3}},
                    {.client_id = "empty", .data = broker::Bytes{}}};
  batch.retained = {{.topic = "farm/state", .data = bytes_of("on")}};
  return batch;
}

inline void expect_one_of_everything(const broker::Restored& restored) {
  ASSERT_EQ(restored.queues.size(), 2U);
  const auto& bridge = restored.queues[0];
  EXPECT_EQ(bridge.row.id, QueueId{1});
  EXPECT_EQ(bridge.row.name, "region");
  EXPECT_EQ(bridge.row.kind, broker::QueueKind::Bridge);
  EXPECT_EQ(bridge.cursor.settled, Sequence{0});
  EXPECT_EQ(bridge.cursor.next, Sequence{4});
  EXPECT_EQ(bridge.cursor.holes, (broker::Bytes{1, 1}));
  EXPECT_EQ(bridge.cursor.messages, 2U);
  EXPECT_EQ(bridge.cursor.bytes, 99U);
  EXPECT_EQ(bridge.cursor.counters, (broker::Bytes{7, 7, 7}));
  EXPECT_EQ(restored.queues[1].row.kind, broker::QueueKind::Session);
  EXPECT_EQ(restored.queues[1].cursor.next, Sequence{1});
  ASSERT_EQ(restored.exchanges.size(), 1U);
  EXPECT_EQ(restored.exchanges[0].packet_id, PacketId{65'535});
  EXPECT_EQ(restored.exchanges[0].state, broker::ExchangeRow::State::Released);
  EXPECT_EQ(restored.exchanges[0].sequence, Sequence{2});
  ASSERT_EQ(restored.heard.size(), 2U);
  EXPECT_EQ(restored.heard[0].origin, "barn-7");
  EXPECT_EQ(restored.heard[0].block, 5U);
  EXPECT_EQ(restored.heard[0].data, bytes_of("ids"));
  EXPECT_EQ(restored.own_ids.first, 4711U);
  EXPECT_EQ(restored.own_ids.end, 4711U);
  ASSERT_EQ(restored.sessions.size(), 2U);
  EXPECT_EQ(restored.sessions[0].client_id, "sensor-4");
  EXPECT_EQ(restored.sessions[0].data, (broker::Bytes{1, 2, 3}));
  EXPECT_EQ(restored.sessions[1].data, broker::Bytes{});
  ASSERT_EQ(restored.retained.size(), 1U);
  EXPECT_EQ(restored.retained[0].topic, "farm/state");
  EXPECT_EQ(restored.retained[0].data, bytes_of("on"));
  EXPECT_EQ(restored.last_segment, SegmentId{6});
  EXPECT_EQ(restored.last_queue, QueueId{2});
}

// Finds the root page of a table.
inline std::uint64_t root_page(const std::string& path, const std::string& table) {
  const auto database = Database::open({.path = path, .vfs = "", .page_bytes = 1024});
  return *(*database)->query_number("SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'");
}

}  // namespace furrow::gateway
