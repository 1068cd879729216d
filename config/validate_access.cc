#include "config/validate_access.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "broker-core/access/glob.h"
#include "broker-core/access/rules.h"
#include "broker-core/mqtt/topic.h"
#include "config/key_names.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

using Texts = std::vector<std::string>;

// Rules are compared entry by entry; with more entries than this nobody waits for it.
constexpr std::size_t kComparedMax = 2'000;

std::string key_of(std::string_view name) {
  return "access.rules[]." + std::string(name);
}

// The place of one element of a list, or of the list that was written as one text.
std::string element_path(const Report& report, const std::string& list, std::size_t element) {
  const std::string path = list + "[" + std::to_string(element) + "]";
  return report.places().is_written(path) ? path : list;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string_view>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "; did you mean " + in_quotes(nearest) + "?";
}

// --- whom the rule is for ---

void check_names(const Texts& names, std::string_view key, const std::string& path,
                 const std::vector<std::string_view>& known, std::string_view what, Report& report) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(known.begin(), known.end(), names[i]) != known.end()) continue;
    report.error(element_path(report, path, i), key_of(key) + ": there is no " + std::string(what) + " " +
                                                    in_quotes(names[i]) + did_you_mean(names[i], known));
  }
}

// A list from which the last name was taken must not become a rule for everybody.
bool check_written_lists(const std::string& path, const AccessRule& rule, Report& report) {
  bool any = false;
  const auto check = [&](std::string_view key, bool is_empty) {
    const std::string list = path + "." + std::string(key);
    if (!report.places().is_written(list)) return;
    any = true;
    if (is_empty) report.error(list, key_of(key) + ": [] is nobody; leave the key out if it does not matter");
  };
  check("user", rule.user.empty());
  check("group", rule.group.empty());
  check("client", rule.client.empty());
  check("listener", rule.listener.empty());
  check("from", rule.from.empty());
  return any;
}

void check_subject(const Config& config, const AccessRule& rule, const std::string& path, Report& report) {
  std::vector<std::string_view> groups;
  for (const UserGroup& group : config.access.groups) groups.push_back(group.name);
  if (!report.places().is_spoiled("access.groups")) {
    check_names(rule.group, "group", path + ".group", groups, "group", report);
  }
  Texts listeners;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) listeners.push_back(listener_name(config, i));
  check_names(rule.listener, "listener", path + ".listener", {listeners.begin(), listeners.end()}, "listener", report);

  const bool has_list = check_written_lists(path, rule, report);
  const bool has_user = !rule.user.empty() || !rule.group.empty();
  if (rule.anonymous && has_user) {
    report.error(path + ".anonymous",
                 key_of("anonymous") + ": a client without a user name is neither of a user nor of a group");
  }
  if (rule.everyone && (has_user || rule.anonymous)) {
    report.error(path + ".everyone", key_of("everyone") +
                                         " stands beside a user, a group or anonymous, which are not "
                                         "everyone; leave one of them out");
  }
  if (!has_list && !rule.anonymous && !rule.everyone) {
    report.error(path,
                 "access.rules[] is for nobody in particular; write 'everyone: true' if that is meant, else user, "
                 "group, client, listener, from or anonymous");
  }
}

// --- its topics ---

// The placeholder of another broker; empty when there is none.
std::string_view foreign_placeholder(std::string_view text) {
  constexpr std::string_view kForeign[] = {"%u", "%c", "${username}", "${clientid}"};
  for (const std::string_view one : kForeign) {
    if (text.find(one) != std::string_view::npos) return one;
  }
  return {};
}

std::string_view counterpart_of(std::string_view placeholder) {
  return placeholder.find('c') != std::string_view::npos ? "{client}" : "{user}";
}

