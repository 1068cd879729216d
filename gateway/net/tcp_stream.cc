#include "gateway/net/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <string>
#include <utility>

#include "gateway/net/event_loop.h"

namespace furrow::gateway {
namespace {

uv_stream_t* as_stream(uv_tcp_t* handle) {
  return reinterpret_cast<uv_stream_t*>(handle);  // NOLINT: libuv's kind of inheritance
}

uv_buf_t as_buffer(ByteBuffer& bytes) {
  const std::size_t size = std::min(bytes.size(), std::size_t{INT_MAX});
  return uv_buf_init(reinterpret_cast<char*>(bytes.data()), static_cast<unsigned>(size));
}

void lend_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  EventLoop::ReadBuffer& shared = EventLoop::read_buffer(*handle->loop);
  *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
}

Error uv_error(int code) {
  const bool is_reset = code == UV_ECONNRESET || code == UV_EPIPE;
  return {is_reset ? Errc::Reset : Errc::Io, std::string(uv_text(code))};
}

}  // namespace

std::string_view uv_text(int code) {
  return uv_strerror(code);
}

// What the socket did not take at once; owned by its callback.
struct TcpStream::Rest {
  uv_write_t request;
  ByteBuffer bytes;
};

TcpStream::TcpStream(uv_loop_t& loop, Owner* owner) : handle_(loop, owner, uv_tcp_init) {}

TcpStream::~TcpStream() {
  if (*this) handle_.set_data(nullptr);  // a rest is cancelled after this
}

Status TcpStream::adopt(int descriptor) {
  const int code = uv_tcp_open(handle_.get(), descriptor);
  if (code != 0) return Error(Errc::Io, "take over a connection: " + std::string(uv_text(code)));
  start();
  return {};
}

void TcpStream::start() {
  // Answers are gathered per loop turn already: waiting for more would only delay them. On a connection that is gone
  // it fails, which reading will show.
  (void)uv_tcp_nodelay(handle_.get(), 1);
}

void TcpStream::acknowledge_now() {
  uv_os_fd_t descriptor = -1;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(handle_.get()), &descriptor) != 0) return;
  const int on = 1;
  // Without it the client is slower, nothing more.
  (void)setsockopt(descriptor, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void TcpStream::set_reading(bool reading) {
  if (reading) {
    (void)uv_read_start(as_stream(handle_.get()), lend_buffer, on_read);  // UV_EALREADY if it does
  } else {
    (void)uv_read_stop(as_stream(handle_.get()));
  }
}

void TcpStream::on_read(uv_stream_t* handle, ssize_t count, const uv_buf_t* buffer) {
  auto& owner = *static_cast<Owner*>(handle->data);
  if (count == 0) return;  // nothing there after all
  if (count < 0) {
    (void)uv_read_stop(handle);
    owner.on_ended(count == UV_EOF ? Error(Errc::Closed, "closed by the peer") : uv_error(static_cast<int>(count)));
    return;
  }
  const auto size = static_cast<std::size_t>(count);
  owner.on_read({reinterpret_cast<std::uint8_t*>(buffer->base), size}, size < buffer->len);
}

bool TcpStream::writing() const {
  return uv_stream_get_write_queue_size(as_stream(handle_.get())) > 0;
}

Result<std::size_t> TcpStream::write(ByteBuffer& output) {
  FURROW_CHECK(!writing());
  const uv_buf_t buffer = as_buffer(output);
  const int taken = uv_try_write(as_stream(handle_.get()), &buffer, 1);
  if (taken < 0 && taken != UV_EAGAIN) return uv_error(taken);
  const std::size_t count = taken < 0 ? 0 : static_cast<std::size_t>(taken);
  output.consume(count);
  if (!output.empty()) begin_write(std::move(output));
  return count;
}

void TcpStream::begin_write(ByteBuffer bytes) {
  auto* const rest = new Rest{.request = {}, .bytes = std::move(bytes)};
  rest->request.data = rest;
  const uv_buf_t buffer = as_buffer(rest->bytes);
  // Fails for a closing handle only; with a live one every error comes by the callback.
  FURROW_CHECK(uv_write(&rest->request, as_stream(handle_.get()), &buffer, 1, on_written) == 0);
}

void TcpStream::end_writing() {
  FURROW_CHECK(!writing());
  uv_os_fd_t socket = -1;
  const bool is_open = uv_fileno(reinterpret_cast<uv_handle_t*>(handle_.get()), &socket) == 0;
  // Fails on a connection that is gone, which reading will show.
  if (is_open) (void)::shutdown(socket, SHUT_WR);
}

void TcpStream::on_written(uv_write_t* request, int status) {
  const std::unique_ptr<Rest> rest(static_cast<Rest*>(request->data));
  auto* const owner = static_cast<Owner*>(request->handle->data);
  if (owner == nullptr) return;  // the stream is gone
  if (status == 0) {
    owner->on_written(rest->bytes.size());
  } else {
    (void)uv_read_stop(request->handle);
    owner->on_ended(uv_error(status));
  }
}

}  // namespace furrow::gateway
