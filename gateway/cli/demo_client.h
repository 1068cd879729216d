// A small MQTT 5 client for the demo: publishes and subscribes at QoS 2 over a connection that does not break.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "gateway/net/tcp_connector.h"
#include "gateway/net/tcp_stream.h"

namespace furrow::gateway {

class DemoClient final : private TcpStream::Owner {
 public:
  struct Options {
    std::uint16_t port = 0;  // of a broker on 127.0.0.1
    std::string client_id;
    std::string filter;  // empty: subscribes to nothing
  };
  struct Events {
    std::function<void()> on_ready;  // connected, and subscribed if that is wanted
    std::function<void(std::string_view topic, std::string_view payload)> on_message;
    std::function<void(std::string why)> on_failed;  // nothing comes after it; do not destroy the client from within
  };

  DemoClient(uv_loop_t& loop, Options options, Events events);
  ~DemoClient();

  // REQUIRES: ready.
  void publish(std::string_view topic, std::string_view payload);
  // Published, and not yet taken over by the broker: before PUBCOMP.
  std::size_t unacknowledged() const { return exchanges_.size(); }

 private:
  void on_read(MutableBytes received, bool dry) override;
  void on_written(std::size_t) override { write(); }
  void on_ended(const Error& why) override { fail(why.message()); }

  void on_connected(Result<std::unique_ptr<TcpStream>> stream);
  void handle(const mqtt::Connack& connack);
  void handle(const mqtt::Suback& suback);
  void handle(const mqtt::Publish& publish);
  void handle(const mqtt::Pubrec& pubrec);
  void handle(const mqtt::Pubrel& pubrel);
  void handle(const mqtt::Pubcomp& pubcomp);
  void handle(const mqtt::Disconnect& disconnect);
  template <typename Other>
  void handle(const Other&) {
    fail("the broker sent a packet that was not asked for");
  }
  void send(const mqtt::Packet& packet);
  void write();
  void fail(std::string why);
  PacketId next_packet_id();

  const Options options_;
  const Events events_;
  std::unique_ptr<TcpConnector> connector_;
  std::unique_ptr<TcpStream> stream_;  // none after a failure
  mqtt::Decoder decoder_;
  ByteBuffer output_;
  PacketId last_packet_id_;
  std::unordered_set<std::uint16_t> exchanges_;  // packet identifiers of ours in use
};

}  // namespace furrow::gateway
