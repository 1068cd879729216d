// One TCP connection, accepted or made by us.
//
// Reads into the loop's one buffer. Writes what the socket takes at once straight from the caller's buffer; a rest is
// moved (not copied) to the loop and written when the socket has room. Closing is by destruction, at any moment.
// A stream is its handle and nothing else: the handle knows the owner, whether it reads and what is left to write.
// Thread: loop.
#pragma once

#include <uv.h>

#include <cstddef>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/result.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

class TcpStream {
 public:
  // Who is told. The stream may be destroyed from within each of these.
  class Owner {
   public:
    // `dry`: the socket had no more than these bytes. They are borrowed for the call, and may be overwritten.
    virtual void on_read(MutableBytes bytes, bool dry) = 0;
    // The rest of the last write() has been taken, `bytes` of it.
    virtual void on_written(std::size_t bytes) = 0;
    // The peer closed (Errc::Closed), or the connection broke (Errc::Reset, Errc::Io). Nothing comes after it.
    virtual void on_ended(const Error& why) = 0;

   protected:
    ~Owner() = default;
  };

  // None: closed.
  TcpStream() = default;
  // An unconnected socket; `owner` must outlive the stream, or be changed before.
  TcpStream(uv_loop_t& loop, Owner* owner);
  ~TcpStream();
  TcpStream(TcpStream&&) noexcept = default;
  TcpStream& operator=(TcpStream&&) noexcept = default;

  explicit operator bool() const { return handle_.get() != nullptr; }

  // REQUIRES for what follows: not closed.
  void set_owner(Owner* owner) { handle_.set_data(owner); }
  uv_tcp_t* uv() { return handle_.get(); }

  // Takes over a connected socket. On failure the descriptor is the caller's still.
  Status adopt(int descriptor);
  // Sets what every connection has (TCP_NODELAY). For sockets that have just been connected.
  void start();

  // Has TCP acknowledge what came at once instead of with the next bytes that we write (TCP_QUICKACK; lasts for the
  // moment only).
  void acknowledge_now();

  // Reading is off at first. What it is already costs nothing to say again.
  void set_reading(bool reading);

  // Writes `output`, which is empty afterwards, and returns how many bytes the socket took at once. The rest is on its
  // way until on_written(). REQUIRES: !writing().
  Result<std::size_t> write(ByteBuffer& output);
  bool writing() const;

  // Tells the peer that nothing more will be written. REQUIRES: !writing().
  void end_writing();

 private:
  struct Rest;

  void begin_write(ByteBuffer bytes);
  static void on_read(uv_stream_t* handle, ssize_t count, const uv_buf_t* buffer);
  static void on_written(uv_write_t* request, int status);

  UvHandle<uv_tcp_t> handle_;  // its data is the owner
};
static_assert(sizeof(TcpStream) == sizeof(void*), "every idle client has one");

// An error of libuv in words.
std::string_view uv_text(int code);

}  // namespace furrow::gateway
