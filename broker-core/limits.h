// Every bound of the broker, with its reason. The place that enforces it says what happens at it; each has a counter in
// stats.h.
#pragma once

#include <cstdint>

#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"
#include "broker-core/session/outbox.h"

namespace furrow::broker {

// The keys of `limits` and `sessions` in the configuration; 0 = no limit unless said otherwise.
struct Limits {
  std::uint32_t connections = 10'000;         // further ones are closed at accept
  std::uint32_t connections_per_address = 0;  // likewise
  std::uint32_t packet_bytes = 1 * MiB;       // larger packets end their connection with 0x95
  std::uint16_t inflight = 100;               // per direction and client, announced as receive maximum, so never 0;
                                              // messages that a client sends beyond it wait for our answers
  std::uint32_t topic_levels = 128;           // deeper topics and filters are refused
  std::uint32_t topic_bytes = 1 * KiB;        // likewise longer ones
  std::uint32_t client_id_bytes = 256;        // longer ones are refused: they are keys in tables and in the store
  std::uint32_t sessions = 10'000;            // with and without a connection; a CONNECT that needs one more gets 0x97
  std::uint32_t sessions_per_user = 0;        // likewise; anonymous clients are no user
  std::uint32_t subscriptions = 10'000;       // per session; home automation has 3,000; further ones get 0x97
  std::uint32_t user_properties = 64;         // in one PUBLISH or will; more get 0x97
  std::size_t retained_messages = 100'000;    // further topics are not retained
  std::size_t retained_bytes = 64 * MiB;
  std::size_t commit_waiting_bytes = 16 * MiB;  // then reading from those who wait for acknowledgements pauses
  std::uint64_t memory_bytes = 256 * MiB;       // see Broker::handle_memory()
  Duration session_expiry_max = std::chrono::hours(7 * 24);  // longer ones are cut to it
  Duration connect_timeout = std::chrono::seconds(10);  // from accept to CONNECT, with all that it has to prove: who
                                                        // takes longer costs a descriptor and is nobody; never 0
  Duration keep_alive_max{};  // clients of MQTT 5 that ask for more, or for none, are told to keep to this
  OutboxLimits session_queue{
      .messages_max = 1'000, .bytes_max = 4 * MiB, .age_max = {}, .when_full = WhenFull::DropOldest};
};

// A CONNECT that is larger ends its connection, as does any other packet before it: a stranger costs no more memory.
// Client libraries send a few hundred bytes, most of them certificates of identity in place of a password.
inline constexpr std::uint32_t kConnectBytesMax = 16 * KiB;
// Once this much waits for a socket, QoS 0 to it is dropped and QoS 1 and 2 wait in the outbox: two large socket
// buffers.
inline constexpr std::size_t kOutputBytesMax = 512 * KiB;
// The same while memory is short: as much as one socket usually takes at once.
inline constexpr std::size_t kOutputBytesShort = 16 * KiB;
// This much is worth a write of its own while a turn still reads.
inline constexpr std::size_t kOutputFullBytes = 64 * KiB;
// Heap of outputs that is kept to be used again: from this size on, since small ones cost nothing to make, and this
// much of it.
inline constexpr std::size_t kSpareBytesMin = 1 * KiB;
inline constexpr std::size_t kSpareBytesMax = 4 * MiB;
// A client of MQTT 5 with more messages unacknowledged than this, and than the announced maximum, is closed with 0x93.
// Only messages of QoS 2 that the client does not release get there, because messages that wait for us wait unread. A
// client that does not look at the maximum sends all its messages at once and releases them behind the last one: hence
// so high a bound, since an identifier costs two bytes here and a row on disk.
inline constexpr std::uint16_t kUnacknowledgedMax = 10'000;
// A client that cannot be told of a refusal is closed when more than its window is held and takes more than this.
inline constexpr std::size_t kHeldBytesMax = 1 * MiB;
// Topics that one client may abbreviate, and that we abbreviate to one client: a sensor has a few, and each costs the
// bytes of its name. Announced as Topic Alias Maximum.
inline constexpr std::uint16_t kTopicAliasesMax = 16;
// A publisher with this many acknowledgements outstanding and nothing left to read is taken to wait for us.
inline constexpr std::size_t kWaitingPublishesMin = 2;
// The same for retained values, which may as well come from a sensor with several topics: the smallest window, other
// than one, that client libraries have.
inline constexpr std::size_t kUsualWindowMin = 10;

}  // namespace furrow::broker
