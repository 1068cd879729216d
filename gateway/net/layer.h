// One layer of a connection: bytes of a socket into bytes of MQTT, and back, as a pure machine.
//
// A connection may carry more than MQTT: a PROXY header before it, TLS around it, a WebSocket frame around each piece.
// Each of these is a Layer, and LayerStack puts them upon each other, the one next to the socket first: PROXY, TLS,
// WebSocket. A layer knows no socket, no loop and no clock, so that it is tested alone, at every split of its bytes.
// The one thing it wants of time is an end to its patience, and the link has that for all layers together
// (opening_links.h).
//
//   phase     read() of bytes from below               write() of bytes from above
//   Opening   takes them for its handshake             is not called
//   Open      gives what they hold for above           wraps them
//   Through   gives them as they are                   passes them on; the stack lets go of the layer
//
// A phase never goes back. A layer begins once the one beneath it is no longer opening, and only from then on does it
// get bytes. What it says by itself (the answers of a handshake, a pong, an alert) it appends to `below` in any call
// that has one. An error ends the connection; what `below` got before is still sent.
//
// Backpressure. Upwards, read() gives one piece at a time, no larger than what it was given and kPieceBytes, and the
// owner may stop asking. Downwards, a layer takes its bytes at once, kPieceBytes in a call, and owns no queue: the
// stack has one output for all, which holds what one write of the broker made. While something that a layer said by
// itself waits for the socket, nothing more is read, so that a peer which asks and never listens costs no memory.
//
// How TLS fits. The handshake's arithmetic takes a millisecond or more, too long for the loop: read() puts its bytes
// into the memory that OpenSSL reads from (a BIO), and take_job() hands out the SSL object, to be run on a thread of
// libuv's pool. Until give_back() the layer is busy: nothing is read, and nothing else of it is called. When the link
// ends meanwhile the job owns all that it needs, and is thrown away when it is done. Once Open, a BIO over `bytes`
// itself spares a copy on the way in, and SSL_read() writes into one buffer that all TLS layers of a loop share; a
// piece is what that holds. SSL_write() appends to `below`. A close_notify is an error of Errc::Closed, which nobody
// logs; end() says ours.
//
// How WebSocket fits (websocket_layer.h). Opening is the HTTP request: one for MQTT is answered and opens, and so does
// a question about pages or status, which is part of the introduction: the layer passes bytes on from there. Any other
// is refused with a line for people, an error of the layer. Payloads are unmasked where they lie and moved together at
// the front of `bytes`: they are never longer than their frames, so that one call gives one piece. What write() takes
// becomes one frame, its header and then the bytes, which costs one copy; room for headers in front of every output
// would cost plain connections more. Pongs and close frames go to `below`.
//
// A layer that speaks first (TLS and a proxy's CONNECT on the way to a far broker) does so in begin().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ip.h"
#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "gateway/net/web_question.h"

namespace furrow::gateway {

// What is known of a client before it has said a word of MQTT.
struct Introduction {
  std::string peer = {};                            // `HOST:PORT`, for people
  std::optional<IpAddress> address = std::nullopt;  // nothing: no network lies between
  std::uint16_t port = 0;                           // of that address
  std::string listener = {};                        // its name
  // The user that a certificate, a pre-shared key or the credentials of a unix socket vouch for. A layer that was to
  // find one and cannot name it fails instead.
  std::optional<std::string> vouched_user = std::nullopt;
  std::optional<WebQuestion> question = std::nullopt;  // asked by HTTP, instead of MQTT
};

class Layer {
 public:
  enum class Phase : std::uint8_t { Opening, Open, Through };

  // Arithmetic that would hold up the loop. Owns all that it needs.
  class Job {
   public:
    virtual ~Job() = default;
    // Once, on any thread.
    virtual void run() = 0;
  };

  // The most plain bytes that one write() takes, and that a piece of read() has beyond its `bytes`.
  static constexpr std::size_t kPieceBytes = 16 * KiB;

  virtual ~Layer() = default;

  // For people: "TLS".
  virtual std::string_view name() const = 0;
  virtual Phase phase() const = 0;

  // The layer beneath is no longer opening. Called once, before anything below.
  virtual Status begin(ByteBuffer& below) {
    (void)below;
    return {};
  }
  // Takes bytes off the front of `bytes` and returns what they, and those taken before, hold for the layer above. The
  // piece is borrowed until the next read(), and may lie in `bytes`. It is empty once there is nothing more to give;
  // then all of `bytes` has been taken.
  virtual Result<MutableBytes> read(MutableBytes& bytes, ByteBuffer& below) = 0;
  // Wraps up to kPieceBytes from the front of `plain`, which it consumes. REQUIRES: not opening; `plain` not empty.
  virtual Status write(ByteBuffer& plain, ByteBuffer& below) = 0;
  // Says goodbye in its own way, unless it has said its last words with an error. Nothing is written after it.
  // REQUIRES: not opening.
  virtual void end(ByteBuffer& below) { (void)below; }

  // What read() or begin() left to be done on another thread; null: nothing. With a job out the layer is busy.
  virtual std::unique_ptr<Job> take_job() { return nullptr; }
  // The job of take_job(), which has run. read() may have something to give now.
  virtual Status give_back(std::unique_ptr<Job> job, ByteBuffer& below) {
    (void)job;
    (void)below;
    return {};
  }

  // Whether what the peer has shown holds at `now`, too: the clock was wrong before. REQUIRES: no job is out.
  virtual Status judge(WallTime now) {
    (void)now;
    return {};
  }

  // What the peers have agreed on, for people; empty: nothing that is worth a word. REQUIRES: not opening.
  virtual std::string agreed() const { return {}; }
  // Adds what the layer has found out. REQUIRES: not opening.
  virtual void introduce(Introduction& introduction) const { (void)introduction; }
};

}  // namespace furrow::gateway
