// The network side of one bridge: does what it asks for, and tells it what came of that. Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/bridge.h"
#include "config/config.h"
#include "gateway/clock.h"
#include "gateway/control/traces.h"
#include "gateway/net/channel.h"
#include "gateway/net/resolver.h"
#include "gateway/net/tcp_connector.h"
#include "gateway/remote_way.h"

namespace furrow::gateway {

class BridgeLink final : private Channel::Owner {
 public:
  // The password, certificates and keys that `settings` name are read again at each connect, so that they can change.
  // All that is referred to must outlive the link. `after_piece` as that of ClientLinks.
  BridgeLink(uv_loop_t& loop, Resolver& resolver, const Clock& clock, Traces& traces, bridge::Bridge& bridge,
             config::Bridge settings, std::function<void()> after_piece);

  bridge::Bridge& bridge() { return bridge_; }

  // Performs what the bridge wants and writes its output. Once a loop turn.
  void flush();
  // Writes the output when that is worth a write before the turn ends.
  void flush_full();

  // As ClientLinks::judge_peers().
  void judge_peer(WallTime time);

  // For a password that is a token and says when it ends (jwt.h): shortly before, the file is read again, and the
  // bridge connects anew with what lies there then.
  Instant next_deadline() const { return token_due_; }
  void handle_timeout(Instant now);

  bool disconnected() const { return !connector_ && !channel_; }

 private:
  void on_read(MutableBytes bytes, bool dry) override;
  void on_written(std::size_t bytes) override;
  void on_ended(const Error& why) override;
  void on_opened(const LayerStack& layers) override;
  void on_failed(const Error& why) override;

  void perform(const bridge::Connect& command);
  void perform(const bridge::Disconnect& command);
  void perform(const bridge::Probe& command);
  void on_connected(const bridge::Address& address, const RemoteWay::Proxy& proxy,
                    Result<std::unique_ptr<TcpStream>> stream);
  void fail_connect(const Error& why);
  // The channel is open, and the bridge may speak.
  void begin();
  void note_token(const std::optional<std::string>& password);
  void say_when_token_ends();
  void write();
  // For a trace.
  void note_ended(std::string_view why);

  const Clock& clock_;
  Traces& traces_;
  RemoteWay way_;
  const std::function<void()> after_piece_;
  bridge::Bridge& bridge_;
  // At most one of the two: on the way to a connection, or connected.
  std::unique_ptr<TcpConnector> connector_;
  std::unique_ptr<TcpConnector> probe_;  // beside them
  Channel channel_;
  // Of the password that the present connection has begun with.
  std::optional<WallTime> token_end_;
  Instant token_due_ = kNever;  // when the file is read again
};

}  // namespace furrow::gateway
