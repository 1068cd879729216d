#include "config/diff.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/key_names.h"
#include "config/schema.h"
#include "config/value_text.h"

namespace furrow::config {
namespace {

constexpr std::string_view kListeners = "listeners[]";
constexpr std::string_view kBridges = "bridges[]";
constexpr std::string_view kRules = "bridges[].topics[]";
constexpr std::string_view kWatch = "status.watch[]";
constexpr std::string_view kNone = "none";
constexpr std::string_view kThere = "configured";

bool is_value(const Key& key) {
  return key.slot != nullptr && key.kind != Kind::List;
}

// The list of maps that the key is in; empty for the top of the file.
std::string_view list_of(std::string_view path) {
  const std::size_t end = path.rfind("[].");
  return end == std::string_view::npos ? std::string_view() : path.substr(0, end + 2);
}

// What tells an element from its neighbours.
std::string name_of(const Listener& listener) {
  return listener.bind.text();
}
std::string name_of(const Bridge& bridge) {
  return bridge.name;
}
std::string name_of(const TopicWatch& watch) {
  return watch.filter;
}
std::string name_of(const TopicRule& rule) {
  const std::string_view way = rule.direction == Direction::Up     ? "up "
                               : rule.direction == Direction::Down ? "down "
                                                                   : "";
  return std::string(way) + rule.filter;
}

// Elements with their names, in which the second of a kind is told from the first: two listeners on free ports.
template <typename Element>
struct Named {
  std::string name;
  Element* element;
};
template <typename Element>
std::vector<Named<Element>> named(std::vector<Element>& elements) {
  std::vector<Named<Element>> all;
  for (Element& one : elements) {
    const std::string name = name_of(one);
    const auto before =
        std::count_if(elements.data(), &one, [&](const Element& other) { return name_of(other) == name; });
    all.push_back({before == 0 ? name : name + " #" + std::to_string(before + 1), &one});
  }
  return all;
}

template <typename Element>
Element* find(const std::vector<Named<Element>>& elements, const std::string& name) {
  const auto found = std::ranges::find(elements, name, &Named<Element>::name);
  return found == elements.end() ? nullptr : found->element;
}

class Comparison {
 public:
  // Copies, because a slot points to what may be written.
  Comparison(const Config& running, const Config& wanted) : running_(running), wanted_(wanted) {}

  std::vector<Change> run() {
    compare_values({}, {}, {running_}, {wanted_});
    compare_elements(kListeners, std::string(written_name(kListeners)), running_.listeners, wanted_.listeners,
                     [](Objects& at, Listener& one) { at.listener = &one; });
    compare_elements(kBridges, std::string(written_name(kBridges)), running_.bridges, wanted_.bridges,
                     [](Objects& at, Bridge& one) { at.bridge = &one; });
    compare_elements(kWatch, "status.watch", running_.status.watch, wanted_.status.watch,
                     [](Objects& at, TopicWatch& one) { at.watch = &one; });
    compare_access_rules();
    return std::move(changes_);
  }

 private:
  void note(std::string key, std::string from, std::string to, bool needs_restart = false) {
    changes_.push_back({std::move(key), std::move(from), std::move(to), needs_restart});
  }

  // The keys of one map; `prefix` is its path with names.
  void compare_values(std::string_view list, const std::string& prefix, Objects running, Objects wanted) {
    for (const Key& key : keys()) {
      if (!is_value(key) || list_of(key.path) != list) continue;
      std::string from = value_text(key, running);
      std::string to = value_text(key, wanted);
      if (from == to) continue;
      note(prefix + std::string(key.path.substr(list.size())), std::move(from), std::move(to), key.needs_restart);
    }
  }

  void compare_access_rules() {
    const auto& had = running_.access.rules;
    const auto& has = wanted_.access.rules;
    if (had == has) return;
    const auto count_text = [](const auto& rules) {
      if (!rules) return std::string(kNone);
      return std::to_string(rules->size()) + (rules->size() == 1 ? " rule" : " rules");
    };
    const bool same_count = had && has && had->size() == has->size();
    note("access.rules", count_text(had), same_count ? "as many others" : count_text(has));
  }

  template <typename Element, typename Enter>
  void compare_elements(std::string_view list, const std::string& prefix, std::vector<Element>& running,
                        std::vector<Element>& wanted, Enter enter) {
    const std::vector<Named<Element>> had = named(running);
    const std::vector<Named<Element>> has = named(wanted);
    for (const Named<Element>& one : had) {
      const std::string path = prefix + "[" + one.name + "]";
      Element* const partner = find(has, one.name);
      if (partner == nullptr) {
        note(path, std::string(kThere), std::string(kNone));
        continue;
      }
      Objects from{running_};
      Objects to{wanted_};
      enter(from, *one.element);
      enter(to, *partner);
      compare_values(list, path, from, to);
      compare_inside(path, *one.element, *partner);
    }
    for (const Named<Element>& one : has) {
      if (find(had, one.name) == nullptr) note(prefix + "[" + one.name + "]", std::string(kNone), std::string(kThere));
    }
  }

  // Lists inside of an element.
  template <typename Element>
  void compare_inside(const std::string&, Element&, Element&) {}
  void compare_inside(const std::string& prefix, Bridge& running, Bridge& wanted) {
    const std::string path = prefix + ".topics";
    compare_elements(kRules, path, running.topics, wanted.topics, [](Objects& at, TopicRule& one) { at.rule = &one; });
    std::string from = order_text(running.topics, wanted.topics);
    std::string to = order_text(wanted.topics, running.topics);
    if (from != to) note(path, std::move(from), std::move(to));
  }

  // The names of those rules that are among `others`, too.
  static std::string order_text(std::vector<TopicRule>& rules, std::vector<TopicRule>& others) {
    const std::vector<Named<TopicRule>> among = named(others);
    std::string text;
    for (const Named<TopicRule>& rule : named(rules)) {
      if (find(among, rule.name) != nullptr) text += (text.empty() ? "" : ", ") + rule.name;
    }
    return text;
  }

  Config running_;
  Config wanted_;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> diff(const Config& running, const Config& wanted) {
  return Comparison(running, wanted).run();
}

bool keeps_its_link(const Bridge& running, const Bridge& wanted) {
  Bridge same = wanted;
  same.topics = running.topics;
  same.buffer = running.buffer;
  return same == running;
}

void keep_what_needs_restart(const Config& running, Config& wanted) {
  Config source = running;
  Objects from{source};
  Objects to{wanted};
  for (const Key& key : keys()) {
    // None of them is in a list.
    if (!is_value(key) || !key.needs_restart || !list_of(key.path).empty()) continue;
    const auto copy = [](auto* target, auto* value) {
      if constexpr (std::is_same_v<decltype(target), decltype(value)>) *target = *value;
    };
    std::visit(copy, key.slot(to), key.slot(from));
  }
}

}  // namespace furrow::config
