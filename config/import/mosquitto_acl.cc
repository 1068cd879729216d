#include "config/import/mosquitto_acl.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "broker-core/access/glob.h"
#include "broker-core/access/rules.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

using Texts = std::vector<std::string>;

enum class Action : std::uint8_t { Read, Write, ReadWrite, Deny };

struct Grant {
  Action action;
  std::string topic;
  MosquittoLine line;

  bool is_for_reading() const { return action != Action::Write; }
  bool is_for_writing() const { return action != Action::Read; }
};

struct UserGrants {
  MosquittoLine line;
  std::string user;
  std::vector<Grant> grants;
};

struct Acl {
  std::vector<Grant> anonymous;
  std::vector<UserGrants> users;  // in the order in which they are named first
  std::vector<Grant> patterns;
};

std::optional<Action> action_of(std::string_view word) {
  if (word == "read") return Action::Read;
  if (word == "write") return Action::Write;
  if (word == "readwrite") return Action::ReadWrite;
  if (word == "deny") return Action::Deny;
  return std::nullopt;
}

class AclReader {
 public:
  explicit AclReader(Remarks& remarks) : remarks_(remarks) {}

  Acl read(std::string_view text, const std::string& name) {
    for (const MosquittoLine& line : read_lines(text, name, remarks_)) add(line);
    return std::move(acl_);
  }

 private:
  void add(const MosquittoLine& line) {
    if (line.option == "user") return select(line);
    if (line.option != "topic" && line.option != "pattern") {
      remarks_.push_back(line.todo("is no line of an ACL file: user, topic or pattern"));
      return;
    }
    std::optional<Grant> grant = read_grant(line);
    if (!grant) return;
    std::vector<Grant>& own = user_ ? acl_.users[*user_].grants : acl_.anonymous;
    (line.option == "pattern" ? acl_.patterns : own).push_back(*std::move(grant));
  }

  void select(const MosquittoLine& line) {
    if (line.value.empty()) remarks_.push_back(line.todo("has no name: what follows is for a user without one"));
    const auto same = std::ranges::find(acl_.users, line.value, &UserGrants::user);
    user_ = static_cast<std::size_t>(same - acl_.users.begin());
    if (same == acl_.users.end()) acl_.users.push_back({.line = line, .user = line.value, .grants = {}});
  }

  std::optional<Grant> read_grant(const MosquittoLine& line) {
    const std::string_view first = line.word();
    const std::string_view rest = trimmed(std::string_view(line.value).substr(first.size()));
    if (first.empty()) {
      remarks_.push_back(line.todo("has no topic; left out"));
      return std::nullopt;
    }
    if (rest.empty()) return Grant{Action::ReadWrite, std::string(first), line};
    const std::optional<Action> action = action_of(first);
    if (!action) {
      remarks_.push_back(line.todo(in_quotes(first) + " is not one of: read, write, readwrite, deny; left out"));
      return std::nullopt;
    }
    return Grant{*action, std::string(rest), line};
  }

  Remarks& remarks_;
  Acl acl_;
  std::optional<std::size_t> user_;
};

// --- one topic ---

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// The levels that a rule could take for a name, and that nothing in a rule can stand for, as wildcards.
std::string without_braces(std::string_view topic) {
  std::string widened;
  while (true) {
    const std::size_t end = std::min(topic.find('/'), topic.size());
    const std::string_view level = topic.substr(0, end);
    widened += level.find('{') == std::string_view::npos ? level : "+";
    if (end == topic.size()) return widened;
    widened += '/';
    topic.remove_prefix(end + 1);
  }
}

bool is_named(const Grant& pattern, std::string_view placeholder) {
  return pattern.topic.find(placeholder) != std::string::npos;
}

class RuleMaker {
 public:
  RuleMaker(const Texts& listeners, Remarks& remarks) : listeners_(listeners), remarks_(remarks) {}

  std::vector<AccessRule> rules_of(const Acl& acl) {
    for (const UserGrants& user : acl.users) add_user(user);
    AccessRule anonymous;
    anonymous.anonymous = true;
    add(anonymous, acl.anonymous, false);
    if (!acl.patterns.empty()) add_patterns(acl.patterns);
    return std::move(rules_);
  }

 private:
  void add_user(const UserGrants& user) {
    AccessRule rule;
    rule.user = {user.user};
    if (!access::is_glob(user.user)) return add(rule, user.grants, false);
    remarks_.push_back(
        user.line.todo("a user with * or ? in its name stands for others in a rule, too: what is denied to "
                       "it is denied to all of them, what is granted to it is left out"));
    std::vector<Grant> denied;
    std::ranges::copy_if(user.grants, std::back_inserter(denied),
                         [](const Grant& one) { return one.action == Action::Deny; });
    add(rule, denied, false);
  }

