// What lies between MQTT and the socket of a client: TLS, or WebSocket. Plain bytes go in and come out; what they are
// on the wire is the caller's to carry. What is written before the connection is open waits here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace furrow::load {

class Transport {
 public:
  enum class Kind : std::uint8_t { Tcp, Tls, WebSocket };
  // nullptr for TCP: there is nothing between.
  static std::unique_ptr<Transport> make(Kind kind);

  virtual ~Transport() = default;
  // Appends what opens the connection.
  virtual void open(std::string& wire) = 0;
  // Appends what these bytes are on the wire.
  virtual void write(std::string_view plain, std::string& wire) = 0;
  // Appends the plain bytes of what came, and to `wire` what it calls for.
  virtual void read(std::string_view came, std::string& plain, std::string& wire) = 0;
};

}  // namespace furrow::load
