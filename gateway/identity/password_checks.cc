#include "gateway/identity/password_checks.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "broker-core/base/check.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

using broker::Verdict;

constexpr Duration kOverloadLogInterval = std::chrono::minutes(1);

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

}  // namespace

// One check, from the queue to its verdict. Owns all that the pool's thread touches.
class PasswordChecks::Check {
 public:
  Check(PasswordChecks& owner, Waiting first, PasswordHash hash, bool is_known, Instant now)
      : connections{first.connection},
        key(first.key),
        begun(now),
        generation(owner.generation_),
        owner_(&owner),
        password_(std::move(first.password)),
        hash_(std::move(hash)),
        is_known_(is_known) {
    work_.data = this;
    const int code = uv_queue_work(
        &owner.loop_, &work_, [](uv_work_t* work) { static_cast<Check*>(work->data)->run(); },
        [](uv_work_t* work, int) { static_cast<Check*>(work->data)->on_done(); });
    FURROW_CHECK(code == 0);
  }

  // Nobody wants the verdict any more.
  void abandon() { owner_ = nullptr; }

  Verdict verdict() const {
    if (!is_known_) return Verdict::UnknownUser;
    return fits_ ? Verdict::Good : Verdict::WrongPassword;
  }

  std::vector<ConnectionId> connections;  // that wait for it
  const Key key;
  const Instant begun;
  const std::uint64_t generation;

 private:
  void run() {
    fits_ = hash_.matches(as_bytes(password_));
    wipe(password_);
    OPENSSL_thread_stop();  // a thread of the pool ends without giving back what OpenSSL keeps for it
  }
  void on_done() {
    const std::unique_ptr<Check> self(this);
    if (owner_ != nullptr) owner_->finish(*this);
  }

  PasswordChecks* owner_;
  uv_work_t work_{};
  std::string password_;
  const PasswordHash hash_;
  const bool is_known_;
  bool fits_ = false;
};

PasswordChecks::PasswordChecks(uv_loop_t& loop, Log& log) : loop_(loop), log_(log) {
  FURROW_CHECK(RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) == 1);
}

PasswordChecks::~PasswordChecks() {
  for (Check* const check : running_) check->abandon();
  for (Waiting& one : waiting_) wipe(one.password);
}

// --- the file ---

std::optional<PasswordChecks::Stamp> PasswordChecks::stamp_of(const std::filesystem::path& file) {
  struct stat found = {};
  if (::stat(file.c_str(), &found) != 0) return std::nullopt;
  return Stamp{.device = found.st_dev,
               .inode = found.st_ino,
               .size = found.st_size,
               .modified_s = found.st_mtim.tv_sec,
               .modified_ns = found.st_mtim.tv_nsec};
}

Result<PasswordChecks::Loaded> PasswordChecks::load(const std::filesystem::path& file) {
  if (file.empty()) return Loaded{{}, std::nullopt, std::make_shared<const Users>()};
  const std::optional<Stamp> stamp = stamp_of(file);  // before it is read: a change in between is seen as one
  FURROW_TRY(const std::string text, read_secret_file(file));
  FURROW_TRY(Users users, Users::parse(text, file.string()));
  return Loaded{file, stamp, std::make_shared<const Users>(std::move(users))};
}

void PasswordChecks::use(Loaded loaded) {
  file_ = std::move(loaded.file);
  stamp_ = loaded.stamp;
  users_ = std::move(loaded.users);
  ++generation_;
  remembered_.clear();
  remembered_by_age_.clear();
}

void PasswordChecks::look(Instant now) {
  if (now < look_at_) return;
  look_at_ = now + kLookInterval;
  const std::optional<Stamp> stamp = stamp_of(file_);
  if (stamp == stamp_) return;
  Result<Loaded> loaded = load(file_);
  if (!loaded) {
    stamp_ = stamp;  // said once for each state of the file
    log_.write(LogLevel::Error, "users.not_read",
               {{"reason", loaded.error().message()}, {"then", "the users of before stay"}});
    return;
  }
  use(*std::move(loaded));
  log_.write(LogLevel::Info, "users.read", {{"file", file_.string()}, {"users", std::uint64_t{users_->size()}}});
}

// --- logins ---

