// The way to one address of a bridge, walked step by step as the bridge would go it, without changing anything there.
//
//   name        the addresses that the host, or its proxy, has now
//   TCP         a connection, with the source address or interface of the bridge
//   proxy TLS WebSocket   the layers that the address has
//   CONNECT     as `CLIENT-check`, so that a bridge that runs is not pushed out; in 3.1.1 where MQTT 5 is not
//               understood, and a session that ends with its connection
//   limits      what CONNACK says
//   subscribe   each rule that lets something down; what is retained is not asked for
//   round trip  UNSUBSCRIBE and its answer
//
// Ends at the first step that fails, but for rules. Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/remote_session.h"
#include "config/config.h"
#include "gateway/net/channel.h"
#include "gateway/net/resolver.h"
#include "gateway/net/uv_handle.h"
#include "gateway/remote_way.h"

namespace furrow::gateway {

class LinkProbe final : private Channel::Owner, private bridge::RemoteSession::Handler {
 public:
  struct Step {
    std::string name;
    bool ok = false;
    std::string what;    // for people: what was found, or why it failed
    std::string advice;  // what to do; may be empty
  };
  struct Events {
    std::function<void(const Step& step)> on_step;
    std::function<void()> on_end;  // nothing comes after it
  };

  // `options` are those of the bridge, and `address` is one of its. The probe must not be destroyed from within an
  // event. All that is referred to must outlive it.
  LinkProbe(uv_loop_t& loop, Resolver& resolver, const Clock& clock, const config::Bridge& settings,
            bridge::Options options, bridge::Address address, Events events);
  ~LinkProbe();

  // Once. Events may come from within.
  void start();

 private:
  // Channel::Owner
  void on_opened(const LayerStack& layers) override;
  void on_failed(const Error& why) override;
  void on_read(MutableBytes bytes, bool dry) override;
  void on_written(std::size_t) override { write(); }
  void on_ended(const Error& why) override;
  // RemoteSession::Handler
  void handle_accepted(bool session_present, Instant now) override;
  void handle_refused(const mqtt::Connack& connack, Instant now) override;
  void handle_stranger(bridge::Stranger stranger, Instant now) override;
  void handle_silence(Instant) override {}  // the probe's own patience ends first
  void handle_publish(const mqtt::Publish&, Instant) override {}
  void handle_acknowledgement(mqtt::PacketType, PacketId, mqtt::ReasonCode, Instant) override {}
  void handle_suback(const mqtt::Suback& suback, Instant now) override;
  void handle_unsuback(const mqtt::Unsuback& unsuback, Instant now) override;
  void handle_lost(std::string_view why, mqtt::ReasonCode code, Instant now) override;

  void connect();
  void on_stream(Result<std::unique_ptr<TcpStream>> stream);
  void open_session();
  void next_rule();
  void write();

  // The step that begins now, and has to end before long.
  void begin(std::string step);
  void succeed(std::string what);
  void fail(std::string why, std::string advice = {});
  // CONNECT was not answered with CONNACK; tries the older version where that is left to us.
  void fail_connect(std::string why, std::string advice);
  void end();
  std::string taken() const;
  std::string advice() const;

  // Constant after construction.
  Resolver& resolver_;
  const Clock& clock_;
  const bridge::Options options_;
  const bridge::Address address_;
  const Events events_;

  RemoteWay way_;
  RemoteWay::Proxy proxy_;
  std::unique_ptr<Resolver::Request> look_up_;
  std::unique_ptr<TcpConnector> connector_;
  Channel channel_;
  bridge::RemoteSession remote_;
  UvHandle<uv_timer_t> patience_;

  mqtt::Version version_ = mqtt::Version::V5;
  std::string why_not_v5_;  // empty: it was not tried in vain
  std::string step_;
  Instant step_began_{};
  std::size_t rule_ = 0;  // that is subscribed to
  std::string told_;      // filters that were subscribed to; the last of them is unsubscribed from
  PacketId last_packet_id_;
  bool has_ended_ = false;
};

}  // namespace furrow::gateway
