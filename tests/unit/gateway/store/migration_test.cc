// A store that an earlier version has written (tests/data/store-schema-1), opened by this one.
#include <map>

#include "broker-core/session/session_record.h"
#include "tests/unit/gateway/store/sqlite_store_fixture.h"

namespace furrow::gateway {
namespace {

using broker::ExchangeRow;
using broker::Restored;

class MigrationTest : public SqliteStoreTest {
 protected:
  MigrationTest() {
    stop();
    for (const char* file : {"queues.db", "sessions.db"}) {
      fs::remove(place_ / "data/" + file + "-wal");
      fs::copy_file(std::string(FURROW_TEST_DATA) + "/store-schema-1/" + file, place_ / "data/" + file,
                    fs::copy_options::overwrite_existing);
    }
    start();
  }
  std::uint64_t schema() const {
    const TemporaryDirectory copy;
    copy_files(copy / "data");
    const auto database = Database::open({.path = copy / "data/queues.db", .vfs = "", .page_bytes = 1024});
    return *(*database)->query_number("PRAGMA user_version");
  }
  // The payloads that are stored of a queue.
  std::vector<std::string> payloads(QueueId queue) {
    std::vector<std::string> found;
    for (const broker::SegmentRow& row : read(queue.value).segments) {
      broker::SegmentReader reader(row.directory, row.records, queue, kStamp);
      for (broker::SegmentReader::Record record; reader.next(Sequence{1}, record);) {
        found.emplace_back(as_text(record.message->payload()));
      }
    }
    return found;
  }
};

TEST_F(MigrationTest, QueuesOfSchemaOneKeepTheirMessages) {
  using Payloads = std::vector<std::string>;
  const Restored restored = restore();
  std::map<std::string, Payloads> found;
  for (const broker::RestoredQueue& queue : restored.queues) {
    found[queue.row.name] = payloads(queue.row.id);
    EXPECT_EQ(queue.cursor.messages, found[queue.row.name].size());
  }
  const std::map<std::string, Payloads> stored = {
      {"region", {"on", "1-1", "1-2", "1-3", "2-1", "2-2", "2-3", "once"}},
      {"dashboard", {"1", "2"}},
      {"half-done", {"released", "published"}},
      {"$share/crew/task/#", {"1", "2"}},
  };
  EXPECT_EQ(found, stored);
  EXPECT_EQ(restored.retained.size(), 2U);
  EXPECT_TRUE(log_.events.empty()) << log_.events.front();
  EXPECT_EQ(schema(), 3U);
}

TEST_F(MigrationTest, ExchangesOfSchemaOneLieInTheirOwnQueue) {
  const Restored restored = restore();
  ASSERT_EQ(restored.exchanges.size(), 3U);
  for (const ExchangeRow& row : restored.exchanges) {
    EXPECT_EQ(row.outbox, row.queue);
    EXPECT_EQ(row.subscription_id, 0U);
    EXPECT_TRUE(row.retain);
  }
  EXPECT_EQ(std::ranges::count(restored.exchanges, ExchangeRow::State::Released, &ExchangeRow::state), 1);
  EXPECT_EQ(std::ranges::count(restored.exchanges, ExchangeRow::Direction::Inbound, &ExchangeRow::direction), 1);
}

TEST_F(MigrationTest, SessionsOfSchemaOneBelongToAnonymous) {
  const Restored restored = restore();
  int sessions = 0;
  for (const broker::SessionRow& row : restored.sessions) {
    if (broker::is_far_session(row.client_id)) continue;
    broker::Identity owner{.user = "somebody"};
    EXPECT_TRUE(broker::decode_session(row.client_id, *row.data, nullptr, &owner)) << row.client_id;
    EXPECT_EQ(owner, broker::Identity{});
    ++sessions;
  }
  EXPECT_GT(sessions, 0);
}

// The step that a file has not taken is all that is done to it: the next start finds the same.
TEST_F(MigrationTest, FileThatWasMigratedIsNotMigratedAgain) {
  (void)restore();
  restart();
  EXPECT_EQ(restore().queues.size(), 4U);
  EXPECT_EQ(schema(), 3U);
}

}  // namespace
}  // namespace furrow::gateway
