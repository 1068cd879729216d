#include "gateway/cli/status.h"

#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "config/address.h"
#include "config/messages.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/status_reader.h"
#include "gateway/cli/status_table.h"
#include "gateway/cli/table_text.h"
#include "gateway/net/event_loop.h"

namespace furrow::gateway {
namespace {

constexpr std::chrono::milliseconds kWatchInterval = std::chrono::seconds(1);

Error unusable(std::string why) {
  return {Errc::InvalidArgument, std::move(why)};
}

Result<config::Address> target_of_url(const std::string& url) {
  auto address = config::parse_address(url);
  if (!address) return std::move(address).error().within("--url");
  if (address->scheme != config::Scheme::Mqtt) {
    return unusable("--url: the status is read by mqtt:// only in this version");
  }
  return address;
}

// Where a program of this machine reaches the listener without TLS; nothing: nowhere that is known.
std::optional<config::Address> target_of(const config::Listener& listener) {
  const bool is_plain =
      listener.protocol == config::Protocol::Mqtt && !listener.is_encrypted() && listener.proxy_protocol.from.empty();
  const config::Bind& bind = listener.bind;
  if (!is_plain || bind.kind != config::Bind::Kind::Address || bind.port == 0) return std::nullopt;
  if (bind.host == "*" || bind.host == "0.0.0.0") return config::Address{.host = "127.0.0.1", .port = bind.port};
  if (bind.host == "::") return config::Address{.host = "::1", .port = bind.port};
  return config::Address{.host = bind.host, .port = bind.port};
}

Result<config::Address> target_of_config(const StatusOptions& options) {
  FURROW_TRY(const ConfigChoice choice, choose_config(options.config, kDefaultConfigFile));
  for (const config::Diagnostic& one : choice.loaded.diagnostics) {
    if (one.severity == config::Severity::Error) return unusable(config::format(one, choice.name));
  }
  std::optional<config::Address> best;
  for (const config::Listener& one : choice.loaded.config.listeners) {
    const std::optional<config::Address> target = target_of(one);
    if (!target) continue;
    if (one.bind.is_loopback()) return *target;
    if (!best) best = target;
  }
  if (best) return *best;
  return unusable(choice.name + " has no listener for MQTT without TLS at a fixed port: give --url");
}

void complain(const std::string& why) {
  std::fprintf(stderr, "furrow: %s\n", why.c_str());
}

// One reading, or one after the other.
class Session {
 public:
  Session(const StatusOptions& options, config::Address target, std::optional<std::string> password)
      : options_(options),
        target_(std::move(target)),
        resolver_(loop_.uv()),
        next_(loop_.uv(), this, uv_timer_init),
        reader_(loop_.uv(), resolver_,
                {.address = target_, .username = options.username, .password = std::move(password)},
                {.on_documents = [this](const StatusDocuments& documents) { show(documents); },
                 .on_failed = [this](const std::string& why) { fail(why); }}) {}

  int run() {
    loop_.run();
    return exit_code_;
  }

 private:
  void show(const StatusDocuments& documents) {
    const std::string text = options_.json ? json(documents) : table(documents);
    if (text.empty()) {
      fail("what it publishes on $SYS/furrow/gateway is no status of furrow");
      return;
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    if (!options_.watch) {
      loop_.stop();
      return;
    }
    const auto refresh = [](uv_timer_t* timer) { static_cast<Session*>(timer->data)->reader_.refresh(); };
    uv_timer_start(next_.get(), refresh, static_cast<std::uint64_t>(kWatchInterval.count()), 0);
  }

  // As /status has it.
  static std::string json(const StatusDocuments& documents) {
    std::string text = R"({"gateway":)" + documents.gateway + R"(,"bridges":{)";
    bool is_first = true;
    for (const auto& [name, document] : documents.bridges) {
      text += (std::exchange(is_first, false) ? "\"" : ",\"") + name + "\":" + document;
    }
    text += '}';
    if (!documents.alarms.empty()) text += R"(,"alarms":)" + documents.alarms;
    return text + "}\n";
  }

  // Empty: the documents are none.
  std::string table(const StatusDocuments& documents) const {
    const auto gateway = read_gateway_document(documents.gateway);
    if (!gateway) return {};
    StatusPicture picture{.gateway = *gateway, .bridges = {}, .alarms = {}};
    for (const auto& [name, document] : documents.bridges) {
      if (const auto bridge = read_bridge_document(document)) picture.bridges.push_back(*bridge);
    }
    if (const auto alarms = read_alarms_document(documents.alarms)) picture.alarms = *alarms;
    const std::string text = status_table(picture, has_colours());
    if (!options_.watch) return text;
    return can_redraw() ? std::string(kRedraw) + text : text + "\n";
  }

  void fail(const std::string& why) {
    complain("the gateway at " + target_.text() + ": " + why);
    exit_code_ = kExitFailure;
    loop_.stop();
  }

  const StatusOptions& options_;
  const config::Address target_;
  EventLoop loop_;
  Resolver resolver_;
  UvHandle<uv_timer_t> next_;
  StatusReader reader_;
  int exit_code_ = kExitFine;
};

}  // namespace

int run_status(const StatusOptions& options) {
  Result<config::Address> target = options.url ? target_of_url(*options.url) : target_of_config(options);
  if (!target) {
    complain(target.error().message());
    return kExitUsage;
  }
  auto password = read_password(options.password_from);
  if (!password) {
    complain(password.error().message());
    return kExitUsage;
  }
  return Session(options, *std::move(target), *std::move(password)).run();
}

}  // namespace furrow::gateway
