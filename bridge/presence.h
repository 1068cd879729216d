// What the far broker retains of this gateway: that it is there, with news of it, or that it is gone.
//
// A connection announces it as gone in its will, so that the far broker says so whatever becomes of us, and takes that
// back with the first news. Both go past the buffer: news that are late are of no use to anybody. One message waits for
// its acknowledgement at a time. Thread: loop. Time: passed in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bridge/remote_session.h"
#include "broker-core/base/ids.h"

namespace furrow::bridge {

class Presence {
 public:
  // Without a topic nothing is said.
  struct Options {
    std::string topic;
    std::string lost;  // the payload of the will
    std::string left;  // said by ourselves before we leave
  };
  // `remote` must outlive it.
  Presence(Options options, RemoteSession& remote) : options_(std::move(options)), remote_(remote) {}

  bool is_wanted() const { return !options_.topic.empty(); }
  std::optional<RemoteSession::Will> will() const;

  // A connection has begun, or has ended.
  void reset();
  // Whether the far broker takes news now; and whether it has had none on this connection.
  bool is_ready() const { return is_wanted() && remote_.writable() && !unanswered_; }
  bool is_news() const { return is_ready() && !is_said_; }
  // Whether the far broker has answered what it was told on this connection.
  bool is_settled() const { return !is_wanted() || (is_said_ && !unanswered_); }
  // REQUIRES: is_ready().
  void say(std::string_view payload, PacketId packet_id, Instant now);
  // REQUIRES: is_wanted().
  void say_left(PacketId packet_id, Instant now);
  // Whether this PUBACK is for a message of ours.
  bool handle_puback(PacketId packet_id);

  // Messages of the window that the far broker cannot have in flight because of ours.
  static constexpr std::uint16_t kInflight = 1;

 private:
  void write(std::string_view payload, PacketId packet_id, Instant now);
  mqtt::Qos qos() const;

  const Options options_;
  RemoteSession& remote_;
  std::optional<PacketId> unanswered_;
  bool is_said_ = false;
};

}  // namespace furrow::bridge