std::optional<Verdict> PasswordChecks::ask(const Login& login, Instant now) {
  look(now);
  const Key key = key_of(login.user, login.password);
  if (remembers(key, now)) return Verdict::Good;
  // The same as one that is being checked: a fleet may share a name.
  for (Check* const check : running_) {
    if (check->key != key || check->generation != generation_) continue;
    check->connections.push_back(login.connection);
    return std::nullopt;
  }
  if (waiting_.size() >= kWaitingMax) {
    Waiting& oldest = waiting_.front();
    wipe(oldest.password);
    verdicts_.emplace_back(oldest.connection, Verdict::Overloaded);
    waiting_.pop_front();
    if (now - kOverloadLogInterval >= overload_logged_) {
      overload_logged_ = now;
      log_.write(LogLevel::Warning, "login.overloaded",
                 {{"waiting", std::uint64_t{kWaitingMax}},
                  {"then", "those that have waited longest are told to try again later"}});
    }
  }
  waiting_.push_back({login.connection, std::string(login.user), std::string(as_text(login.password)), key});
  start(now);
  return std::nullopt;
}

void PasswordChecks::start(Instant now) {
  while (running_.size() < kAtOnce && !waiting_.empty()) {
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    const PasswordHash* const known = users_->find(first.user);
    // For an unknown user always the same one, whatever the password, as for one that is known.
    const Key of_user = key_of(first.user, {});
    std::uint64_t number = 0;
    std::memcpy(&number, of_user.data(), sizeof number);
    const PasswordHash* const like = users_->any(number);
    if (known == nullptr && like == nullptr) {
      // A file without users: there is nothing that could be told by time.
      wipe(first.password);
      verdicts_.emplace_back(first.connection, Verdict::UnknownUser);
      continue;
    }
    PasswordHash hash = known != nullptr ? *known : like->like_this();
    auto* const check = new Check(*this, std::move(first), std::move(hash), known != nullptr, now);
    running_.push_back(check);
    // The others that wait for the same.
    const auto same = [&](const Waiting& one) { return one.key == check->key; };
    for (Waiting& one : waiting_) {
      if (!same(one)) continue;
      wipe(one.password);
      check->connections.push_back(one.connection);
    }
    std::erase_if(waiting_, same);
  }
}

void PasswordChecks::finish(Check& check) {
  std::erase(running_, &check);
  const Verdict verdict = check.verdict();
  for (const ConnectionId connection : check.connections) verdicts_.emplace_back(connection, verdict);
  if (verdict == Verdict::Good && check.generation == generation_) remember(check.key, check.begun);
  start(check.begun);
}

void PasswordChecks::cancel(ConnectionId connection) {
  const auto is_its = [&](Waiting& one) {
    if (one.connection != connection) return false;
    wipe(one.password);
    return true;
  };
  std::erase_if(waiting_, is_its);
  for (Check* const check : running_) std::erase(check->connections, connection);
  std::erase_if(verdicts_, [&](const auto& one) { return one.first == connection; });
}

void PasswordChecks::deliver(const std::function<void(ConnectionId, Verdict)>& take) {
  for (const auto& [connection, verdict] : std::exchange(verdicts_, {})) take(connection, verdict);
}

// --- what was right ---

PasswordChecks::Key PasswordChecks::key_of(std::string_view user, ByteView password) const {
  std::string text = std::to_string(user.size()) + ":";
  text += user;
  text += as_text(password);
  Key key{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), key.data(), &size);
  wipe(text);
  return key;
}

bool PasswordChecks::remembers(const Key& key, Instant now) {
  while (!remembered_by_age_.empty() && remembered_by_age_.front().first <= now) {
    remembered_.erase(remembered_by_age_.front().second);
    remembered_by_age_.pop_front();
  }
  return remembered_.contains(key);
}

void PasswordChecks::remember(const Key& key, Instant now) {
  if (!remembered_.try_emplace(key, now + kRememberedFor).second) return;
  remembered_by_age_.emplace_back(now + kRememberedFor, key);
  if (remembered_.size() <= kRememberedMax) return;
  remembered_.erase(remembered_by_age_.front().second);
  remembered_by_age_.pop_front();
}

}  // namespace furrow::gateway
