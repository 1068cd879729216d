#include "config/import/mosquitto_scopes.h"

#include <algorithm>

#include "config/import/mosquitto_options.h"

namespace furrow::config {
namespace {

// What stands at the top and makes the default listener listen, beside a port or an address.
bool starts_default_listener(const MosquittoListener& listener) {
  constexpr std::string_view kOfNoWeight[] = {"tls_version", "max_topic_alias", "ciphers", "ciphers_tls1.3"};
  const auto untaken = listener.options.untaken();
  const bool by_options = std::ranges::any_of(untaken, [&](const MosquittoLine* line) {
    return std::ranges::find(kOfNoWeight, line->option) == std::end(kOfNoWeight);
  });
  return by_options || listener.security.has("password_file") || listener.security.has("psk_file") ||
         listener.security.has("plugin") || listener.security.has("auth_plugin");
}

class Sorter {
 public:
  explicit Sorter(Remarks& remarks) : remarks_(remarks) {}

  MosquittoScopes sort(const std::vector<MosquittoFile>& files) {
    for (const MosquittoFile& file : files) {
      for (const MosquittoLine& line : file) {
        if (line.option == "per_listener_settings") scopes_.per_listener = line.flag().value_or(false);
      }
    }
    default_.is_default = true;
    for (const MosquittoFile& file : files) {
      listener_.reset();
      has_bridge_ = false;
      for (const MosquittoLine& line : file) add(line);
    }
    add_default_listener();
    return std::move(scopes_);
  }

 private:
  void add(const MosquittoLine& line) {
    if (line.option == "per_listener_settings") return;
    if (line.option == "listener") return open_listener(line);
    if (line.option == "connection") return open_bridge(line);
    const MosquittoOption* const option = find_mosquitto_option(line.option);
    if (option == nullptr) {
      remarks_.push_back(line.todo("Mosquitto has no such option" + did_you_mean_option(line.option)));
      return;
    }
    switch (option->about) {
      case MosquittoOption::About::Broker:
        return scopes_.broker.add(line);
      case MosquittoOption::About::Security:
        return (scopes_.per_listener ? listener().security : scopes_.security).add(line);
      case MosquittoOption::About::Listener:
        return add_to_listener(line);
      case MosquittoOption::About::Bridge:
        if (has_bridge_) return scopes_.bridges.back().options.add(line);
        remarks_.push_back(line.todo("there is no 'connection' before it, to which it could belong"));
    }
  }

  MosquittoListener& listener() { return !listener_ ? default_ : scopes_.listeners[*listener_]; }

  void add_to_listener(const MosquittoLine& line) {
    const bool is_of_default = line.option == "port" || line.option == "bind_address";
    MosquittoListener& one = is_of_default ? default_ : listener();
    if (is_of_default) scopes_.local_only = false;
    if (one.opened_by.number == 0) one.opened_by = line;
    one.options.add(line);
  }

  void open_listener(const MosquittoLine& line) {
    scopes_.local_only = false;
    listener_ = scopes_.listeners.size();
    scopes_.listeners.emplace_back().opened_by = line;
  }

  void open_bridge(const MosquittoLine& line) {
    has_bridge_ = true;
    scopes_.bridges.emplace_back().opened_by = line;
  }

  void add_default_listener() {
    if (!scopes_.local_only && starts_default_listener(default_)) {
      scopes_.listeners.insert(scopes_.listeners.begin(), std::move(default_));
      return;
    }
    std::vector<const MosquittoLine*> idle = default_.options.untaken();
    // Of a broker for this machine alone only the general settings count.
    const auto security = default_.security.untaken();
    idle.insert(idle.end(), security.begin(), security.end());
    for (const MosquittoLine* line : idle) {
      remarks_.push_back(line->note("has no effect in Mosquitto either, because no listener stands before it"));
    }
  }

  Remarks& remarks_;
  MosquittoScopes scopes_;
  MosquittoListener default_;
  std::optional<std::size_t> listener_;  // of the present file; nothing: the default one
  bool has_bridge_ = false;
};

}  // namespace

bool MosquittoScope::has(std::string_view option) const {
  return std::ranges::any_of(lines_, [&](const Entry& one) { return one.line.option == option; });
}

const MosquittoLine* MosquittoScope::take(std::string_view option) {
  const std::vector<const MosquittoLine*> all = take_all(option);
  return all.empty() ? nullptr : all.back();
}

std::vector<const MosquittoLine*> MosquittoScope::take_all(std::string_view option) {
  std::vector<const MosquittoLine*> all;
  for (Entry& one : lines_) {
    if (one.line.option != option) continue;
    one.taken = true;
    all.push_back(&one.line);
  }
  return all;
}

std::vector<const MosquittoLine*> MosquittoScope::untaken() const {
  std::vector<const MosquittoLine*> all;
  for (const Entry& one : lines_) {
    if (!one.taken) all.push_back(&one.line);
  }
  return all;
}

bool MosquittoScope::take_flag(std::string_view option, bool standard, Remarks& remarks) {
  const MosquittoLine* const line = take(option);
  if (line == nullptr) return standard;
  if (!line->flag()) remarks.push_back(line->todo("is neither true nor false; left out"));
  return line->flag().value_or(standard);
}

MosquittoScopes sort_mosquitto_lines(const std::vector<MosquittoFile>& files, Remarks& remarks) {
  return Sorter(remarks).sort(files);
}

}  // namespace furrow::config
