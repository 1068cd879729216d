// A bridge as the operator sees it: a picture of one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/topic_map.h"
#include "broker-core/base/histogram.h"
#include "broker-core/base/time.h"
#include "broker-core/session/books.h"

namespace furrow::bridge {

// As in the status topic; judged by progress, not by the socket.
enum class State : std::uint8_t { Connecting, Online, Draining, Stalled, Backoff, Waiting, Disabled };
std::string_view name(State state);

struct RuleStatus {
  std::string filter;
  Direction direction = Direction::Up;
  std::uint64_t up = 0;    // messages taken on the way up
  std::uint64_t down = 0;  // and on the way down
  std::optional<std::size_t> wanted =
      std::nullopt;  // filters that are subscribed to, of a rule that asks who wants any
};

// Always: accepted = delivered + backlog_messages + inflight + quarantined + expired + sum of books.dropped,
// and received = routed + received_dropped.
struct Snapshot {
  State state = State::Connecting;
  std::string reason;
  Instant since;           // of the state; while nothing gets through: since when that is so
  std::string remote;      // the address in use or tried last
  std::string client_id;   // there
  bool connected = false;  // from its CONNACK on
  std::uint64_t backlog_messages = 0;
  std::uint64_t backlog_bytes = 0;  // of the backlog and of what is in flight
  std::uint64_t bytes_max = 0;      // that the buffer takes; 0: no limit
  std::uint64_t messages_max = 0;
  std::uint64_t disk_messages = 0;
  std::uint64_t inflight = 0;
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::uint64_t received = 0;  // on the way down
  std::uint64_t routed = 0;
  std::uint64_t received_dropped = 0;
  std::uint64_t expired = 0;
  std::uint64_t quarantined = 0;
  broker::Books books;
  std::optional<Instant> oldest;  // when the oldest waiting message in memory was received
  std::optional<Instant> last_ack;
  std::optional<Instant> contested;   // when another client last took our session over, for the second time in a minute
  std::optional<Instant> pushed_out;  // when a connection last ended as if another client had done so, again and again
  std::optional<Instant> next_attempt;
  Histogram acknowledgement_times;  // since start; see WayUp
  std::uint64_t connects = 0;       // CONNACKs of success
  double up_per_s = 0;
  double down_per_s = 0;
  std::optional<Duration> drain_eta;  // while draining
  std::vector<RuleStatus> rules;      // in the order of the file
};

}  // namespace furrow::bridge
