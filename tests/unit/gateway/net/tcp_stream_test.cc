// Real sockets on loopback: what the kernel does with them is the point.
#include "gateway/net/tcp_stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "gateway/net/descriptor.h"
#include "gateway/net/event_loop.h"

namespace furrow::gateway {
namespace {

class StreamEnd final : public TcpStream::Owner {
 public:
  StreamEnd(EventLoop& loop, int descriptor) : loop_(loop) {
    stream = std::make_unique<TcpStream>(loop.uv(), this);
    EXPECT_TRUE(stream->adopt(descriptor));
  }

  void on_read(MutableBytes bytes, bool dry) override {
    received += as_text(bytes);
    was_dry = dry;
    if (received.size() >= wanted) loop_.stop();
  }
  void on_written(std::size_t bytes) override {
    written_later += bytes;
    if (wanted == 0) loop_.stop();
  }
  void on_ended(const Error& why) override {
    reason = why.message();
    stream.reset();  // allowed from within
    loop_.stop();
  }

  std::unique_ptr<TcpStream> stream;
  std::string received;
  std::size_t wanted = 0;
  std::size_t written_later = 0;
  bool was_dry = false;
  std::string reason;

 private:
  EventLoop& loop_;
};

struct StreamPair {
  StreamPair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    one = std::make_unique<StreamEnd>(loop, ends[0]);
    other = std::make_unique<StreamEnd>(loop, ends[1]);
  }

  EventLoop loop;
  std::unique_ptr<StreamEnd> one;
  std::unique_ptr<StreamEnd> other;
};

ByteBuffer buffer_of(const std::string& text) {
  ByteBuffer bytes;
  bytes.append(text);
  return bytes;
}

TEST(TcpStream, WritesAtOnceWhatFits) {
  StreamPair pair;
  ByteBuffer output = buffer_of("hello");
  const auto written = pair.one->stream->write(output);
  ASSERT_TRUE(written);
  EXPECT_EQ(*written, 5U);
  EXPECT_TRUE(output.empty());
  EXPECT_FALSE(pair.one->stream->writing());
  pair.other->wanted = 5;
  pair.other->stream->set_reading(true);
  pair.loop.run();
  EXPECT_EQ(pair.other->received, "hello");
  EXPECT_TRUE(pair.other->was_dry);
}

TEST(TcpStream, WritesTheRestWhenThereIsRoom) {
  StreamPair pair;
  std::string text(8 * MiB, 'x');
  text.back() = 'z';
  ByteBuffer output = buffer_of(text);
  const auto written = pair.one->stream->write(output);
  ASSERT_TRUE(written);
  EXPECT_LT(*written, text.size());
  EXPECT_TRUE(output.empty());
  EXPECT_TRUE(pair.one->stream->writing());
  pair.one->wanted = 1;  // goes on until everything is read
  pair.other->wanted = text.size();
  pair.other->stream->set_reading(true);
  pair.loop.run();
  while (pair.one->written_later == 0) uv_run(&pair.loop.uv(), UV_RUN_ONCE);
  EXPECT_TRUE(pair.other->received == text);
  EXPECT_EQ(*written + pair.one->written_later, text.size());
  EXPECT_FALSE(pair.one->stream->writing());
}

TEST(TcpStream, MayBeDestroyedWithARestOnItsWay) {
  StreamPair pair;
  ByteBuffer output = buffer_of(std::string(8 * MiB, 'x'));
  ASSERT_TRUE(pair.one->stream->write(output));
  ASSERT_TRUE(pair.one->stream->writing());
  pair.one->stream.reset();
  pair.other->stream.reset();
  pair.loop.run();
  EXPECT_EQ(pair.one->written_later, 0U);
}

TEST(TcpStream, SaysThatThePeerClosed) {
  StreamPair pair;
  pair.other->stream->set_reading(true);
  pair.one->stream.reset();
  pair.loop.run();
  EXPECT_EQ(pair.other->reason, "closed by the peer");
}

TEST(TcpStream, SaysWhyItCannotWrite) {
  StreamPair pair;
  pair.one->stream.reset();
  uv_run(&pair.loop.uv(), UV_RUN_NOWAIT);
  ByteBuffer output = buffer_of("hello");
  const auto written = pair.other->stream->write(output);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message(), "broken pipe");
}

}  // namespace
}  // namespace furrow::gateway
