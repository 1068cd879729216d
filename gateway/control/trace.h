// One trace: which packets a reader wants to see, and the lines of them that wait for that reader.
//
//   line := {"time":…,"client"|"bridge":…,"address":…,"direction":"received"|"sent","packet":…, fields}
//         | {"time":…, …, "packet":"malformed", "reason_code":…, "reason":…}
//         | {"time":…, …, "event":"ended", "reason":…}      the network connection
//         | {"not_shown":N}                                 where lines are missing, because the reader was slow
//
// Wanted is what fits all that the choice names. A filter of topics takes each PUBLISH to a topic of it, SUBSCRIBE and
// UNSUBSCRIBE that have to do with such topics, a CONNECT with such a will, and the acknowledgements of these; `#`
// takes everything. Never more than kWaitingBytesMax wait: what comes beyond that is counted, until half of it is free
// again. Directions are seen from the gateway. Pure. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ip.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "gateway/control/json_object.h"

namespace furrow::gateway {

// What is empty, or nothing, is left open.
struct TraceChoice {
  std::string client;
  std::string bridge;
  std::optional<IpNetwork> address;  // of a client
  std::string filter = "#";          // valid
  bool payloads = false;             // the first bytes of them are shown
  std::uint64_t count = 0;           // of packets that are shown
};

// At whose connection a packet is seen.
struct TraceParty {
  std::uint64_t link = 0;  // names the connection
  bool is_bridge = false;
  std::string_view name = {};     // of the bridge, or the client identifier; empty: not known yet
  std::string_view address = {};  // for people
  std::optional<IpAddress> ip = std::nullopt;
};

enum class TraceDirection : std::uint8_t { Received, Sent };

class Trace {
 public:
  static constexpr std::size_t kWaitingBytesMax = 256 * KiB;
  // Acknowledgements that are waited for. Beyond that one is not shown with its message.
  static constexpr std::size_t kExpectedMax = 4096;

  explicit Trace(TraceChoice choice) : choice_(std::move(choice)) {}

  // Whether packets of this party may be wanted; one whose name is not known yet may turn out to be it.
  bool may_want(const TraceParty& party) const;

  struct Sighting {
    const TraceParty& party;
    TraceDirection direction;
    WallTime time;
  };
  // `topic` is that of a PUBLISH, which may have an alias instead; empty when it is not known.
  void show(const Sighting& seen, const mqtt::Packet& packet, std::string_view topic);
  void show_malformed(const Sighting& seen, const mqtt::ProtocolError& error);
  void show_end(const Sighting& seen, std::string_view reason);

  bool has_lines() const { return !waiting_.empty() || lost_ > 0; }
  std::size_t waiting_bytes() const { return waiting_.size(); }
  // Moves whole lines, `bytes_max` of them or a little more.
  void take_lines(ByteBuffer& out, std::size_t bytes_max);
  // All have been shown that were asked for.
  bool is_complete() const { return shown_ >= choice_.count; }
  std::uint64_t shown() const { return shown_; }
  std::uint64_t not_shown() const { return not_shown_; }

 private:
  bool wants(const TraceParty& party) const;
  bool wants_everything() const { return choice_.filter == "#"; }
  bool wants_packet(const Sighting& seen, const mqtt::Packet& packet, std::string_view topic);
  bool concerns(std::string_view filter) const;
  // An acknowledgement of `id` will come from the other side of `seen`.
  void expect(const Sighting& seen, PacketId id);
  bool is_expected(const Sighting& seen, PacketId id, bool is_last);
  // Names a packet that was sent in `direction`.
  static std::uint64_t key_of(std::uint64_t link, TraceDirection direction, PacketId id);

  // False when it has no room: then it is counted.
  bool has_room();
  JsonObject begin_line(const Sighting& seen) const;
  void add_line(const std::string& line);
  void say_lost();

  const TraceChoice choice_;
  ByteBuffer waiting_;
  bool is_short_ = false;   // of room, until half of it is free
  std::uint64_t lost_ = 0;  // since the last line
  std::uint64_t shown_ = 0;
  std::uint64_t not_shown_ = 0;  // in all
  std::unordered_set<std::uint64_t> expected_;
};

}  // namespace furrow::gateway
