// A client of MQTT 5 that listens to one filter at a region, by TCP or TLS.
//
//   connects, subscribes: on_subscribed(), then on_message() for each that is retained, and each that is published
//   on_failed() ends it
//
// A region that does not let us in within kPatience has failed. Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "config/address.h"
#include "gateway/net/channel.h"
#include "gateway/net/resolver.h"
#include "gateway/net/tcp_connector.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

class RegionReader final : private Channel::Owner {
 public:
  static constexpr std::chrono::seconds kPatience{10};
  // How often it shows that it is there.
  static constexpr std::chrono::seconds kKeepAlive{30};

  struct Options {
    config::Address address;
    std::string filter;
    std::optional<std::string> username;
    std::optional<std::string> password;
    std::optional<std::string> ca;  // a file; nothing: what this system trusts
  };
  struct Events {
    std::function<void()> on_subscribed;
    std::function<void(std::string_view topic, std::string_view payload)> on_message;
    std::function<void(std::string why)> on_failed;  // nothing comes after it
  };

  // The reader must not be destroyed from within an event. `resolver` must outlive it.
  RegionReader(uv_loop_t& loop, Resolver& resolver, Options options, Events events);
  ~RegionReader();

 private:
  void on_opened(const LayerStack& layers) override;
  void on_failed(const Error& why) override { fail(why.message()); }
  void on_read(MutableBytes received, bool dry) override;
  void on_written(std::size_t) override { write(); }
  void on_ended(std::string_view reason) override { fail(std::string(reason)); }

  void on_connected(Result<std::unique_ptr<TcpStream>> stream);
  std::vector<std::unique_ptr<Layer>> layers() const;
  void begin();
  void handle(const mqtt::Connack& connack);
  void handle(const mqtt::Suback& suback);
  void handle(const mqtt::Publish& publish);
  void handle(const mqtt::Pingresp&) {}
  void handle(const mqtt::Disconnect& disconnect);
  template <typename Other>
  void handle(const Other&) {
    fail("it sent a packet that was not asked for");
  }
  void send(const mqtt::Packet& packet);
  void write();
  void fail(std::string why);

  const Options options_;
  const Events events_;
  std::unique_ptr<TcpConnector> connector_;
  Channel channel_;  // closed after a failure
  UvHandle<uv_timer_t> patience_;
  UvHandle<uv_timer_t> keep_alive_;
  mqtt::Decoder decoder_;
  ByteBuffer output_;
  bool failed_ = false;
};

}  // namespace furrow::gateway
