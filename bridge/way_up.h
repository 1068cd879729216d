// The way up: sends the messages of the buffer through the in-flight window to the far broker.
//
// Attached to the buffer for its life; the buffer outlives it. The far broker's limits apply when a message is sent: a
// QoS that it does not know is lowered, and what it will never acknowledge is answered here once the socket has it. Not
// every far broker says what it does not know: one that answers QoS 2 with PUBACK has no QoS 2, and its PUBACK counts.
// QoS 0 is written at once or counted as dropped, unless its rule buffers it; from the buffer or not, it counts as in
// flight until the socket has it. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/buffer.h"
#include "bridge/remote_session.h"
#include "bridge/retained_offers.h"
#include "bridge/suspects.h"
#include "broker-core/base/histogram.h"
#include "broker-core/publish_pace.h"
#include "broker-core/session/inflight.h"

namespace furrow::bridge {

class WayUp final : private Buffer::Sender, private broker::PublishSink {
 public:
  struct Options {
    Duration gathers_for{};     // what is sent waits so long for more before it leaves
    broker::PublishRate drain;  // of a backlog
    StampOptions stamp;
    std::string gateway_id;
    bool notes_removed = false;  // retained values, for offers()
    bool adds_path = false;      // to messages that have none
  };
  // `buffer` and `remote` must outlive it.
  WayUp(Buffer& buffer, RemoteSession& remote, Options options)
      : buffer_(buffer), remote_(remote), options_(std::move(options)), path_(path_property(options_)) {
    buffer_.attach(*this);
  }
  ~WayUp() { buffer_.detach(); }

  // `held`: as after hold().
  void connect(broker::Inflight::Windows windows, bool session_present, bool held, Instant now);
  // Sends no more messages on this connection, but for those of high priority; what is in flight is finished.
  void hold() { held_ = true; }
  // Sends nothing more; the output may still leave.
  void stop() { window().disconnect(); }
  // The connection is gone.
  void disconnect(Instant now);
  // PUBACK, PUBREC or PUBCOMP. Returns what does not fit the exchange and what becomes of it, in words; nothing when
  // all is well.
  struct Oddity {
    std::string_view answer;
    std::string_view then;
  };
  std::optional<Oddity> handle_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason,
                                               Instant now);
  // The far broker has answered QoS 2 with PUBACK on this connection: messages go at QoS 1.
  bool lacks_exactly_once() const { return lacks_exactly_once_; }
  // The far broker ends the connection; disconnect() follows. Returns the message that it does so for each time, which
  // was set aside. Reset: it may have been the network. That is thought of a message only which is large, and larger
  // than all that were answered: a broker reads no more of one than its length, and TCP resets what is unread.
  enum class Ending : std::uint8_t { InOrder, Reset };
  std::optional<Buffer::SetAside> handle_ended_by_far_broker(Ending ending, Instant now);
  // How often it has done so in a row with messages in flight that had just been sent. Then, that this says nothing of
  // them.
  unsigned suspicious_ends() const { return suspects_.closes(); }
  void forget_suspects() { suspects_.forget(); }
  // Whether one message at a time is sent, and that while set_quiet() has said that nothing else waits for an answer of
  // the far broker.
  bool wants_quiet() const { return suspects_.one_at_a_time(); }
  void set_quiet(bool quiet, Instant now);
  // The caller has taken all of the output; then, the socket has all that was taken.
  void handle_taken();
  void handle_sent(Instant now);
  void pump(Instant now) override;
  // Counts messages that have expired while nothing is sent.
  void expire(Instant now);
  // When pump() goes on with messages that leave no faster than they may; never while nothing holds any back.
  Instant pace_due() const {
    return window().connected() ? std::min(paced_until_.value_or(kNever), buffer_.pace_due()) : kNever;
  }
  // Whether the far broker takes nothing for now; and when pump() tries it again.
  bool refused() const { return window().refused(); }
  Instant retry_due() const { return window().retry_due(); }
  // When the far broker must have acknowledged something, if it is given `timeout`; never while nothing is in flight.
  Instant progress_due(Duration timeout) const;
  std::optional<Instant> last_acknowledgement() const { return last_acknowledgement_; }
  RetainedOffers& offers() { return offers_; }
  // When the oldest message came in that has gone up from the queue on this connection; never if none has.
  Instant sent_since() const { return sent_since_; }
  // From a PUBLISH to its first answer: one message is timed at a time.
  const Histogram& acknowledgement_times() const { return acknowledgement_times_; }

