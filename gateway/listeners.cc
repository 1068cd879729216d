#include "gateway/listeners.h"

#include <algorithm>
#include <utility>

#include "config/diagnostic.h"
#include "gateway/config_to_options.h"
#include "gateway/process.h"

namespace furrow::gateway {
namespace {

// Those that nobody else can own: this machine's, and its name in the network of a site (mDNS).
std::vector<std::string> own_names() {
  const std::string name = host_name();
  const std::string first = name.substr(0, name.find('.'));
  return {name, first, first + ".local"};
}

WebSite website_of(const config::Listener& listener) {
  return {.is_secure = listener.is_encrypted(),
          .is_loopback = listener.bind.is_loopback(),
          .own_names = own_names(),
          .origins = listener.origins};
}

// One that is there is changed: those who came by it look at it still.
void set_website(std::shared_ptr<WebSite>& website, const config::Listener& listener) {
  if (listener.protocol != config::Protocol::WebSocket) {
    website.reset();
  } else if (website) {
    *website = website_of(listener);
  } else {
    website = std::make_shared<WebSite>(website_of(listener));
  }
}

}  // namespace

Status Listeners::bind(One& one, const std::string& name, const std::string& config_name) {
  auto point = ListenPoint::bind(one.wanted, name);
  if (!point) {
    const config::Diagnostic said{config::Severity::Error, one.wanted.place, point.error().message()};
    return Error(point.error().code(), config::format(said, config_name));
  }
  one.point = *std::move(point);
  return {};
}

Result<Listeners> Listeners::bind(const config::Config& config, const std::string& config_name, WallTime now) {
  Listeners listeners;
  const std::vector<One*> none(config.listeners.size(), nullptr);
  FURROW_TRY(auto tls, open_tls(config, config_name, none, now));
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    listeners.all_.push_back(std::make_unique<One>(One{config.listeners[i], {}, {}, nullptr, std::move(tls[i])}));
    FURROW_TRY_STATUS(bind(*listeners.all_.back(), config::listener_name(config, i), config_name));
  }
  describe(listeners.all_, config);
  return listeners;
}

Result<std::vector<std::shared_ptr<TlsEntrance>>> Listeners::open_tls(const config::Config& config,
                                                                      const std::string& config_name,
                                                                      const std::vector<One*>& before, WallTime now) {
  std::vector<std::shared_ptr<TlsEntrance>> all(config.listeners.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const config::Listener& wanted = config.listeners[i];
    if (!wanted.is_encrypted()) continue;
    const TlsEntrance* const had = before[i] == nullptr ? nullptr : before[i]->tls.get();
    auto opened = TlsEntrance::open(listener_name(config, i), wanted, now, had);
    if (!opened) {
      const config::Diagnostic said{config::Severity::Error, wanted.place, opened.error().message()};
      return Error(opened.error().code(), config::format(said, config_name));
    }
    all[i] = *std::move(opened);
  }
  return all;
}

void Listeners::describe(All& all, const config::Config& config) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    One& one = *all[i];
    const bool is_websocket = one.wanted.protocol == config::Protocol::WebSocket;
    one.status.name = config::listener_name(config, i);
    one.status.protocol = is_websocket ? "websocket" : "mqtt";
    one.status.tls = !one.tls ? "" : one.wanted.psk_file.empty() ? "certificate" : "psk";
    one.point->rename(one.status.name);
    one.entrance.listener = one.status.name;
    one.entrance.balancers = one.wanted.proxy_protocol.from;
    one.entrance.allow_from = one.wanted.allow_from;
    one.entrance.tls = one.tls;
    set_website(one.entrance.website, one.wanted);
  }
}

void Listeners::close_for_good() {
  for (const auto& one : all_) {
    if (one->entrance.website) one->entrance.website->goes_away = true;
  }
  all_.clear();
}

void Listeners::accept(uv_loop_t& loop, Log& log, ClientLinks& clients, std::function<void()> changed) {
  changed_ = std::move(changed);
  loop_ = &loop;
  log_ = &log;
  clients_ = &clients;
  for (const auto& one : all_) accept(*one);
}