void check_entry(const std::string& entry, std::string_view key, const std::string& path, Report& report) {
  const std::string subject = key_of(key) + ": " + in_quotes(entry);
  mqtt::SharedFilter shared;
  if (mqtt::parse_shared(entry, shared)) {
    const std::string advice = shared.filter.empty() ? "" : "; write " + as_written(shared.filter);
    return report.error(path,
                        subject + ": rules judge a shared subscription by its filter, without $share/GROUP/" + advice);
  }
  if (const std::string_view unknown = access::Entry::unknown_placeholder(entry); !unknown.empty()) {
    return report.error(path, subject + ": " + in_quotes(unknown) + " stands for nothing; {user} and {client} do");
  }
  const std::string_view first = std::string_view(entry).substr(0, entry.find('/'));
  if (first.starts_with('$') && first.find('{') != std::string_view::npos) {
    return report.error(path, subject + ": a name cannot be a part of a first level that begins with $");
  }
  if (!access::Entry::is_valid(entry)) {
    return report.error(path, subject + " is not a topic filter: + and # stand alone in their level, # in the last");
  }
  if (const std::string_view foreign = foreign_placeholder(entry); !foreign.empty()) {
    report.warning(path, subject + ": " + in_quotes(foreign) + " is plain text here; furrow has " +
                             std::string(counterpart_of(foreign)));
  }
  if (key == "publish" && entry.starts_with('$')) {
    report.warning(path, subject + ": no client may publish to what begins with $, whatever a rule says");
  }
}

void check_topics(const AccessRule& rule, const std::string& path, Report& report) {
  const auto check = [&](const Texts& entries, std::string_view key) {
    const std::string list = path + "." + std::string(key);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      check_entry(entries[i], key, element_path(report, list, i), report);
    }
  };
  check(rule.publish, "publish");
  check(rule.subscribe, "subscribe");
  check(rule.deny_publish, "deny_publish");
  check(rule.deny_subscribe, "deny_subscribe");
  const auto is_spoiled = [&](std::string_view key) {
    return report.places().is_spoiled(path + "." + std::string(key));
  };
  const bool has_topics = !rule.publish.empty() || !rule.subscribe.empty() || !rule.deny_publish.empty() ||
                          !rule.deny_subscribe.empty() || is_spoiled("publish") || is_spoiled("subscribe") ||
                          is_spoiled("deny_publish") || is_spoiled("deny_subscribe");
  if (!has_topics) report.error(path, "access.rules[] needs publish, subscribe, deny_publish or deny_subscribe");
  if (!rule.retain && rule.publish.empty() && has_topics) {
    report.warning(path + ".retain", key_of("retain") + ": false has no effect without publish");
  }
}

// --- rules that decide nothing ---

bool any_covers(const Texts& patterns, std::string_view pattern) {
  // A pattern is covered by `*`, by itself, or by another one if it is a plain name.
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& one) {
    return one == "*" || one == pattern || (!access::is_glob(pattern) && access::glob_matches(one, pattern));
  });
}

bool covers_texts(const Texts& earlier, const Texts& later) {
  if (earlier.empty()) return true;
  return !later.empty() &&
         std::all_of(later.begin(), later.end(), [&](const std::string& one) { return any_covers(earlier, one); });
}

bool covers_networks(const std::vector<IpNetwork>& earlier, const std::vector<IpNetwork>& later) {
  if (earlier.empty()) return true;
  return !later.empty() && std::all_of(later.begin(), later.end(), [&](const IpNetwork& network) {
    return std::find(earlier.begin(), earlier.end(), network) != earlier.end();
  });
}

// Whether every client of `later` is one of `earlier`.
bool covers_subject(const AccessRule& earlier, const AccessRule& later) {
  return (!earlier.anonymous || later.anonymous) && covers_texts(earlier.user, later.user) &&
         covers_texts(earlier.group, later.group) && covers_texts(earlier.client, later.client) &&
         covers_texts(earlier.listener, later.listener) && covers_networks(earlier.from, later.from);
}

bool any_covers_filter(const Texts& entries, const std::string& entry) {
  // A placeholder is a text like any other here: it stands for the same name in both.
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& one) { return mqtt::covers(one, entry); });
}

