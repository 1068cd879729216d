// A bridge: our client to one far broker, which sends what its buffer has.
//
//   phase \ event   TCP is up     attempt failed   CONNACK   refused   lost              time
//   Idle            –             –                –         –         –                 –
//   Connecting      Handshaking   next             –         –         –                 next (15 s or 30 s)
//   Handshaking     –             –                Online    next      dialect or next   dialect or next (10 s)
//   Online          –             –                –         –         Backoff or next   PINGREQ; stalled → Backoff
//   Backoff         –             –                –         –         –                 Connecting
//   Waiting         –             –                –         –         –                 Connecting
//   Leaving         –             –                –         –         what follows      what follows (2 s)
//
// `what follows` is Idle for good, Waiting, or Connecting anew. Where window and demand do not want a connection
// (connect_times.h), Connecting and Backoff are Waiting instead.
// `next` is Connecting to the next address at once, or after the last of them Backoff. `dialect`, and a refusal of the
// version, is Connecting to the same address with another dialect. After a connection that was good its address comes
// first again, after a short delay. Online at a later address of the list, a bridge probes the earlier ones now and
// then, and is Connecting to one that is well again. Events of a network connection that was given up meanwhile are
// ignored. An operator may have the bridge rest (Idle), or take leave and go again to Connecting at an address of the
// operator's choice, where it stays as long as that is well.
//
// The state in the status is judged by progress: after a connection that stalled, Online is `stalled` until the far
// broker acknowledges something.
//
// Sans-IO, with the same contract as the broker: handle_* for what happened, then poll_command() until it gives
// nothing, and output() to the network connection; the latter may also have grown after the broker's turn. `now` never
// goes backwards. Parts: way_up (what the buffer has), way_down (subscriptions), presence (whether we are
// there), remote_session (MQTT on the connection), dialect (which version), link_history (what connections were worth),
// drain, reports (the log).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bridge/address.h"
#include "bridge/backoff.h"
#include "bridge/buffer.h"
#include "bridge/connect_times.h"
#include "bridge/dialect.h"
#include "bridge/drain.h"
#include "bridge/link_history.h"
#include "bridge/loop_guard.h"
#include "bridge/presence.h"
#include "bridge/rate.h"
#include "bridge/redirect.h"
#include "bridge/remote_session.h"
#include "bridge/reports.h"
#include "bridge/retained_sync.h"
#include "bridge/snapshot.h"
#include "bridge/topic_map.h"
#include "bridge/way_down.h"
#include "bridge/way_up.h"
#include "broker-core/base/log.h"
#include "broker-core/broker.h"

namespace furrow::bridge {

struct Options {
  std::string name;
  bool enabled = true;
  std::vector<Address> addresses;  // in order of preference
  VersionChoice version = VersionChoice::Auto;
  std::string client_id;
  std::optional<std::string> username;
  Duration keep_alive = std::chrono::seconds(30);
  Duration ack_timeout = std::chrono::seconds(30);  // without progress for this long: stalled
  std::uint16_t inflight_max = 0;                   // 0: what the far broker allows, at most 1000;
                                                    // in 3.1.1 100, but no QoS 2 beyond 20
  std::uint32_t session_expiry_s = 7 * 24 * 3600;
  RemoteLimits known;      // of the far broker, where it does not say less
  std::string gateway_id;  // for stamps, and paths
  LoopGuard loop_guard;
  bool mesh = false;                            // messages have ids, and say by which gateways they came
  StampOptions stamp;                           // of what goes up
  Duration coalesce{};                          // how long output waits for more, to fill a segment; 0: not at all
  broker::PublishRate drain;                    // how fast a backlog leaves
  bool live_first = false;                      // what comes meanwhile leaves before it
  bool retain_sync = false;                     // what is retained here and there becomes the same
  Duration failback = std::chrono::minutes(5);  // how often an earlier address is tried again; 0: never
  Duration backoff_initial = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::seconds(60);
  ConnectTimes::Options times;
  broker::OutboxLimits buffer;  // at first, see Bridge::set_limits()
  std::vector<Rule> rules;      // likewise, set_rules()
  Presence::Options presence;
  std::uint64_t seed = 1;
};

// A command is for the world to carry out. At most one network connection, or attempt at one, exists at a time:
// Disconnect ends it, without waiting for output(), and nothing more is reported of it.
struct Connect {
  Address address;
};
struct Disconnect {};
// Whether a connection could be made there; handle_probed() says so. The connection that there is goes on meanwhile.
// The next Connect or Disconnect gives it up.
struct Probe {
  Address address;
};
using Command = std::variant<Connect, Disconnect, Probe>;

class Bridge final : private RemoteSession::Handler {
 public:
  // Attaches itself to `buffer`, which gets the rules and limits of `options`. The buffer of a bridge that is not
  // enabled keeps its messages and takes no more. `buffer`, `broker` and `log` must outlive it. To take a bridge away
  // while the gateway goes on, shut_down() comes first, until it has left().
  Bridge(Options options, Buffer& buffer, broker::Broker& broker, Log& log, Instant now);