void Listeners::accept(One& one) {
  const auto accepted = [this, &one](Descriptor connection, const SocketAddress& peer) {
    return clients_->accept(std::move(connection), peer, one.entrance);
  };
  one.point->accept(*loop_, *log_, clients_->mutable_stats(), accepted, [this] { changed_(); });
}

// Whether the sockets of the one are right for the other.
bool Listeners::listens_alike(const config::Listener& one, const config::Listener& other) {
  return one.bind == other.bind && one.wait == other.wait && one.mode == other.mode && one.group == other.group;
}

// For each of `wanted` the listener that has its address already; nullptr: it is new.
std::vector<Listeners::One*> Listeners::pair(const std::vector<config::Listener>& wanted) const {
  std::vector<One*> pairs;
  for (const config::Listener& each : wanted) {
    const auto found = std::ranges::find_if(all_, [&](const std::unique_ptr<One>& one) {
      return listens_alike(one->wanted, each) && std::ranges::find(pairs, one.get()) == pairs.end();
    });
    pairs.push_back(found == all_.end() ? nullptr : found->get());
  }
  return pairs;
}

// A port that one of the old ones has on some address cannot be taken on all of them, or the other way round.
std::vector<Listeners::One*> Listeners::give_up_what_is_in_the_way(const All& added, const std::vector<One*>& pairs) {
  std::vector<One*> given_up;
  for (const auto& one : all_) {
    const bool goes = std::ranges::find(pairs, one.get()) == pairs.end();
    const auto is_in_its_way = [&](const auto& each) { return one->wanted.bind.collides_with(each->wanted.bind); };
    if (!goes || !std::ranges::any_of(added, is_in_its_way)) continue;
    one->point.reset();
    given_up.push_back(one.get());
  }
  return given_up;
}

Status Listeners::change(const config::Config& config, const std::string& config_name, WallTime now) {
  const std::vector<config::Listener>& wanted = config.listeners;
  const std::vector<One*> pairs = pair(wanted);
  FURROW_TRY(auto tls, open_tls(config, config_name, pairs, now));
  All added;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (pairs[i] != nullptr) continue;
    added.push_back(std::make_unique<One>(One{wanted[i], {}, {}, nullptr, nullptr}));
    added.back()->status.name = config::listener_name(config, i);
  }
  const std::vector<One*> given_up = give_up_what_is_in_the_way(added, pairs);
  for (const auto& one : added) {
    Status bound = bind(*one, one->status.name, config_name);
    if (bound) continue;
    added.clear();
    for (One* const each : given_up) take_back(*each, config_name);
    return bound;
  }
  // From here on nothing fails.
  All all;
  auto next = added.begin();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto place = std::ranges::find(all_, pairs[i], [](const auto& one) { return one.get(); });
    all.push_back(pairs[i] == nullptr ? std::move(*next++) : std::move(*place));
    all.back()->wanted = wanted[i];
    all.back()->tls = std::move(tls[i]);
  }
  all_ = std::move(all);
  describe(all_, config);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (pairs[i] == nullptr) accept(*all_[i]);
  }
  return {};
}

void Listeners::take_back(One& one, const std::string& config_name) {
  if (const Status bound = bind(one, one.status.name, config_name); !bound) {
    log_->write(LogLevel::Error, "listener.lost", {{"name", one.status.name}, {"reason", bound.error().message()}});
    return;
  }
  accept(one);
}

std::vector<std::shared_ptr<TlsEntrance>> Listeners::tls_entrances() const {
  std::vector<std::shared_ptr<TlsEntrance>> entrances;
  for (const auto& one : all_) {
    if (one->tls) entrances.push_back(one->tls);
  }
  return entrances;
}

std::vector<ListenerStatus> Listeners::statuses() const {
  std::vector<ListenerStatus> statuses;
  for (const auto& one : all_) {
    ListenerStatus& status = statuses.emplace_back(one->status);
    status.address = one->point->address();
    status.waiting = one->point->waiting();
  }
  return statuses;
}

}  // namespace furrow::gateway
