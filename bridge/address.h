// Where far brokers are: one address, and in which order those of a bridge are tried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace furrow::bridge {

struct Address {
  std::string host;
  std::uint16_t port = 1883;
  std::string scheme = "mqtt";  // mqtts, ws, wss
  std::string path = {};        // of WebSocket

  // `host:port`, an IPv6 address in brackets.
  std::string text() const {
    const bool is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  std::string url() const { return scheme + "://" + text() + path; }
  bool is_web() const { return scheme == "ws" || scheme == "wss"; }
  bool is_encrypted() const { return scheme == "mqtts" || scheme == "wss"; }
};

// A round tries each address once: first the one that worked last, then the others in the order of the file. At first
// none has worked, and the file alone decides.
class AddressOrder {
 public:
  explicit AddressOrder(std::size_t count) : count_(count) {}

  // The address in use, or next to be tried. REQUIRES: there is one.
  std::size_t current() const {
    if (place_ == 0) return worked_;
    return place_ <= worked_ ? place_ - 1 : place_;
  }
  // The current address let us in: the next round begins with it.
  void note_worked() {
    worked_ = current();
    place_ = 0;
  }
  // Whether the file has others before the current address.
  bool has_earlier() const { return current() > 0; }
  // That of this place is next, and a round begins with it.
  void go_to(std::size_t place) {
    worked_ = place;
    place_ = 0;
  }
  // The current address has failed. False when it was the last of the round, and a new round begins.
  bool advance() {
    place_ = place_ + 1 < count_ ? place_ + 1 : 0;
    return place_ != 0;
  }

 private:
  // Constant after construction.
  const std::size_t count_;

  std::size_t worked_ = 0;
  std::size_t place_ = 0;  // in the round
};

}  // namespace furrow::bridge
