// Who may come in, and what they may do.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "broker-core/access/glob.h"
#include "config/import/import_context.h"
#include "config/import/mosquitto_acl.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::string_view kPasswords = "passwords";  // made where the file of Mosquitto cannot be taken as it is
constexpr std::size_t kUsersNamedMax = 20;

// The settings of one listener, or of all.
struct Security {
  const MosquittoLine* password_file = nullptr;
  const MosquittoLine* acl_file = nullptr;
  const MosquittoLine* psk_file = nullptr;
  const MosquittoLine* plugin = nullptr;  // one that may decide who comes in and what they do
  std::optional<bool> anonymous;          // as the file says it
};

// Some plugins of Mosquitto itself have nothing to do with access.
bool decides_access(const MosquittoLine& line) {
  return line.value.find("persist") == std::string::npos && line.value.find("sparkplug") == std::string::npos;
}

Security take_security(MosquittoScope& scope, const ImportContext& context) {
  Security security;
  security.password_file = scope.take("password_file");
  security.acl_file = scope.take("acl_file");
  security.psk_file = scope.take("psk_file");
  if (const MosquittoLine* line = scope.take("allow_anonymous")) {
    security.anonymous = line->flag();
    if (!line->flag()) context.say(line->todo("is neither true nor false; clients have to say who they are"));
  }
  for (const MosquittoLine* line : scope.untaken()) {
    const bool is_plugin = line->option == "plugin" || line->option == "auth_plugin" ||
                           line->option == "global_plugin" || line->option == "plugin_load";
    if (is_plugin && decides_access(*line)) security.plugin = line;
  }
  return security;
}

// --- passwords ---

struct UnfitUser {
  std::size_t line;
  std::string user;
};

// The lines of a password file that furrow can check, and the users of the others.
std::pair<std::string, std::vector<UnfitUser>> sorted_users(std::string_view text) {
  std::string fit;
  std::vector<UnfitUser> unfit;
  std::set<std::string, std::less<>> names;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string user(line.substr(0, colon));
    const bool is_slow_hash = line.substr(colon).starts_with(":$7$") && is_writable(user);
    if (is_slow_hash && names.insert(user).second) {
      fit += std::string(line) + "\n";
    } else {
      unfit.push_back({number, user});
    }
  }
  return {std::move(fit), std::move(unfit)};
}

void use_new_password_file(const MosquittoLine& line, std::string content, const ImportContext& context) {
  const std::string what = content.empty() ? "a file of passwords, in which nobody is yet" : "the users that are left";
  context.config().access.password_file = kPasswords;
  context.result.secrets.push_back(
      {.name = std::string(kPasswords), .content = std::move(content), .what = what, .line = line});
}

void import_password_file(const MosquittoLine& line, const ImportContext& context) {
  const Result<std::string> text = context.files.read(line.value);
  if (!text) {
    context.config().access.password_file = context.path_of(line);
    context.say(line.todo(text.error().message() + "; furrow takes the file as it is, where its hashes are $7$"));
    return;
  }
  auto [fit, unfit] = sorted_users(*text);
  if (unfit.empty()) {
    context.config().access.password_file = context.path_of(line);
    context.say(line.todo("the same file; it has to be readable for the user that furrow runs as, and for no other"));
    return;
  }
  for (std::size_t i = 0; i < std::min(unfit.size(), kUsersNamedMax); ++i) {
    context.say(line.todo("line " + std::to_string(unfit[i].line) + " of it: user " + in_quotes(unfit[i].user) +
                          " has no hash that is slow to guess ($7$), and is left out: set the password anew with "
                          "'furrow passwd " +
                          std::string(kPasswords) + " USER'"));
  }
  if (unfit.size() > kUsersNamedMax) {
    context.say(line.todo("and " + std::to_string(unfit.size() - kUsersNamedMax) + " users more, for the same reason"));
  }
  use_new_password_file(line, std::move(fit), context);
}

// --- rules ---

