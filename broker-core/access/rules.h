// Access rules: who may publish and subscribe what. What the operator wrote, looked at once and kept as it is.
//
//   rules    = rule*             the first one whose subject and topics cover the action decides; none: refused
//   subject  = every kind that is written: one of its texts or networks has to fit
//   topics   = entry*            first the entries that deny, then those that grant
//   entry    = topic filter, in which {user} and {client} stand for the name of the client that asks
//
// A client may be called anything, but only a name that is one level of a topic, or a part of one, can stand there: not
// `a+` or `#`, which would open the topics of others, nor `a/b`, nor an empty one, nor `$…` at the beginning. A rule
// with such a name refuses everything at and beneath the place where it would stand, and does not leave it to the next
// rule, which may be there for others.
//
// Rules never change: a change is another object. Rights (rights.h) are what they come to for one client.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/ip.h"

namespace furrow::access {

// The client that asks. Borrows its texts.
struct Subject {
  std::optional<std::string_view> user;  // absent: anonymous; an empty name is a name
  std::string_view client;               // identifier
  std::string_view listener;             // that the client, or its session, came by
  std::optional<IpAddress> address;
  // The client is away, and had an address that nobody knows any more: rules that ask for one grant what they would
  // grant to some address, and deny nothing. Its connection will be judged by its own.
  bool address_forgotten = false;
};

// An entry of a rule that was read.
class Entry {
 public:
  // REQUIRES: is_valid(text).
  explicit Entry(std::string text);

  // Whether `text` is a topic filter once names have been put in, and no `$share/…`: rules judge the filter of a shared
  // subscription like any other. No name may be a part of a first level with `$`, beneath which lie the gateway's own.
  static bool is_valid(std::string_view text);
  // The first `{…}` of `text` that stands for nothing; empty when there is none.
  static std::string_view unknown_placeholder(std::string_view text);

  // As written.
  const std::string& text() const { return text_; }
  bool has_placeholder() const { return has_placeholder_; }
  // The filter for `subject`; nothing when its name cannot stand there.
  std::optional<std::string> expand(const Subject& subject) const;
  // The topics at and beneath the place of the first name. REQUIRES: has_placeholder().
  std::string reach() const;

  friend bool operator==(const Entry& one, const Entry& other) { return one.text_ == other.text_; }

 private:
  std::string text_;
  bool has_placeholder_;
};

struct Rule {
  // The subject: a kind that is empty or false does not matter.
  std::vector<std::string> users;                   // patterns as in glob.h; no anonymous client
  std::optional<std::vector<std::string>> members = {};  // likewise: those of its groups together, if it names any
  std::vector<std::string> clients;                 // likewise, of client identifiers
  std::vector<std::string> listeners;
  std::vector<IpNetwork> from;
  bool anonymous = false;  // clients without a user name alone

  std::vector<Entry> publish;
  std::vector<Entry> subscribe;
  std::vector<Entry> deny_publish;
  std::vector<Entry> deny_subscribe;
  bool may_retain = true;  // with what `publish` grants

  friend bool operator==(const Rule&, const Rule&) = default;
};

class Rules {
 public:
  // An empty list of rules refuses everything.
  explicit Rules(std::vector<Rule> list) : list_(std::move(list)) {}

  std::span<const Rule> list() const { return list_; }
  bool depend_on_address() const;

  friend bool operator==(const Rules&, const Rules&) = default;

 private:
  std::vector<Rule> list_;
};

enum class Fit : std::uint8_t { No, Yes, PerhapsByAddress };
// Whether `rule` is for `subject`.
Fit fit_of(const Rule& rule, const Subject& subject);

// Without any rules clients may do everything but write or read topics that begin with `$`, of which they may read the
// gateway's status. `filter`: that of a shared subscription without its group.
bool may_publish_without_rules(std::string_view topic);
bool may_subscribe_without_rules(std::string_view filter);

}  // namespace furrow::access