// The rule that decides before `rules[later]` about everything that its `entry` is about; nothing when none does.
const AccessRule* decides_before(const std::vector<AccessRule>& rules, std::size_t later, const std::string& entry,
                                 bool publishing, bool denying) {
  for (std::size_t earlier = 0; earlier < later; ++earlier) {
    const AccessRule& rule = rules[earlier];
    if (!covers_subject(rule, rules[later])) continue;
    if (any_covers_filter(publishing ? rule.deny_publish : rule.deny_subscribe, entry)) return &rule;
    // What denies a part of a subscription has something to say though another rule grants that part.
    if (denying && !publishing) continue;
    if (any_covers_filter(publishing ? rule.publish : rule.subscribe, entry)) return &rule;
  }
  return nullptr;
}

void check_shadowed(const std::vector<AccessRule>& rules, Report& report) {
  for (std::size_t later = 1; later < rules.size(); ++later) {
    const AccessRule& rule = rules[later];
    const AccessRule* before = nullptr;
    bool decides = false;
    const auto look = [&](const Texts& entries, bool publishing, bool denying) {
      for (const std::string& entry : entries) {
        const AccessRule* const found = decides_before(rules, later, entry, publishing, denying);
        decides = decides || found == nullptr;
        if (found != nullptr) before = found;
      }
    };
    look(rule.publish, true, false);
    look(rule.subscribe, false, false);
    look(rule.deny_publish, true, true);
    look(rule.deny_subscribe, false, true);
    if (decides || before == nullptr) continue;
    report.warning(access_rule_path(later), "this rule never decides anything: the rule " + in_line(before->place) +
                                                " stands before it and covers it");
  }
}

std::size_t count_entries(const std::vector<AccessRule>& rules) {
  std::size_t count = 0;
  for (const AccessRule& rule : rules) {
    count += rule.publish.size() + rule.subscribe.size() + rule.deny_publish.size() + rule.deny_subscribe.size() +
             rule.user.size() + rule.client.size();
  }
  return count;
}

// --- what a client without credentials may do ---

// "publish farm/#, yard/#"; empty when nothing.
std::string grants_text(std::string_view action, const Texts& entries) {
  constexpr std::size_t kShownMax = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(entries.size(), kShownMax); ++i) {
    text += (i == 0 ? std::string(action) + " " : ", ") + printable(entries[i], kShownBytesMax);
  }
  return entries.size() > kShownMax ? text + ", …" : text;
}

bool is_for_anonymous(const AccessRule& rule) {
  return rule.user.empty() && rule.group.empty();
}

}  // namespace

void check_access_rules(const Config& config, Report& report) {
  if (!config.access.rules || report.places().is_spoiled("access.rules")) return;
  const std::vector<AccessRule>& rules = *config.access.rules;
  if (rules.empty()) report.warning("access.rules", "access.rules: []: no client may publish or subscribe anything");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string path = access_rule_path(i);
    check_subject(config, rules[i], path, report);
    check_topics(rules[i], path, report);
  }
}

void note_anonymous_access(const Config& config, Report& report) {
  const auto lets_in = [&config](const Listener& one) { return config.lets_in_anonymous(one); };
  if (!std::ranges::any_of(config.listeners, lets_in)) return;
  if (!config.access.rules) {
    if (!report.places().is_written("access.anonymous")) return;
    report.note("access.anonymous",
                "a client without credentials may publish and read everything but what begins with $, of which it may "
                "read $SYS/#: there are no access.rules");
    return;
  }
  bool any = false;
  for (std::size_t i = 0; i < config.access.rules->size(); ++i) {
    const AccessRule& rule = (*config.access.rules)[i];
    if (!is_for_anonymous(rule)) continue;
    const std::string publish = grants_text("publish", rule.publish);
    const std::string subscribe = grants_text("subscribe", rule.subscribe);
    if (publish.empty() && subscribe.empty()) continue;
    any = true;
    report.note(access_rule_path(i), "by this rule a client without credentials may " + publish +
                                         (publish.empty() || subscribe.empty() ? "" : " and ") + subscribe);
  }
  if (!any) report.note("access.rules", "a client without credentials may neither publish nor subscribe anything");
}

void check_shadowed_access_rules(const Config& config, Report& report) {
  if (!config.access.rules || count_entries(*config.access.rules) > kComparedMax) return;
  check_shadowed(*config.access.rules, report);
}

}  // namespace furrow::config
