// The interface to durable storage: batches in, one number out, the durable watermark.
//
// The core gathers rows into a Batch and submits it; batches become durable whole and in order. `Batch n durable`
// (committed and synced) means that everything in it and in all batches before it is. While one batch syncs, the core
// gathers the next (group commit). The two files of the store (queues; sessions and retained messages) are not atomic
// together: within a batch the queue file is committed before the sessions, so that a queue exists before the session
// that names it, and `queues_removed` last for the same reason. Retained messages are committed before the queue file:
// once that has the packet identifier of an inbound QoS 2 message, a repetition is not published again, and the value
// would be lost. All rows are values and bytes: the thread that executes them shares nothing with the core.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/result.h"
#include "broker-core/base/time.h"

namespace furrow::broker {

using Bytes = std::vector<std::uint8_t>;

inline Bytes copy_of(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

enum class QueueKind : std::uint8_t { Bridge = 1, Session = 2, Group = 3, Lane = 4 };

// A durable outbox comes into being, or gets another name. The name is the bridge's name, the session's client
// identifier, the filter of a shared subscription, `$share/…`, or of a further queue of a bridge what it is for and the
// bridge's name: `high/region`, `quarantine/region`.
struct QueueRow {
  QueueId id;
  QueueKind kind = QueueKind::Bridge;
  std::string name;
};

// A run of messages, written together and shared by all queues that want them. session/segment.h has the formats of
// `directory` and `records`; the store adds and checks a CRC over id, directory and records.
struct SegmentRow {
  SegmentId id;
  std::uint32_t messages = 0;
  Bytes directory;  // per queue: id, first and last sequence, count, bytes
  Bytes records;
};

// How far a queue is settled, and its books: replaces the queue's cursor row.
struct CursorRow {
  QueueId queue;
  Sequence settled;  // every message up to here is settled: acknowledged, dropped or expired
  Sequence next;     // behind all that is stored: the sequence of the first message accepted after a start
  // Messages settled out of order, beyond `settled`; session/hole.h has the format.
  Bytes holes;
  std::uint64_t messages = 0;  // stored and not settled, as of this batch
  std::uint64_t bytes = 0;
  Bytes counters;  // the books, opaque to the store; balanced with the rows of the same transaction
};
// That of a new queue.
inline CursorRow empty_queue(QueueId queue) {
  CursorRow cursor;
  cursor.queue = queue;
  cursor.next = Sequence{1};
  return cursor;
}

// An exchange that must outlive a crash: of QoS 2, or of QoS 1 where its receiver alone may finish it. Outbound: we
// sent the PUBLISH; inbound: we received it.
struct ExchangeRow {
  enum class Direction : std::uint8_t { Outbound = 1, Inbound = 2 };
  enum class State : std::uint8_t {
    Erased = 0,     // takes the row away
    Published = 1,  // QoS 2; outbound: PUBLISH may have left; inbound: PUBREC may have left
    Released = 2,   // QoS 2; outbound: PUBREC came, PUBREL may have left
    Leased = 3,     // QoS 1, outbound: a member of a shared subscription has it, and has unsubscribed since
  };
  QueueId queue;  // whose packet identifiers these are: the queue of a session or a bridge
  Direction direction = Direction::Outbound;
  PacketId packet_id;
  State state = State::Published;
  // Outbound: the message, and the queue that it lies in, which may be that of a shared subscription. A row with a
  // sequence that its queue has not reached (CursorRow::next) is, at start, one of a message that was never stored.
  Sequence sequence = {};
  QueueId outbox = {};
  // A message of a shared subscription is sent with the identifier of the member's subscription (0 = none), and with
  // its retain flag only where that subscription wants it.
  std::uint32_t subscription_id = 0;
  bool retain = true;
};

// The session of a client, or of a bridge at its far broker; without `data`, its removal. session/session_record.h
// encodes `data`, and says how the two are told apart.
struct SessionRow {
  std::string client_id;
  std::optional<Bytes> data;
};

// The retained message of a topic; without `data`, its removal.
struct RetainedRow {
  std::string topic;
  std::optional<Bytes> data;
};

// Some of the ids that messages of a mesh had which are safe here: those of one origin in one block of sequences.
// session/heard_ids.h has the format. Without `data`, its removal.
struct HeardRow {
  std::string origin;
  std::uint64_t block = 0;
  std::optional<Bytes> data;
};

// Ids of a mesh that this gateway may give: none outside of them was given, or may be. 0: it has given none yet.
struct OwnIds {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

struct Batch {
  BatchNumber number;
  // The queue file, one transaction:
  std::vector<QueueRow> queues_created;
  std::vector<SegmentRow> segments;
  std::vector<CursorRow> cursors;  // at most one a queue
  std::vector<ExchangeRow> exchanges;
  std::vector<HeardRow> heard;               // known not before their messages, nor after: they are in one transaction
  std::optional<std::uint64_t> own_ids_end;  // ids below this may be given once the batch is durable
  // The file of sessions and retained messages, one transaction:
  std::vector<SessionRow> sessions;
  std::vector<RetainedRow> retained;
  // The queue file again: each queue with its cursor, its exchanges, and the segments that nobody else needs.
  std::vector<QueueId> queues_removed;

  bool empty() const {
    return queues_created.empty() && segments.empty() && cursors.empty() && exchanges.empty() && heard.empty() &&
           !own_ids_end && sessions.empty() && retained.empty() && queues_removed.empty();
  }
};

// Asks for stored segments that hold messages of `queue` from `from` on.
struct ReadRequest {
  ReadNumber number = {};  // of the page that answers it
  QueueId queue;
  Sequence from;
  SegmentId after;            // continue behind this segment; 0 = from the queue's first
  std::size_t bytes_max = 0;  // stop once this much was read; at least one segment comes if there is one
};

struct Page {
  ReadNumber number = {};  // of the request that this answers: a queue may have several readers
  QueueId queue;
  std::vector<SegmentRow> segments;  // in the order of their ids
  SegmentId last;                    // where the next request continues
  bool end = false;                  // no further stored segment of this queue
  std::uint32_t damaged = 0;         // segments that could not be read or failed their CRC, skipped
};

// As the status topic shows it.
enum class StoreState : std::uint8_t { Ok, Slow, Full, ReadOnly, Failing, Salvaging };

// Whether messages can be written. While they cannot, a message is acknowledged only if the far side acknowledges it in
// time.
inline bool takes_messages(StoreState state) {
  return state == StoreState::Ok || state == StoreState::Slow;
}

struct StoreHealth {
  StoreState state = StoreState::Ok;
  std::string reason;  // empty while Ok
  std::uint64_t file_bytes = 0;
  std::uint64_t bytes_written = 0;  // since start
  std::uint64_t commits = 0;        // since start
};

// The rows that the core finds at start, each of which can be one that was written (session/plausible_rows.h).
struct RestoredQueue {
  QueueRow row;
  CursorRow cursor;
};
struct Restored {
  std::vector<RestoredQueue> queues;
  std::vector<ExchangeRow> exchanges;
  std::vector<SessionRow> sessions;
  std::vector<RetainedRow> retained;
  std::vector<HeardRow> heard;
  OwnIds own_ids;          // behind all that were put aside
  SegmentId last_segment;  // ids given from now on are larger
  QueueId last_queue;
};

// The verbs. Answers come as Broker::handle_persisted(watermark, now) and Broker::handle_page(page, now), in a later
// turn, never from within. A batch with messages, of which nothing could be written, may be given back instead by
// Broker::handle_not_persisted(batch): then it counts as never submitted, and batches behind it go on.
class Store {
 public:
  virtual ~Store() = default;

  // REQUIRES: batch.number is one more than that of the batch before.
  virtual void submit(Batch batch) = 0;
  virtual void read(ReadRequest request) = 0;
};

}  // namespace furrow::broker
