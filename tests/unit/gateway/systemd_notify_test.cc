#include "gateway/systemd_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <map>
#include <string>

namespace furrow::gateway {
namespace {

using Variables = std::map<std::string, std::string>;

SystemdNotify::Environment environment(const Variables& variables) {
  return [&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

// systemd's end, under an abstract name: no file.
class Manager {
 public:
  Manager() : name_("@furrow-notify-test-" + std::to_string(::getpid())) {
    socket_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  }

  const std::string& name() const { return name_; }
  std::string receive() {
    std::array<char, 256> text{};
    const ssize_t size = ::recv(socket_.get(), text.data(), text.size(), 0);
    return size < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  const std::string name_;
  Descriptor socket_;
};

TEST(SystemdNotify, SpeaksTheProtocol) {
  Manager manager;
  const Variables variables{{"NOTIFY_SOCKET", manager.name()}};
  SystemdNotify notify(environment(variables));
  notify.ready();
  EXPECT_EQ(manager.receive(), "READY=1");
  notify.status("3 clients");
  EXPECT_EQ(manager.receive(), "STATUS=3 clients");
  notify.watchdog();
  EXPECT_EQ(manager.receive(), "WATCHDOG=1");
  notify.stopping();
  EXPECT_EQ(manager.receive(), "STOPPING=1");
}

TEST(SystemdNotify, IsSilentWhenNobodyAsked) {
  const Variables variables;
  SystemdNotify notify(environment(variables));
  notify.ready();
  EXPECT_FALSE(notify.watchdog_interval());
}

TEST(SystemdNotify, FeedsTheWatchdogTwiceInItsTime) {
  const Variables variables{{"NOTIFY_SOCKET", "@nobody"}, {"WATCHDOG_USEC", "3000000"}};
  EXPECT_EQ(SystemdNotify(environment(variables)).watchdog_interval(), Duration(1'500'000));
}

TEST(SystemdNotify, LeavesAWatchdogOfAnotherProcessAlone) {
  const Variables variables{{"NOTIFY_SOCKET", "@nobody"}, {"WATCHDOG_USEC", "3000000"}, {"WATCHDOG_PID", "1"}};
  EXPECT_FALSE(SystemdNotify(environment(variables)).watchdog_interval());
}

TEST(SystemdNotify, ANumberThatIsNoneIsNoWatchdog) {
  for (const char* text : {"", "soon", "12x", "0"}) {
    const Variables variables{{"NOTIFY_SOCKET", "@nobody"}, {"WATCHDOG_USEC", text}};
    EXPECT_FALSE(SystemdNotify(environment(variables)).watchdog_interval()) << text;
  }
}

}  // namespace
}  // namespace furrow::gateway