 private:
  // An acknowledgement that the far broker will not send, since the message went at a lower QoS than it has here:
  // PUBACK for all of the exchange, or PUBCOMP.
  struct Answer {
    mqtt::PacketType type;
    PacketId packet_id;
  };
  // Messages that left at QoS 0 and are not in the socket yet.
  struct Unsent {
    std::uint64_t once = 0;       // messages of QoS 0: not in the books
    std::vector<Answer> answers;  // to the others, which the buffer holds until then
  };

  // Buffer::Sender
  bool ready(bool urgent) const override { return takes_once(urgent) && numbers_are_ready(); }
  bool takes_once(bool urgent) const override { return window().connected() && takes_more({.urgent = urgent}); }
  Duration gathers_for() const override { return options_.gathers_for; }
  bool fits(const broker::Publication& publication, const TopicMap::Mapping& mapping, mqtt::Qos qos) override;
  void send_once(const broker::Message::Fields& fields, const TopicMap::Mapping& mapping, bool retain,
                 Instant now) override;
  void note_removed(std::string_view topic) override {
    if (options_.notes_removed) offers_.note_removed(topic);
  }
  void begin_turn(Turn turn) override {
    turn_ = turn;
    turn_is_over_ = false;
  }
  std::uint64_t uncounted() const override { return in_output_.once + taken_out_.once; }

  // broker::PublishSink
  bool writable() const override { return !turn_is_over_ && takes_more(turn_) && numbers_are_ready(); }
  Outcome write_publish(const broker::Message& message, const broker::Delivery& delivery, Instant now) override;
  void write_pubrel(PacketId packet_id, Instant now) override;

  broker::Inflight& window() { return buffer_.window(); }
  const broker::Inflight& window() const { return buffer_.window(); }
  // As the far side gets them; borrowed until the next call.
  broker::Message::Fields remote_fields(broker::Message::Fields fields, const TopicMap::Mapping& mapping,
                                        std::uint64_t number, Instant now);
  static UserProperties path_property(const Options& options);
  bool takes_more(Turn turn) const {
    return remote_.writable() && (turn.urgent || !held_) && !(turn.drained && paced_until_) && !waits_for_answer();
  }
  // One message at a time is sent, and it is not the time.
  bool waits_for_answer() const { return suspects_.one_at_a_time() && (!is_quiet_ || window().count() > 0); }
  bool numbers_are_ready() const { return !options_.stamp.sequence || buffer_.numbers_are_ready(); }
  void send_waiting(Instant now);
  // The highest QoS at which messages go.
  mqtt::Qos maximum_qos() const;
  std::optional<Oddity> handle_puback(PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  std::optional<Oddity> handle_pubrec(PacketId packet_id, mqtt::ReasonCode reason, Instant now);
  std::optional<Oddity> handle_pubcomp(PacketId packet_id, Instant now);
  // Returns `acknowledged`: whether the far broker has answered a message.
  bool note_progress(bool acknowledged, Instant now);
  void answer(const Answer& answer, Instant now);
  void note_echo(ByteView payload, Instant now);
  void pace(const broker::Message& message, Instant now);
  void note_answered(PacketId packet_id, Instant now);
  void note_sent(const broker::Message& message, PacketId packet_id, Instant now);
  std::size_t lookahead() const;

  // A message of no more is not large for any broker.
  static constexpr std::size_t kSmallBytes = 1 * KiB;

  // Constant after construction.
  Buffer& buffer_;
  RemoteSession& remote_;
  const Options options_;
  const UserProperties path_;

  broker::PublishPace pace_;
  std::optional<Instant> paced_until_;
  Turn turn_;                     // whose messages are sent now
  bool turn_is_over_ = false;     // the next of them waits for the pace of its rule
  std::uint16_t window_max_ = 0;  // of the present connection
  bool held_ = false;             // likewise; see hold()
  bool lacks_exactly_once_ = false;
  RetainedOffers offers_;
  Instant sent_since_ = kNever;
  Unsent in_output_;
  Unsent taken_out_;             // by the caller, whose socket has no room for it yet
  std::vector<Answer> answers_;  // due now
  std::optional<Instant> inflight_since_;
  // Messages in flight, on this connection, that are larger than all that were ever answered.
  struct Large {
    PacketId packet_id;
    std::size_t bytes;
  };
  std::vector<Large> large_;
  std::size_t largest_answered_ = kSmallBytes;
  Suspects suspects_;
  bool is_quiet_ = false;               // see set_quiet()
  Instant last_sent_ = Instant::min();  // a message whose answer is waited for
  std::optional<Instant> last_acknowledgement_;
  // The message that is timed, from when it was written; 0: none.
  PacketId timed_;
  Instant timed_since_{};
  Histogram acknowledgement_times_;
  std::string topic_;      // the remote topic of the message being sent
  ByteBuffer properties_;  // its properties, where it gets others than it has
};

}  // namespace furrow::bridge
