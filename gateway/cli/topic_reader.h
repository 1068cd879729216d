// A client of MQTT 5 that a command has to read topics with, by TCP or TLS.
//
//   on_connected()   subscribe() from then on
//   on_suback()      the answer to each of them, in their order
//   on_message()     each message
//   on_failed()      the end
//
// Whoever keeps it waiting for longer than its patience has failed: from its begin, or expect_answer(), until
// answered(). Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "config/address.h"
#include "gateway/net/channel.h"
#include "gateway/net/resolver.h"
#include "gateway/net/tcp_connector.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

class TopicReader final : private Channel::Owner {
 public:
  struct Options {
    config::Address address;  // mqtt:// or mqtts://
    std::optional<std::string> username;
    std::optional<std::string> password;
    std::optional<std::string> ca;  // a file; nothing: what this system trusts
    std::vector<std::string> pins;  // as bridges[].pin: where there are any, they alone decide
    std::chrono::seconds patience{};
    std::chrono::seconds ping_interval{};  // how often it shows that it is there; 0: never, and no keep-alive
  };
  struct Events {
    std::function<void()> on_connected;
    std::function<void(mqtt::ReasonCode reason)> on_suback;
    std::function<void(const mqtt::Publish&)> on_message;
    std::function<void(std::string why)> on_failed;  // nothing comes after it
  };

  // The reader must not be destroyed from within an event. `resolver` must outlive it.
  TopicReader(uv_loop_t& loop, Resolver& resolver, Options options, Events events);
  ~TopicReader();

  // At QoS 0.
  void subscribe(std::string_view filter);
  void expect_answer();
  void answered() { uv_timer_stop(patience_.get()); }
  // Ends it with on_failed().
  void fail(std::string why);

 private:
  void on_opened(const LayerStack& layers) override;
  void on_failed(const Error& why) override { fail(why.message()); }
  void on_read(MutableBytes received, bool dry) override;
  void on_written(std::size_t) override { write(); }
  void on_ended(const Error& why) override { fail(why.message()); }

  void on_stream(Result<std::unique_ptr<TcpStream>> stream);
  std::vector<std::unique_ptr<Layer>> layers() const;
  void begin();
  void handle(const mqtt::Connack& connack);
  void handle(const mqtt::Suback& suback) { events_.on_suback(suback.reasons.front()); }
  void handle(const mqtt::Publish& publish) { events_.on_message(publish); }
  void handle(const mqtt::Pingresp&) {}
  void handle(const mqtt::Disconnect& disconnect);
  template <typename Other>
  void handle(const Other&) {
    fail("it sent a packet that was not asked for");
  }
  void send(const mqtt::Packet& packet);
  void write();

  const Options options_;
  const Events events_;
  std::unique_ptr<TcpConnector> connector_;
  Channel channel_;  // none after a failure
  UvHandle<uv_timer_t> patience_;
  UvHandle<uv_timer_t> ping_;
  mqtt::Decoder decoder_;
  ByteBuffer output_;
  PacketId last_packet_id_;
  bool failed_ = false;
};

// The address of --url; an error for one that is not of MQTT by TCP or TLS.
Result<config::Address> read_url(const std::string& url);

// The password in the file of --password-from, if one is given.
Result<std::optional<std::string>> read_password(const std::optional<std::string>& file);

}  // namespace furrow::gateway
