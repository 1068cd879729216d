#include "gateway/cli/demo_proxy.h"

#include <sys/socket.h>

#include <utility>

#include "gateway/net/tcp_connector.h"
#include "gateway/net/tcp_stream.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {
namespace {

// 12 kbit/s: the backlog of an outage takes its time, so that the drain can be seen.
constexpr std::uint64_t kBytesPerSecond = 1500;

// Closed with this, a connection ends by a reset, and what is under way in it is thrown away.
void make_close_reset(int descriptor) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void make_close_reset(TcpStream& stream) {
  uv_os_fd_t descriptor = -1;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(stream.uv()), &descriptor) == 0) make_close_reset(descriptor);
}

}  // namespace

// One connection from below, and the one above that belongs to it.
class DemoProxy::Pair {
 public:
  Pair(DemoProxy& proxy)
      : proxy_(proxy), below_(*this, true), above_(*this, false), pause_(proxy.loop_, this, uv_timer_init) {}

  bool open(Descriptor connection) {
    below_.stream = std::make_unique<TcpStream>(proxy_.loop_, &below_);
    if (!below_.stream->adopt(connection.get())) return false;
    (void)connection.release();
    connector_ = std::make_unique<TcpConnector>(
        proxy_.loop_, *SocketAddress::parse("127.0.0.1", proxy_.port_),
        [this](Result<std::unique_ptr<TcpStream>> stream) { on_connected(std::move(stream)); });
    return true;
  }

  void reset() {
    for (Side* side : {&below_, &above_}) {
      if (side->stream) make_close_reset(*side->stream);
    }
  }

 private:
  struct Side final : TcpStream::Owner {
    Side(Pair& its_pair, bool is_below) : pair(its_pair), below(is_below) {}
    void on_read(MutableBytes bytes, bool) override { pair.forward(*this, bytes); }
    void on_written(std::size_t) override { pair.resume(pair.other(*this)); }
    void on_ended(const Error&) override { pair.end(); }

    Pair& pair;
    const bool below;
    std::unique_ptr<TcpStream> stream;
  };

  Side& other(Side& side) { return side.below ? above_ : below_; }

  void on_connected(Result<std::unique_ptr<TcpStream>> stream) {
    connector_.reset();
    if (!stream) {
      end();
      return;
    }
    above_.stream = *std::move(stream);
    above_.stream->set_owner(&above_);
    above_.stream->set_reading(true);
    below_.stream->set_reading(true);
  }

  void forward(Side& from, ByteView bytes) {
    const bool cutting = proxy_.state_ == State::Cutting && from.below;
    if (cutting) bytes = bytes.first(bytes.size() / 2);
    TcpStream& to = *other(from).stream;
    ByteBuffer output;
    output.append(bytes);
    const bool written = to.write(output).has_value();
    if (cutting) {
      proxy_.take_down();
    } else if (!written) {
      end();
    } else {
      if (from.below) pause_for(bytes.size());
      if ((from.below && paused_) || to.writing()) from.stream->set_reading(false);
    }
  }

  // As long as the link is busy with `bytes`.
  void pause_for(std::size_t bytes) {
    paused_ = true;
    const auto on_free = [](uv_timer_t* timer) {
      auto& pair = *static_cast<Pair*>(timer->data);
      pair.paused_ = false;
      pair.resume(pair.below_);
    };
    uv_timer_start(pause_.get(), on_free, bytes * 1000 / kBytesPerSecond, 0);
  }

  void resume(Side& side) {
    const bool held = (side.below && paused_) || other(side).stream->writing();
    if (!held) side.stream->set_reading(true);
  }

  // Destroys this.
  void end() {
    proxy_.pairs_.remove_if([this](const std::unique_ptr<Pair>& one) { return one.get() == this; });
  }

  DemoProxy& proxy_;
  Side below_;
  Side above_;
  std::unique_ptr<TcpConnector> connector_;
  UvHandle<uv_timer_t> pause_;
  bool paused_ = false;  // what came up last still occupies the link
};

Result<std::unique_ptr<DemoProxy>> DemoProxy::start(uv_loop_t& loop, std::uint16_t port, Log& log) {
  FURROW_TRY(std::unique_ptr<TcpListener> listener, TcpListener::bind("127.0.0.1", 0));
  std::unique_ptr<DemoProxy> proxy(new DemoProxy(loop, port, std::move(listener)));
  const auto accepted = [self = proxy.get()](Descriptor connection, const SocketAddress&) {
    self->accept(std::move(connection));
    return Duration::zero();
  };
  proxy->listener_->accept(loop, log, proxy->stats_, accepted);
  return proxy;
}

DemoProxy::DemoProxy(uv_loop_t& loop, std::uint16_t port, std::unique_ptr<TcpListener> listener)
    : loop_(loop), port_(port), listener_(std::move(listener)) {}

DemoProxy::~DemoProxy() = default;

void DemoProxy::accept(Descriptor connection) {
  if (state_ == State::Down) {
    make_close_reset(connection.get());
    return;
  }
  auto pair = std::make_unique<Pair>(*this);
  if (pair->open(std::move(connection))) pairs_.push_back(std::move(pair));
}

void DemoProxy::cut() {
  state_ = State::Cutting;
}

void DemoProxy::take_down() {
  state_ = State::Down;
  for (const std::unique_ptr<Pair>& pair : pairs_) pair->reset();
  pairs_.clear();
}

}  // namespace furrow::gateway
