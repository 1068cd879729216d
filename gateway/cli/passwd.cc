#include "gateway/cli/passwd.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "gateway/cli/exit_code.h"
#include "gateway/cli/table_text.h"
#include "gateway/identity/users.h"
#include "gateway/net/descriptor.h"
#include "gateway/secret_file.h"
#include "gateway/store/errno_error.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kPasswordBytesMax = 0xFFFF;  // of MQTT

// The terminal shows nothing of what is typed, for the life of this.
class HiddenInput {
 public:
  HiddenInput() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_hidden_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  ~HiddenInput() {
    if (is_hidden_) (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  termios before_{};
  bool is_hidden_ = false;
};

// Wiped when it goes.
struct Secret {
  Secret() { text.reserve(256); }
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
  Secret(Secret&&) = default;
  Secret& operator=(Secret&&) = default;

  std::string text;
};

Result<Secret> read_line() {
  Secret secret;
  for (int byte = std::getchar(); byte != '\n'; byte = std::getchar()) {
    if (byte == EOF) {
      if (!secret.text.empty()) break;
      return Error(Errc::InvalidArgument, "there is no password on standard input");
    }
    secret.text.push_back(static_cast<char>(byte));
    if (secret.text.size() > kPasswordBytesMax) return Error(Errc::InvalidArgument, "the password is too long");
  }
  if (secret.text.ends_with('\r')) secret.text.pop_back();
  return secret;
}

Result<Secret> ask(const std::string& prompt) {
  const HiddenInput hidden;
  std::fprintf(stderr, "%s: ", prompt.c_str());
  Result<Secret> secret = read_line();
  std::fputc('\n', stderr);
  return secret;
}

Result<Secret> password_for(const PasswdOptions& options) {
  if (options.from_stdin) return read_line();
  if (::isatty(STDIN_FILENO) == 0) {
    return Error(Errc::InvalidArgument, "there is no terminal to ask on; give the password with --stdin");
  }
  FURROW_TRY(Secret password, ask("Password of '" + shown(options.user) + "'"));
  if (options.action == PasswdOptions::Action::Check) return password;
  FURROW_TRY(const Secret again, ask("Again"));
  if (password.text != again.text) return Error(Errc::InvalidArgument, "these are two different passwords");
  return password;
}

// A file that is not there has no users.
Result<Users> read_users(const std::string& file, bool must_be_there) {
  Result<std::string> text = read_secret_file(file);
  if (!text && text.error().code() == Errc::NotFound && !must_be_there) return Users();
  if (!text) return text.error();
  return Users::parse(*text, file);
}

// Comments and the order of lines stay; the line of `user` is replaced, added or taken away.
std::string edited(std::string_view before, std::string_view user, const std::optional<PasswordHash>& hash) {
  std::string after;
  bool is_there = false;
  const std::string line = hash ? std::string(user) + ":" + hash->text() + "\n" : std::string();
  while (!before.empty()) {
    const std::size_t end = std::min(before.find('\n'), before.size());
    const std::string_view one = before.substr(0, end);
    before.remove_prefix(std::min(end + 1, before.size()));
    const bool is_own = !one.empty() && !one.starts_with('#') && one.substr(0, one.find(':')) == user;
    is_there = is_there || is_own;
    after += is_own ? line : std::string(one) + "\n";
  }
  return is_there ? after : after + line;
}

// By rename, so that a gateway finds the old file or the new one. The owner stays, or a gateway that runs as another
// user could read it no longer.
Status replace(const std::string& file, std::string_view text) {
  std::error_code ignored;
  // Behind a symbolic link lies the file that is meant.
  const std::filesystem::path target = std::filesystem::weakly_canonical(file, ignored);
  const std::string name = ignored ? file : target.string();
  std::string temporary = name + ".XXXXXX";
  const Descriptor descriptor(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (descriptor.get() < 0) return errno_error("make a file beside " + shown(name));
  const auto give_up = [&](Status status) {
    (void)::unlink(temporary.c_str());
    return status;
  };
  struct stat before = {};
  if (::stat(name.c_str(), &before) == 0) {
    const mode_t mode = before.st_mode & (S_IRUSR | S_IWUSR | S_IRGRP);
    const bool is_kept = ::fchown(descriptor.get(), before.st_uid, before.st_gid) == 0;
    if (!is_kept && before.st_uid != ::geteuid()) {
      return give_up(errno_error("give " + shown(name) + " to the user it belongs to"));
    }
    if (is_kept && ::fchmod(descriptor.get(), mode) != 0) return give_up(errno_error("set the mode of " + shown(name)));
  }
  if (Status status = write_all(descriptor, text, "write " + shown(name)); !status) return give_up(status);
  if (::rename(temporary.c_str(), name.c_str()) != 0) return give_up(errno_error("replace " + shown(name)));
  return {};
}

int list(const PasswdOptions& options) {
  const Result<Users> users = read_users(options.file, true);
  if (!users) return complain(users.error().message());
  users->for_each([](const std::string& user, const PasswordHash&) { std::printf("%s\n", shown(user).c_str()); });
  return kExitFine;
}

int check(const PasswdOptions& options) {
  const Result<Users> users = read_users(options.file, true);
  if (!users) return complain(users.error().message());
  const PasswordHash* const hash = users->find(options.user);
  if (hash == nullptr) return complain("there is no user '" + shown(options.user) + "' in " + shown(options.file));
  const Result<Secret> password = password_for(options);
  if (!password) return complain(password.error().message());
  if (!hash->matches(as_bytes(password->text)))
    return complain("that is not the password of '" + shown(options.user) + "'");
  std::printf("the password of '%s' is right\n", shown(options.user).c_str());
  return kExitFine;
}

// Changes the file, and sees whether it says then what was meant.
Status change(const PasswdOptions& options, const std::optional<PasswordHash>& hash, const std::string& password) {
  FURROW_TRY(const Users before, read_users(options.file, hash == std::nullopt));
  if (!hash && before.find(options.user) == nullptr) {
    return Error(Errc::NotFound, "there is no user '" + shown(options.user) + "' in " + shown(options.file));
  }
  const Result<std::string> text = read_secret_file(options.file);
  FURROW_TRY_STATUS(replace(options.file, edited(text ? *text : std::string(), options.user, hash)));
  FURROW_TRY(const Users after, read_users(options.file, true));
  const PasswordHash* const found = after.find(options.user);
  const bool is_right = hash ? found != nullptr && found->matches(as_bytes(password)) : found == nullptr;
  if (!is_right) return Error(Errc::Io, shown(options.file) + " does not say what was written into it");
  return {};
}

int set(const PasswdOptions& options) {
  if (const std::string_view why = Users::fault_of_name(options.user); !why.empty()) {
    return complain("user '" + shown(options.user) + "': " + std::string(why), kExitUsage);
  }
  const Result<Secret> password = password_for(options);
  if (!password) return complain(password.error().message());
  Result<PasswordHash> hash = PasswordHash::make(as_bytes(password->text));
  if (!hash) return complain(hash.error().message());
  const Status changed = change(options, *hash, password->text);
  return changed ? kExitFine : complain(changed.error().message());
}

}  // namespace

int run_passwd(const PasswdOptions& options) {
  switch (options.action) {
    case PasswdOptions::Action::List:
      return list(options);
    case PasswdOptions::Action::Check:
      return check(options);
    case PasswdOptions::Action::Delete: {
      const Status changed = change(options, std::nullopt, {});
      return changed ? kExitFine : complain(changed.error().message());
    }
    case PasswdOptions::Action::Set:
      break;
  }
  return set(options);
}

}  // namespace furrow::gateway
