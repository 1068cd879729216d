#include "tests/bench/load/upstream.h"

#include <algorithm>
#include <utility>

#include "tests/bench/load/fail.h"

namespace furrow::load {
namespace {

using namespace std::string_view_literals;

// Bridges to Mosquitto set the highest bit of the protocol level.
constexpr unsigned kBridgeBit = 0x80;

}  // namespace

Upstream::Upstream(std::uint16_t port) : listener_(Socket::listen_on_loopback(port)), buffer_(kReadBytes) {
  epoll_.add(listener_, kListener);
}

bool Upstream::turn(std::chrono::milliseconds longest) {
  write();
  const std::span<const epoll_event> events = epoll_.wait(longest);
  for (const epoll_event& event : events) {
    if (event.data.u64 == kListener) {
      accept();
      continue;
    }
    if ((event.events & EPOLLOUT) != 0) {
      blocked_ = false;
      epoll_.change(*bridge_, kBridge, EPOLLIN);
    }
    if ((event.events & ~EPOLLOUT) != 0) read();
  }
  write();
  return !events.empty();
}

void Upstream::accept() {
  Socket socket = listener_.accept();
  if (socket.get() < 0) return;
  if (bridge_) fail("the bridge connected a second time");
  bridge_.emplace(std::move(socket));
  epoll_.add(*bridge_, kBridge);
}

void Upstream::read() {
  // What was left over goes before what comes, so that every frame lies in one piece.
  const std::size_t left = rest_.size();
  if (buffer_.size() < left + kReadBytes) buffer_.resize(left + kReadBytes);
  std::ranges::copy(rest_, buffer_.begin());
  const std::ptrdiff_t count = bridge_->read(std::span(buffer_).subspan(left));
  if (count < 0) fail("the bridge closed its connection");
  std::string_view bytes(buffer_.data(), left + static_cast<std::size_t>(count));
  while (const std::optional<Frame> frame = take_frame(bytes)) handle_frame(*frame);
  rest_.assign(bytes);
}

void Upstream::handle_frame(const Frame& frame) {
  switch (frame.type()) {
    case FrameType::Connect:
      return handle_connect(frame);
    case FrameType::Publish:
      return handle_publish(frame);
    case FrameType::Pingreq:
      return append_empty(output_, FrameType::Pingresp);
    default:
      fail("the bridge sent what a bridge that only sends up does not");
  }
}

void Upstream::handle_connect(const Frame& frame) {
  const std::size_t name_size = read_id(frame);
  if (frame.body.size() < 2 + name_size + 1) fail("the bridge sent a packet that ends too early");
  version_ = static_cast<std::uint8_t>(frame.body[2 + name_size]) & ~kBridgeBit;
  output_ += version_ == 5 ? "\x20\x03\x00\x00\x00"sv : "\x20\x02\x00\x00"sv;
  write();
  accepted_ = true;
}

void Upstream::handle_publish(const Frame& frame) {
  Publish publish = read_publish(frame);
  if (publish.qos != 1) fail("a message came with another QoS than it was published with");
  if (version_ == 5) skip_properties(publish.payload);
  on_publish(publish);
}

void Upstream::write() {
  if (!bridge_ || blocked_ || output_.empty()) return;
  const std::ptrdiff_t count = bridge_->write(output_);
  if (count < 0) fail("the bridge closed its connection");
  output_.erase(0, static_cast<std::size_t>(count));
  if (output_.empty()) return;
  blocked_ = true;
  epoll_.change(*bridge_, kBridge, EPOLLIN | EPOLLOUT);
}

}  // namespace furrow::load
