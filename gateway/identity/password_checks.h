// Checks passwords for the broker, away from the loop.
//
// Two at once, on libuv's pool, which leaves room there and on the processor for everybody else: after a power cut a
// thousand devices log in at one time. What was right is remembered for an hour, as a keyed hash, so that a storm of
// reconnects of known devices costs nothing. The same password of the same user is checked once, however many wait for
// it. At most kWaitingMax wait; then the one that has waited longest, and may have given up, is told to try again.
// Unknown users take as long as others, and are told the same.
//
// The file is looked at when somebody logs in, at most once a second, so that a change of it holds at once and an idle
// gateway is not woken. While it is broken, the users of before stay, and the log says where it is broken.
//
// What others may rely on: a verdict never comes from within ask(), but with deliver(), which whoever owns the loop
// calls once a turn. Thread: loop; the arithmetic has copies of its own.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker-core/authenticator.h"
#include "broker-core/base/log.h"
#include "gateway/identity/users.h"

namespace furrow::gateway {

class PasswordChecks final : public broker::Authenticator {
 public:
  static constexpr std::size_t kAtOnce = 2;
  static constexpr std::size_t kWaitingMax = 500;
  static constexpr std::size_t kRememberedMax = 20'000;
  static constexpr Duration kRememberedFor = std::chrono::hours(1);
  static constexpr Duration kLookInterval = std::chrono::seconds(1);

  // `loop` and `log` must outlive this.
  PasswordChecks(uv_loop_t& loop, Log& log);
  ~PasswordChecks() override;
  PasswordChecks(const PasswordChecks&) = delete;
  PasswordChecks& operator=(const PasswordChecks&) = delete;

  // What tells that a file is another one.
  struct Stamp {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = 0, modified_s = 0, modified_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Loaded {
    std::filesystem::path file;
    std::optional<Stamp> stamp;
    std::shared_ptr<const Users> users;
  };
  // Reads the users of `file`; empty: nobody has a password. The error says where the file is wrong.
  static Result<Loaded> load(const std::filesystem::path& file);
  // From now on these users are known, and what was right before is forgotten.
  void use(Loaded loaded);

  bool has_users() const override { return !file_.empty(); }
  std::optional<broker::Verdict> ask(const Login& login, Instant now) override;
  void cancel(ConnectionId connection) override;

  // Hands out the verdicts that have come since the last call.
  void deliver(const std::function<void(ConnectionId, broker::Verdict)>& take);
  // Whether deliver() would hand out something.
  bool has_verdicts() const { return !verdicts_.empty(); }

  std::size_t users() const { return users_->size(); }
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t remembered() const { return remembered_.size(); }

 private:
  using Key = std::array<std::uint8_t, 32>;  // of a user with a password: a keyed hash, which tells neither
  class Check;
  struct Waiting {
    ConnectionId connection;
    std::string user;
    std::string password;
    Key key;
  };
  static std::optional<Stamp> stamp_of(const std::filesystem::path& file);
  void look(Instant now);
  Key key_of(std::string_view user, ByteView password) const;
  bool remembers(const Key& key, Instant now);
  void remember(const Key& key, Instant now);
  void start(Instant now);
  void finish(Check& check);

  uv_loop_t& loop_;
  Log& log_;
  Key secret_{};  // of this run

  std::filesystem::path file_;
  std::shared_ptr<const Users> users_ = std::make_shared<const Users>();
  std::optional<Stamp> stamp_;
  Instant look_at_{};
  std::uint64_t generation_ = 0;  // of users_: a check of an earlier one proves nothing worth remembering

  std::deque<Waiting> waiting_;
  std::vector<Check*> running_;  // at most kAtOnce; each belongs to the pool until it is finished
  std::vector<std::pair<ConnectionId, broker::Verdict>> verdicts_;

  // The oldest first, until when each is good.
  std::list<std::pair<Instant, Key>> remembered_by_age_;
  std::map<Key, Instant> remembered_;
  Instant overload_logged_ = Instant::min();
};

}  // namespace furrow::gateway