  void add_patterns(const std::vector<Grant>& patterns) {
    if (std::ranges::any_of(patterns, [](const Grant& one) { return one.action != Action::Deny; })) refuse_wildcards();
    const bool denies_by_user = std::ranges::any_of(
        patterns, [](const Grant& one) { return one.action == Action::Deny && is_named(one, "%u"); });
    if (denies_by_user) {
      // For clients without a name such a pattern is not there; a rule would refuse them what it could mean.
      std::vector<Grant> for_anonymous;
      std::ranges::copy_if(patterns, std::back_inserter(for_anonymous),
                           [](const Grant& one) { return !is_named(one, "%u"); });
      AccessRule anonymous;
      anonymous.anonymous = true;
      said_ = true;
      add(anonymous, for_anonymous, true);
      said_ = false;
    }
    AccessRule everyone;
    everyone.everyone = listeners_.empty();
    add(everyone, patterns, true);
  }

  // Nothing by patterns for names with a wildcard in them.
  void refuse_wildcards() {
    AccessRule rule;
    rule.deny_publish = {"#"};
    rule.deny_subscribe = {"#", "$SYS/#"};
    rule.listener = listeners_;
    rule.user = {"*+*", "*#*"};
    rules_.push_back(rule);
    rule.client = std::exchange(rule.user, {});
    rules_.push_back(rule);
  }

  void add(AccessRule rule, const std::vector<Grant>& grants, bool are_patterns) {
    rule.listener = listeners_;
    for (const Grant& grant : grants) {
      const bool denies = grant.action == Action::Deny;
      const std::optional<std::string> entry = entry_of(grant, are_patterns);
      if (!entry) continue;
      if (grant.is_for_writing()) add_publish(denies ? rule.deny_publish : rule.publish, *entry, grant);
      if (grant.is_for_reading()) add_once(denies ? rule.deny_subscribe : rule.subscribe, *entry);
    }
    const bool is_empty =
        rule.publish.empty() && rule.subscribe.empty() && rule.deny_publish.empty() && rule.deny_subscribe.empty();
    if (!is_empty) rules_.push_back(std::move(rule));
  }

  // The topic as a rule has it; nothing when no rule can have it.
  std::optional<std::string> entry_of(const Grant& grant, bool is_pattern) {
    std::string entry = grant.topic;
    if (entry.find('{') != std::string::npos) {
      if (grant.action != Action::Deny) return left_out(grant, "a topic with { in it would be taken for a name");
      entry = without_braces(entry);
      say(grant.line.todo("a level with { in it would be taken for a name: all of " + in_quotes(entry) + " is denied"));
    }
    if (is_pattern) entry = replaced(replaced(std::move(entry), "%u", "{user}"), "%c", "{client}");
    if (access::Entry::is_valid(entry)) return entry;
    return left_out(grant, "is no topic filter of a rule");
  }

  void add_publish(Texts& list, const std::string& entry, const Grant& grant) {
    if (!entry.starts_with('$')) return add_once(list, entry);
    if (grant.action == Action::Deny) return;  // nobody writes there in any case
    const bool is_notice = entry.starts_with("$SYS/broker/connection/");
    say(is_notice ? grant.line.note("notices of bridges are taken without a rule, each from its own client")
                  : grant.line.todo("clients write no topics that begin with $; only reading them is translated"));
  }

  static void add_once(Texts& list, const std::string& entry) {
    if (std::ranges::find(list, entry) == list.end()) list.push_back(entry);
  }

  std::optional<std::string> left_out(const Grant& grant, const std::string& why) {
    say(grant.line.todo(in_quotes(grant.topic) + ": " + why + "; left out"));
    return std::nullopt;
  }

  void say(Remark remark) {
    if (!said_) remarks_.push_back(std::move(remark));
  }

  const Texts& listeners_;
  Remarks& remarks_;
  std::vector<AccessRule> rules_;
  bool said_ = false;  // of these lines everything was said, or will be
};

// What is to be known once about all of the file.
void remark_on_subscriptions(const Acl& acl, const std::string& name, Remarks& remarks) {
  const auto has = [&](Action action) {
    const auto is = [action](const Grant& one) { return one.action == action; };
    return std::ranges::any_of(acl.anonymous, is) || std::ranges::any_of(acl.patterns, is) ||
           std::ranges::any_of(acl.users, [&](const UserGrants& one) { return std::ranges::any_of(one.grants, is); });
  };
  std::string text =
      "Mosquitto takes every subscription and leaves out messages that may not be read; furrow grants a subscription "
      "only "
      "if one entry covers all of it: clients with such rules must not subscribe to more, as to #";
  if (has(Action::Deny))
    text += "; and refuses it where something in it is denied: narrow what is denied, or subscribe to the rest";
  remarks.push_back({Remark::Kind::Todo, name, 0, "acl_file", text});
}

}  // namespace

std::vector<AccessRule> mosquitto_acl_rules(std::string_view text, const std::string& name,
                                            const std::vector<std::string>& listeners, Remarks& remarks) {
  const Acl acl = AclReader(remarks).read(text, name);
  remark_on_subscriptions(acl, name, remarks);
  return RuleMaker(listeners, remarks).rules_of(acl);
}

}  // namespace furrow::config
