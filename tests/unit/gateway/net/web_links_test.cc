// Questions by HTTP over real sockets, at times that the test says.
#include "gateway/net/web_links.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "gateway/net/event_loop.h"

namespace furrow::gateway {
namespace {

using std::chrono::seconds;

// The other end of a connection.
class Asker final : public TcpStream::Owner {
 public:
  Asker(EventLoop& loop, int descriptor) : stream_(loop.uv(), this) { EXPECT_TRUE(stream_.adopt(descriptor)); }
  void read() { stream_.set_reading(true); }
  void send(std::string_view text) {
    ByteBuffer bytes;
    bytes.append(text);
    EXPECT_TRUE(stream_.write(bytes));
  }
  void on_read(MutableBytes bytes, bool) override { received += as_text(bytes); }
  void on_written(std::size_t) override {}
  void on_ended(const Error&) override { is_closed = true; }

  std::string received;
  bool is_closed = false;

 private:
  TcpStream stream_;
};

class NotedDesk final : public WebLinks::Desk {
 public:
  void ask(WebLinks::Number number, const Introduction& introduction) override {
    asked.push_back(number);
    paths.push_back(introduction.question->path);
  }
  void withdraw(WebLinks::Number number) override { withdrawn.push_back(number); }

  std::vector<WebLinks::Number> asked;
  std::vector<std::string> paths;
  std::vector<WebLinks::Number> withdrawn;
};

class WebLinksTest : public testing::Test {
 protected:
  WebLinksTest() { links.set_desk(desk); }

  std::unique_ptr<Asker> ask(const std::string& path) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    TcpStream stream(loop.uv(), nullptr);
    EXPECT_TRUE(stream.adopt(ends[0]));
    auto asker = std::make_unique<Asker>(loop, ends[1]);
    links.add(Channel(std::move(stream)), {.peer = "10.0.0.2:9", .question = WebQuestion{.path = path}});
    settle();
    return asker;
  }
  void settle() {
    for (int turn = 0; turn < 100; ++turn) uv_run(&loop.uv(), UV_RUN_NOWAIT);
  }

  EventLoop loop;
  Instant time{seconds(1000)};
  NotedDesk desk;
  PartingLinks parting;
  WebLinks links{parting, [this] { return time; }};
};

TEST_F(WebLinksTest, AnAnswerEndsTheConnection) {
  const auto asker = ask("/healthz");
  EXPECT_EQ(desk.paths, std::vector<std::string>{"/healthz"});
  asker->read();
  links.answer(desk.asked[0], "HTTP/1.1 200 OK\r\n\r\nok\n");
  settle();
  EXPECT_EQ(asker->received, "HTTP/1.1 200 OK\r\n\r\nok\n");
  EXPECT_TRUE(asker->is_closed);
  EXPECT_EQ(links.size(), 0U);
  EXPECT_EQ(parting.size(), 1U) << "its last words may not be read yet";
  EXPECT_TRUE(desk.withdrawn.empty());
}

TEST_F(WebLinksTest, ALargeAnswerIsWrittenToItsEnd) {
  const std::string large(5'000'000, 'x');
  const auto asker = ask("/");
  links.answer(desk.asked[0], large);
  settle();
  EXPECT_EQ(links.size(), 1U) << "the socket has not got all of it";
  asker->send("and what it says meanwhile is not heard");
  asker->read();
  for (int round = 0; round < 100 && !asker->is_closed; ++round) settle();
  EXPECT_TRUE(asker->received == large) << asker->received.size();
  EXPECT_EQ(links.size(), 0U);
}

TEST_F(WebLinksTest, WhoLeavesWithdrawsItsQuestion) {
  auto asker = ask("/status");
  asker.reset();
  settle();
  EXPECT_EQ(desk.withdrawn, desk.asked);
  links.answer(desk.asked[0], "late");
  EXPECT_EQ(links.size(), 0U);
}

TEST_F(WebLinksTest, PatienceEnds) {
  const auto waits = ask("/status");
  const auto reads_nothing = ask("/");
  links.answer(desk.asked[1], std::string(5'000'000, 'x'));
  settle();
  EXPECT_EQ(links.next_deadline(), time + WebLinks::kPatience);
  links.handle_timeout(time + WebLinks::kPatience - seconds(1));
  EXPECT_EQ(links.size(), 2U);
  links.handle_timeout(time + WebLinks::kPatience);
  EXPECT_EQ(links.size(), 0U);
  EXPECT_EQ(links.next_deadline(), kNever);
  EXPECT_EQ(desk.withdrawn, std::vector{desk.asked[0]}) << "the other one was answered";
}

TEST_F(WebLinksTest, TheOldestGivesWay) {
  std::vector<std::unique_ptr<Asker>> askers;
  for (std::size_t i = 0; i < WebLinks::kMax + 1; ++i) askers.push_back(ask("/status"));
  EXPECT_EQ(links.size(), WebLinks::kMax);
  EXPECT_EQ(desk.withdrawn, std::vector{desk.asked[0]});
  links.clear();
  EXPECT_EQ(links.size(), 0U);
  EXPECT_EQ(desk.withdrawn, desk.asked);
}

}  // namespace
}  // namespace furrow::gateway