  // The next command; nothing when there are no more. Ask after every handle_*.
  std::optional<Command> poll_command();
  // Bytes for the network connection.
  ByteBuffer& output() { return remote_.output(); }
  // Whether to write output() now, or to leave it for more to come with it (Options::coalesce): ask at every turn.
  bool review_output(Instant now);
  // Whether there is a command, or output that is to be written and that the network has not refused to take.
  bool has_work() const;
  // Whether not to read from the network connection for now.
  bool reading_paused() const;

  // The network connection is up. `password` is read afresh by the caller.
  void handle_connected(std::optional<std::string> password, Instant now);
  // It could not be made, for `reason` in words.
  void handle_connect_failed(std::string_view reason, Instant now);
  // The answer to Probe.
  void handle_probed(bool reached, Instant now);
  // `dry`: the socket had no more than these bytes.
  void handle_bytes(ByteView bytes, bool dry, Instant now);
  // The caller has taken all of output(), and the socket not all of that yet: handle_sent() follows.
  void handle_taken();
  // The socket has everything that was taken from output().
  void handle_sent(Instant now);
  // The network connection ended, other than by our Disconnect. Errc::Closed: the far side ended it in order;
  // Errc::Reset: perhaps it did, with bytes of ours unread.
  void handle_closed(const Error& why, Instant now);
  void handle_timeout(Instant now);
  Instant next_deadline() const;
  // The minute of the local day, for a window; nothing: the clock is not trusted. At each change of it.
  void handle_minute(std::optional<std::uint16_t> minute, Instant now);
  bool has_window() const { return times_.has_window(); }
  // An online bridge says DISCONNECT and connects anew; what is in flight is resumed.
  void renew_connection(Instant now);
  // Something that the operator is to know of what the next or the present CONNECT says; empty: nothing.
  void set_notice(std::string notice, Instant now);
  // Says DISCONNECT; the command Disconnect follows once the socket has taken it. The queue stays as it is.
  void shut_down(Instant now);
  // Whether the bridge has no connection, and wants none.
  bool left() const { return phase_ == Phase::Idle; }

  // --- for the operator ---
  // The pause of the buffer has begun or has ended: the bridge takes leave of the far broker, or connects to it.
  void handle_pause_changed(Instant now);
  // Why it wants no connection; empty when it wants one.
  std::string rest_reason() const;
  // Takes leave of the far broker, and connects again: in the order of the addresses, or to the one at `place` first.
  // REQUIRES: rest_reason() is empty.
  void reconnect(std::optional<std::size_t> place, Instant now);
  const std::vector<Address>& addresses() const { return options_.addresses; }
  // For who traces it: where it is connected to, and how far it is there. REQUIRES: handle_connected() was called.
  std::string remote() const { return address().url(); }
  broker::StreamState stream_state() const { return remote_.stream_state(); }