void add_rules(std::vector<AccessRule> more, const ImportContext& context) {
  std::optional<std::vector<AccessRule>>& rules = context.config().access.rules;
  if (!rules) rules.emplace();
  rules->insert(rules->end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

bool is_for_one_user(const AccessRule& rule) {
  return !rule.user.empty() && !access::is_glob(rule.user.front());
}

bool can_prove_a_name(const Config& config) {
  return !config.access.password_file.empty() || std::ranges::any_of(config.listeners, &Listener::can_vouch);
}

// The rules for clients of `listeners`, or of all. Whether there are any to ask; else everything may be done there.
bool import_rules(const Security& security, const std::vector<std::string>& listeners, const ImportContext& context) {
  if (security.acl_file == nullptr && security.plugin == nullptr) return false;
  if (security.acl_file == nullptr) {
    context.say(security.plugin->todo("until access.rules say what clients may do, they may do nothing"));
    add_rules({}, context);
    return true;
  }
  const MosquittoLine& line = *security.acl_file;
  const Result<std::string> text = context.files.read(line.value);
  if (!text) {
    context.say(line.todo(text.error().message() + ": until its rules are there, clients may do nothing"));
    add_rules({}, context);
    return true;
  }
  std::vector<AccessRule> rules = mosquitto_acl_rules(*text, line.value, listeners, context.result.remarks);
  if (std::ranges::any_of(rules, is_for_one_user) && !can_prove_a_name(context.config())) {
    context.say(
        line.todo("without a password_file nobody can prove a name: Mosquitto believes every name, to furrow all "
                  "clients are anonymous, and the rules of users hold for nobody"));
  }
  add_rules(std::move(rules), context);
  return true;
}

AccessRule everything_at(const std::string& listener) {
  AccessRule rule;
  rule.listener = {listener};
  rule.publish = {"#"};
  rule.subscribe = {"#", "$SYS/#"};
  return rule;
}

// --- one for all, or each its own ---

void import_psk_file(Listener& listener, const Security& security, const MosquittoLine& opened_by,
                     const ImportContext& context) {
  if (listener.psk_file.empty()) return;
  if (security.psk_file != nullptr) {
    listener.psk_file = context.path_of(*security.psk_file);
    context.say(
        security.psk_file->todo("the same file; only furrow's user may read it, and keys have 16 bytes at least"));
  } else {
    context.say(opened_by.todo("there is no psk_file: write IDENTITY:KEY lines into the file psk"));
  }
}

void import_common(MosquittoScopes& scopes, const ImportContext& context) {
  Config& config = context.config();
  const Security security = take_security(scopes.security, context);
  const bool is_written = security.anonymous.has_value() || !scopes.local_only || security.plugin != nullptr;
  if (is_written) config.access.anonymous = security.anonymous.value_or(false);
  if (security.password_file != nullptr) import_password_file(*security.password_file, context);
  (void)import_rules(security, {}, context);
  for (std::size_t i = 0; i < scopes.listeners.size() && !scopes.local_only; ++i) {
    import_psk_file(config.listeners[i], security, scopes.listeners[i].opened_by, context);
  }
}

class EachListener {
 public:
  EachListener(MosquittoScopes& scopes, const ImportContext& context) : scopes_(scopes), context_(context) {}

  void import() {
    if (scopes_.local_only) return;
    for (MosquittoListener& listener : scopes_.listeners) {
      securities_.push_back(take_security(listener.security, context_));
    }
    import_anonymous();
    import_password_files();
    import_rules_of_each();
    for (std::size_t i = 0; i < securities_.size(); ++i) {
      import_psk_file(listeners()[i], securities_[i], scopes_.listeners[i].opened_by, context_);
    }
  }

 private:
  std::vector<Listener>& listeners() { return context_.config().listeners; }

  void import_anonymous() {
    const auto is_open = [](const Security& one) { return one.anonymous.value_or(false); };
    const bool all = std::ranges::all_of(securities_, is_open);
    context_.config().access.anonymous = all;
    for (std::size_t i = 0; i < securities_.size(); ++i) {
      if (!all && is_open(securities_[i])) listeners()[i].anonymous = true;
    }
  }

  void import_password_files() {
    const MosquittoLine* first = nullptr;
    for (const Security& one : securities_) {
      if (one.password_file == nullptr) continue;
      if (first == nullptr) {
        first = one.password_file;
        import_password_file(*first, context_);
      } else if (one.password_file->value != first->value) {
        context_.say(one.password_file->todo("all listeners have one password file, that of line " +
                                             std::to_string(first->number) +
                                             ": add those users to it that may come in at every listener"));
      }
    }
  }

  void import_rules_of_each() {
    const bool any = std::ranges::any_of(
        securities_, [](const Security& one) { return one.acl_file != nullptr || one.plugin != nullptr; });
    if (!any) return;
    for (std::size_t i = 0; i < securities_.size(); ++i) {
      const std::string name = listener_name(context_.config(), i);
      listeners()[i].name = name;
      if (!import_rules(securities_[i], {name}, context_)) add_rules({everything_at(name)}, context_);
    }
  }

  MosquittoScopes& scopes_;
  const ImportContext& context_;
  std::vector<Security> securities_;
};

// --- what follows from all of it ---

// A listener where nobody could prove anything gets a file of passwords in which nobody stands yet.
void leave_a_door(const MosquittoScopes& scopes, const ImportContext& context) {
  Config& config = context.config();
  if (!config.access.password_file.empty()) return;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const Listener& listener = config.listeners[i];
    const bool can_prove = listener.can_vouch() && !listener.asks_for("password");
    if (config.lets_in_anonymous(listener) || can_prove) continue;
    const bool is_there = i < scopes.listeners.size() && !scopes.local_only;
    MosquittoLine line;
    line.written = "allow_anonymous";
    if (is_there) line = scopes.listeners[i].opened_by;
    context.say(
        line.todo("nobody can come in here: without allow_anonymous true clients need a password, and there is no "
                  "password_file. Make users with 'furrow passwd passwords USER'"));
    return use_new_password_file(line, {}, context);
  }
}

// A password is asked for beside a certificate only where Mosquitto takes nobody without one.
void ask_for_passwords(Config& config) {
  for (Listener& listener : config.listeners) {
    const bool takes_anonymous = listener.anonymous.value_or(config.access.anonymous.value_or(false));
    if (takes_anonymous) listener.authenticate.clear();
  }
}

}  // namespace

void import_access(MosquittoScopes& scopes, const ImportContext& context) {
  if (scopes.per_listener) {
    EachListener(scopes, context).import();
  } else {
    import_common(scopes, context);
  }
  ask_for_passwords(context.config());
  leave_a_door(scopes, context);
}

}  // namespace furrow::config
