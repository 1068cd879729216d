#include "tests/bench/load/fleet.h"

#include <algorithm>
#include <utility>

#include "tests/bench/load/fail.h"

namespace furrow::load {
namespace {

// No more than brokers keep in their queue of new connections: one that is full costs a second.
constexpr std::size_t kConnectingMax = 64;

}  // namespace

std::string& Client::output() {
  if (!dirty_) {
    dirty_ = true;
    fleet_.dirty_.push_back(this);
  }
  return output_;
}

void Client::flush() {
  fleet_.write(*this);
}

Fleet::Fleet(const Broker& broker, std::string name) : broker_(broker), name_(std::move(name)), buffer_(kReadBytes) {}

void Fleet::connect(std::size_t count) {
  const std::size_t wanted = clients_.size() + count;
  missing = [this, wanted] { return std::to_string(wanted - connected_) + " connections not accepted"; };
  while (connected_ < wanted) {
    while (clients_.size() < wanted && clients_.size() - connected_ < kConnectingMax) {
      const auto index = static_cast<std::uint32_t>(clients_.size());
      Client& client = clients_.emplace_back(*this, index, Socket::connect_to(broker_.port), broker_.over);
      epoll_.add(client.socket_, index);
      if (client.transport_ != nullptr) client.transport_->open(client.wire_);
      append_connect(client.output(), name_ + "-" + std::to_string(index), broker_.user, broker_.password);
      client.flush();
    }
    turn();
  }
}

void Fleet::subscribe(Client& client, std::span<const std::string> filters, unsigned qos) {
  const std::uint32_t before = client.subscriptions_acknowledged_;
  append_subscribe(client.output(), static_cast<std::uint16_t>(before + 1), filters, qos);
  client.flush();
  missing = [] { return std::string("a SUBACK"); };
  while (client.subscriptions_acknowledged_ == before) turn();
}

void Fleet::turn() {
  write_all();
  if (handle_events(broker_.patience) == 0) stall();
  write_all();
}

void Fleet::turn_without_waiting() {
  write_all();
  handle_events({});
  write_all();
}

std::size_t Fleet::handle_events(std::chrono::milliseconds longest) {
  const std::span<const epoll_event> events = epoll_.wait(longest);
  for (const epoll_event& event : events) {
    Client& client = clients_[event.data.u64];
    if ((event.events & EPOLLOUT) != 0) {
      client.blocked_ = false;
      epoll_.change(client.socket_, client.index_, EPOLLIN);
      write(client);
    }
    if ((event.events & ~EPOLLOUT) != 0) read(client);
  }
  return events.size();
}

void Fleet::read(Client& client) {
  // What was left over goes before what comes, so that every frame lies in one piece.
  const std::size_t left = client.rest_.size();
  if (buffer_.size() < left + kReadBytes) buffer_.resize(left + kReadBytes);
  std::ranges::copy(client.rest_, buffer_.begin());
  const std::ptrdiff_t count = client.socket_.read(std::span(buffer_).subspan(left));
  if (count < 0) fail("the broker closed the connection of client " + std::to_string(client.index_));
  std::string_view bytes(buffer_.data(), left + static_cast<std::size_t>(count));
  if (client.transport_ != nullptr) {
    plain_.assign(client.rest_);
    client.transport_->read(bytes.substr(left), plain_, client.wire_);
    bytes = plain_;
    write(client);
  }
  while (const std::optional<Frame> frame = take_frame(bytes)) handle_frame(client, *frame);
  client.rest_.assign(bytes);
}

void Fleet::handle_frame(Client& client, const Frame& frame) {
  switch (frame.type()) {
    case FrameType::Connack:
      if (frame.body.size() != 2 || frame.body[1] != 0) fail("the broker refused a connection");
      client.connected_ = true;
      ++connected_;
      return;
    case FrameType::Suback:
      if (std::ranges::any_of(frame.body.substr(2), [](char granted) { return (granted & 0x80) != 0; })) {
        fail("the broker refused a subscription");
      }
      ++client.subscriptions_acknowledged_;
      return;
    default:
      on_frame(client, frame);
  }
}

void Fleet::write(Client& client) {
  if (client.blocked_) return;
  if (client.transport_ != nullptr && !client.output_.empty()) {
    client.transport_->write(client.output_, client.wire_);
    client.output_.clear();
  }
  std::string& output = client.transport_ != nullptr ? client.wire_ : client.output_;
  while (client.written_ < output.size()) {
    const std::ptrdiff_t count = client.socket_.write(std::string_view(output).substr(client.written_));
    if (count < 0) fail("the broker closed the connection of client " + std::to_string(client.index_));
    if (count == 0) {
      client.blocked_ = true;
      epoll_.change(client.socket_, client.index_, EPOLLIN | EPOLLOUT);
      return;
    }
    client.written_ += static_cast<std::size_t>(count);
  }
  output.clear();
  client.written_ = 0;
}

void Fleet::write_all() {
  for (Client* client : dirty_) {
    client->dirty_ = false;
    write(*client);
  }
  dirty_.clear();
}

void Fleet::stall() {
  fail("nothing came for " + std::to_string(broker_.patience.count()) + " s; missing: " + missing());
}

}  // namespace furrow::load
