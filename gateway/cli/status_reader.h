// A client of MQTT 5 that reads the status documents of a gateway, again and again.
//
//   connects, subscribes `$SYS/furrow/bridge/+` and `$SYS/furrow/alarms`, then `$SYS/furrow/gateway`
//   with the gateway's document all are there, since messages come in the order of the subscriptions: on_documents()
//   refresh() subscribes again, which brings documents of that moment: a gateway renders them for new subscribers
//
// A gateway that does not answer within kPatience has failed. Thread: loop.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/packet.h"
#include "gateway/net/resolver.h"
#include "gateway/net/tcp_connector.h"
#include "gateway/net/tcp_stream.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

struct StatusDocuments {
  std::string gateway;
  std::map<std::string, std::string> bridges;  // by name
  std::string alarms;                          // empty: the gateway is of a version that has none
};

class StatusReader final : private TcpStream::Owner {
 public:
  static constexpr std::chrono::seconds kPatience{5};

  struct Options {
    std::string host;
    std::uint16_t port = 0;
    std::optional<std::string> username;
    std::optional<std::string> password;
  };
  struct Events {
    std::function<void(const StatusDocuments&)> on_documents;
    std::function<void(std::string why)> on_failed;  // nothing comes after it
  };

  // The reader must not be destroyed from within an event. `resolver` must outlive it.
  StatusReader(uv_loop_t& loop, Resolver& resolver, Options options, Events events);
  ~StatusReader();

  // Asks again. REQUIRES: within, or after, on_documents().
  void refresh();

 private:
  void on_read(MutableBytes received, bool dry) override;
  void on_written(std::size_t) override { write(); }
  void on_ended(std::string_view reason) override { fail(std::string(reason)); }

  void on_connected(Result<std::unique_ptr<TcpStream>> stream);
  void handle(const mqtt::Connack& connack);
  void handle(const mqtt::Suback& suback);
  void handle(const mqtt::Publish& publish);
  void handle(const mqtt::Disconnect& disconnect);
  template <typename Other>
  void handle(const Other&) {
    fail("it sent a packet that was not asked for");
  }
  void subscribe(std::string_view filter);
  void send(const mqtt::Packet& packet);
  void write();
  void wait_no_longer();
  void fail(std::string why);

  const Options options_;
  const Events events_;
  std::unique_ptr<TcpConnector> connector_;
  std::unique_ptr<TcpStream> stream_;  // none after a failure
  UvHandle<uv_timer_t> patience_;
  mqtt::Decoder decoder_;
  ByteBuffer output_;
  PacketId last_packet_id_;
  StatusDocuments documents_;
  bool failed_ = false;
};

}  // namespace furrow::gateway