  // --- rules and limits, which may change while the bridge runs ---
  // Subscribes and unsubscribes the difference, here and at the far broker. REQUIRES: as TopicMap.
  void set_rules(std::vector<Rule> rules, Instant now);
  void set_limits(const broker::OutboxLimits& limits) { buffer_.set_limits(limits); }

  // --- what the far broker retains of this gateway; see presence.h ---
  // Whether it takes news now; and whether it waits for the first of this connection.
  bool takes_presence() const { return phase_ == Phase::Online && presence_.is_ready(); }
  bool wants_presence() const { return phase_ == Phase::Online && presence_.is_news(); }
  // REQUIRES: takes_presence().
  void publish_presence(std::string_view payload, Instant now);

  // Rises with each change of the state or its reason.
  std::uint64_t status_changes() const { return status_changes_; }
  // Changes nothing: the state is as of the last event, and rates are at most a second old.
  Snapshot snapshot() const;
  // That of the buffer, which may be renamed.
  const std::string& bridge_name() const { return buffer_.name(); }

 private:
  enum class Phase : std::uint8_t { Idle, Connecting, Handshaking, Online, Backoff, Waiting, Leaving };
  // The phase after Leaving: Idle until the operator says so, Waiting, or Connecting, for a reason of ours or because
  // the operator has asked for it.
  enum class After : std::uint8_t { Rest, Waiting, Anew, Asked };
  enum class Wait : std::uint8_t { Growing, Brief };

  // RemoteSession::Handler
  void handle_accepted(bool session_present, Instant now) override;
  void handle_refused(const mqtt::Connack& connack, Instant now) override;
  void handle_stranger(Stranger stranger, Instant now) override;
  void handle_silence(Instant now) override;
  void handle_publish(const mqtt::Publish& publish, Instant now) override;
  void handle_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason, Instant now) override;
  void handle_suback(const mqtt::Suback& suback, Instant now) override;
  void handle_unsuback(const mqtt::Unsuback& unsuback, Instant now) override;
  void handle_lost(std::string_view why, mqtt::ReasonCode code, Instant now) override;

  const Address& address() const { return redirected_to_ ? *redirected_to_ : options_.addresses[addresses_.current()]; }
  // Goes where the far broker sends us. False when it names no place, or sends us on and on.
  bool follow(const mqtt::Connack& connack, Instant now);
  Duration connect_timeout() const;
  Dialect make_dialect(bool comes_down, Instant now) const;
  // Keeps the dialect, which the far broker has understood, over restarts too where it is not the first to be tried.
  void remember_dialect(Instant now);
  // Connects to the address in turn, if a connection is wanted; `reason` is what went wrong before, or nothing.
  void dial(std::string reason, Instant now);
  bool wants_connection(Instant now) const;
  // Stays away until a connection is wanted.
  void wait(Instant now);
  // Leaves in order, until a connection is wanted again, when the window has closed or nothing moves.
  void review_times(Instant now);
  // Gives up the network connection, or the attempt at one.
  void hang_up();
  // The attempt failed: the next address, or backoff.
  void next(std::string reason, Wait wait, Instant now);
  // CONNECT was not answered with CONNACK: `why`, in words.
  void handle_no_answer(Dialect::Verdict verdict, std::string why, Instant now);
  // The connection, online until now, is given up; messages in flight wait again. Returns what it was worth.
  LinkHistory::Verdict end_connection(LinkHistory::End how, Instant now);
  // The far broker has ended the connection, online until now: perhaps for what it was sent.
  void handle_ended(std::string reason, LinkHistory::End how, WayUp::Ending ending, Instant now);
  // The connection, online until now, is lost.
  void lose(std::string reason, LinkHistory::End how, Instant now);
  void back_off(std::string reason, Wait how, Instant now);
  void handle_takeover(Instant now);
  void handle_stall(Instant now);
  // Says DISCONNECT where somebody listens. Then goes on as `after` says.
  void leave(After after, Instant now);
  void leave_now(Instant now);
  void look_at_pause(Instant now);
  // Asks whether the address at this place, before the current one, is well again; past the last of them, waits.
  void probe(std::size_t place, Instant now);
  void go_back(std::size_t place, Instant now);
  void note_failback(Instant now);
  // When the connection counts as stalled if nothing is acknowledged.
  Instant stall_due() const;
  std::uint16_t window() const;
  std::uint16_t far_window() const;
  std::uint16_t exactly_once_window() const;
  // Brings state, reason and rates up to date, at the end of each event.
  void review(Instant now);
  void review_well(Instant now);
  void review_drain(Instant now);
  // Why an online bridge is not entirely well; empty when it is.
  std::string shortcoming() const;
  void move_rates(Instant now);
  bool rates_move() const {
    return draining_ || up_rate_.is_moving(buffer_.delivered()) || down_rate_.is_moving(buffer_.received());
  }
  void set_state(State state, std::string reason, Instant now);
  Reports::Waiting waiting() const { return {buffer_.waiting(), buffer_.oldest()}; }
  ConnectTimes::Queue queue() const { return {buffer_.waiting(), buffer_.oldest(), buffer_.has_urgent()}; }
  Drain::Counts counts() const { return {buffer_.backlog(), buffer_.inflight(), buffer_.delivered()}; }

