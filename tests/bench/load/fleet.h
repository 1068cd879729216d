// Many MQTT clients of one broker, on one thread and one epoll: connects them, writes what is put into their outputs,
// and hands out the frames that come.
//
// A turn waits for the broker, hands out every frame that is there, and writes each output once, so that
// acknowledgements and batches leave gathered. When nothing comes for `patience`, the program fails and says what is
// missing.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/bench/load/broker.h"
#include "tests/bench/load/frames.h"
#include "tests/bench/load/sockets.h"
#include "tests/bench/load/transport.h"

namespace furrow::load {

class Fleet;

class Client {
 public:
  Client(Fleet& fleet, std::uint32_t index, Socket socket, Transport::Kind transport)
      : index_(index), fleet_(fleet), socket_(std::move(socket)), transport_(Transport::make(transport)) {}

  // In order of connecting, from 0.
  std::uint32_t index() const { return index_; }
  // Where to append frames; they leave at the end of the turn, or with flush().
  std::string& output();
  // Writes the output now.
  void flush();
  bool connected() const { return connected_; }

 private:
  friend class Fleet;

  const std::uint32_t index_;
  Fleet& fleet_;
  Socket socket_;
  const std::unique_ptr<Transport> transport_;  // nullptr: TCP alone
  std::string output_;
  std::string wire_;         // what the transport has made of it
  std::size_t written_ = 0;  // of what goes to the socket
  std::string rest_;         // an unfinished frame
  bool dirty_ = false;       // in the fleet's list of clients with output
  bool blocked_ = false;     // the socket takes no more for now
  bool connected_ = false;
  std::uint32_t subscriptions_acknowledged_ = 0;
};

class Fleet {
 public:
  // Client ids are `name`, a hyphen and the index.
  explicit Fleet(const Broker& broker, std::string name = "load");

  // Connects `count` more clients and waits until the broker has accepted them.
  void connect(std::size_t count);
  // Subscribes a client and waits for the SUBACK.
  void subscribe(Client& client, std::span<const std::string> filters, unsigned qos);
  void subscribe(Client& client, const std::string& filter, unsigned qos) { subscribe(client, {&filter, 1}, qos); }

  std::size_t size() const { return clients_.size(); }
  Client& operator[](std::size_t index) { return clients_[index]; }

  // Every PUBLISH and acknowledgement that comes goes here.
  std::function<void(Client&, const Frame&)> on_frame;
  // What is missing, for when nothing comes any more.
  std::function<std::string()> missing;

  // Waits for the broker, for `patience` at most.
  void turn();
  // Handles what is there, and returns at once.
  void turn_without_waiting();

 private:
  friend class Client;

  std::size_t handle_events(std::chrono::milliseconds longest);
  void read(Client& client);
  void handle_frame(Client& client, const Frame& frame);
  void write(Client& client);
  void write_all();
  void stall();

  const Broker& broker_;
  const std::string name_;
  Epoll epoll_;
  std::deque<Client> clients_;
  std::vector<Client*> dirty_;
  std::vector<char> buffer_;
  std::string plain_;  // of what was read, where it came by a transport
  std::size_t connected_ = 0;
};

}  // namespace furrow::load
