// One network connection as its owner sees it: bytes of MQTT in, bytes of MQTT out, whatever lies between.
//
// A TcpStream, and the layers upon it if there are any (layer.h). Most connections of sensors have none, and cost what
// their stream costs: its owner is the channel's owner, who is called directly. With layers it is an object on the heap
// that is in between; once every layer only passes bytes on, that object goes. Rejected: an interface that TcpStream
// and its layered form implement. It costs each idle client a virtual table, and nobody makes a third form.
//
//   layers     is_open()                    to the owner
//   none       always                       on_read, on_written, on_ended
//   some       once all of them are open    on_opened first, then as above; on_failed when a layer gives up
//
// Closing is by destruction, at any moment, also from within each call of the owner. A channel may be moved, from
// within them too; whoever gets it says who the owner is. Thread: loop.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "gateway/net/layer.h"
#include "gateway/net/tcp_stream.h"

namespace furrow::gateway {

class LayerStack;

class Channel {
 public:
  // As TcpStream::Owner; its bytes are those of MQTT. With layers `dry` may come by itself, behind the last bytes.
  class Owner : public TcpStream::Owner {
   public:
    // Every layer is open: bytes follow, and write() is allowed. Never called for a channel without layers.
    // `layers` is borrowed for the call: they say who the peer is.
    virtual void on_opened(const LayerStack& layers) { (void)layers; }
    // A layer gave up. The peer is there still, and is sent the layer's last words, if it has any: part with it, or
    // destroy the channel. Nothing comes after it.
    virtual void on_failed(const Error& why) = 0;

   protected:
    ~Owner() = default;
  };

  // None: closed.
  Channel();
  // A connected stream, and the layers upon it, the one next to the socket first. They begin with set_reading(true),
  // which takes an owner.
  explicit Channel(TcpStream stream, std::vector<std::unique_ptr<Layer>> layers = {});
  ~Channel();
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&& other) noexcept;

  // `owner` must outlive the channel, or be changed before.
  void set_owner(Owner& owner);
  explicit operator bool() const { return static_cast<bool>(stream_); }

  // REQUIRES for what follows: not closed.
  bool is_open() const;
  // The layer that the peer keeps waiting, for people. REQUIRES: !is_open().
  std::string_view opening() const;
  // Whether what the peer has shown to the layers holds at `now`, too.
  Status judge(WallTime now);
  // Reading is off at first. With layers it may be held up in spite of this: by a handshake on another thread, and by
  // words of a layer that the socket has not taken.
  void set_reading(bool reading);
  // Writes `output`, which is empty afterwards, and returns how many bytes of it the socket has got; the others are on
  // their way until on_written(). REQUIRES: is_open(), !writing().
  Result<std::size_t> write(ByteBuffer& output);
  bool writing() const { return stream_.writing(); }
  // See TcpStream.
  void acknowledge_now() { stream_.acknowledge_now(); }

  // The last of a connection: each layer says goodbye and goes, then the peer is told that nothing more is written, at
  // once or when the socket has taken what is on its way. What is read from now on is of no interest to anybody.
  void begin_parting();
  // For the owner, on_written() while parting.
  void finish_parting();

 private:
  class Layered;

  // From now on `owner` is the stream's.
  void drop_layers(Owner* owner, bool reading);

  TcpStream stream_;
  std::unique_ptr<Layered> layered_;
};
static_assert(sizeof(Channel) == 2 * sizeof(void*), "every idle client has one");

}  // namespace furrow::gateway