  // Constant after construction.
  const Options options_;
  Buffer& buffer_;
  broker::Broker& broker_;

  AddressOrder addresses_;
  Backoff backoff_;
  Dialect dialect_;
  RemoteSession remote_;
  Presence presence_;
  WayUp up_;
  WayDown down_;
  RetainedSync retained_;
  LinkHistory history_;
  ConnectTimes times_;
  Drain drain_;
  Reports reports_;

  Phase phase_ = Phase::Idle;
  Instant deadline_ = kNever;  // of the phase
  After after_leaving_ = After::Rest;
  bool stopping_ = false;
  Instant pause_look_due_ = kNever;    // while the buffer is paused for some time
  std::optional<std::size_t> chosen_;  // the place of the address that an operator wants
  Instant expiry_due_{};               // when to look again for expired messages in the buffer
  Instant patience_until_{};           // no stall before: acknowledgements may lie unread in the socket
  std::optional<Instant> last_takeover_;
  std::optional<Instant> contested_;   // the last one that came soon after another
  std::optional<Instant> pushed_out_;  // the last one that is only supposed
  Instant finished_by_ = kNever;       // the window has closed: what is in flight has until then
  std::uint64_t moved_ = 0;            // messages of either direction that have come to their end, as of the last event
  bool network_ = false;               // the caller has a connection for us, or is making one
  bool sending_ = false;               // the socket has not all of what the caller took
  bool disconnect_wanted_ = false;
  std::optional<Instant> gathering_until_;  // output waits for more; see review_output()
  std::optional<Address> connect_wanted_;
  std::optional<Address> redirected_to_;  // instead of the address in turn, until the connection or the attempt ends
  unsigned redirects_ = 0;                // in a row

  // Online at a later address.
  Instant failback_due_ = kNever;
  Duration failback_wait_;                   // grows while earlier addresses can be reached and do not let us in
  std::optional<std::size_t> gone_back_to_;  // the place, until we are online again
  std::optional<std::size_t> probing_;       // the place that is asked for
  std::optional<Address> probe_wanted_;

  // For the status.
  State state_ = State::Connecting;
  std::string reason_;
  Instant since_;
  std::uint64_t status_changes_ = 0;
  std::string stall_reason_;  // why history_ is owing
  std::string notice_;
  // The present connection has these:
  std::string subscription_fault_;  // the last refusal
  std::string odd_answer_;          // the last answer that was ignored
  bool resumed_ = false;            // the far broker had the session
  bool announced_ = false;          // the log knows that we are online
  bool draining_ = false;
  std::uint64_t connects_ = 0;
  Rate up_rate_;
  Rate down_rate_;
  Instant rates_due_{};  // when to move them again, if they move at all
};

}  // namespace furrow::bridge
