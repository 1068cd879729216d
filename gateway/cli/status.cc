#include "gateway/cli/status.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "config/address.h"
#include "config/messages.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/status_reader.h"
#include "gateway/cli/status_table.h"
#include "gateway/cli/table_text.h"
#include "gateway/net/event_loop.h"
#include "gateway/net/tls_certificate.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

constexpr std::chrono::milliseconds kWatchInterval = std::chrono::seconds(1);

struct Target {
  config::Address address;
  std::filesystem::path certificate;  // which it has, where that is known, whatever names are in it
};

// Where a program of this machine reaches the listener; nothing: nowhere that is known, or not without a certificate or
// a key of its own.
std::optional<Target> target_of(const config::Listener& listener) {
  const config::Bind& bind = listener.bind;
  const bool is_reachable = listener.protocol == config::Protocol::Mqtt && listener.proxy_protocol.from.empty() &&
                            bind.kind == config::Bind::Kind::Address && bind.port != 0;
  if (!is_reachable) return std::nullopt;
  const bool has_certificate = !listener.tls.certificate.empty();
  const bool is_open = listener.tls.client_ca.empty() || !listener.tls.require_client_certificate;
  if (listener.is_encrypted() && !(has_certificate && is_open)) return std::nullopt;
  Target target{.address = {.host = bind.host, .port = bind.port}, .certificate = listener.tls.certificate};
  if (has_certificate) target.address.scheme = config::Scheme::Mqtts;
  if (bind.host == "*" || bind.host == "0.0.0.0") target.address.host = "127.0.0.1";
  if (bind.host == "::") target.address.host = "::1";
  return target;
}

// Without TLS first, as it costs nothing on this machine; then by loopback.
int rank(const Target& target, const config::Listener& listener) {
  return (target.certificate.empty() ? 2 : 0) + (listener.bind.is_loopback() ? 1 : 0);
}

Result<Target> target_of_config(const StatusOptions& options) {
  FURROW_TRY(const ConfigChoice choice, choose_config(options.config, kDefaultConfigFile));
  for (const config::Diagnostic& one : choice.loaded.diagnostics) {
    if (one.severity == config::Severity::Error) return invalid(config::format(one, choice.name));
  }
  std::optional<Target> best;
  int best_rank = -1;
  for (const config::Listener& one : choice.loaded.config.listeners) {
    const std::optional<Target> target = target_of(one);
    if (!target || rank(*target, one) <= best_rank) continue;
    best = target;
    best_rank = rank(*target, one);
  }
  if (best) return *best;
  return invalid(choice.name +
                 " has no listener for MQTT at a fixed port that asks for no client certificate: give --url");
}

Result<Target> target_of_url(const std::string& url) {
  FURROW_TRY(config::Address address, read_url(url));
  return Target{.address = std::move(address), .certificate = {}};
}

// Of the public key in the file, which proves that the gateway is the one of this configuration.
Result<std::string> pin_of(const std::filesystem::path& file) {
  FURROW_TRY(const std::string text, read_public_file(file));
  FURROW_TRY(const Certificates chain, parse_certificates(text, file));
  return public_key_pin(*chain.front());
}

// One reading, or one after the other.
class Session {
 public:
  Session(const StatusOptions& options, config::Address target, std::optional<std::string> password,
          std::vector<std::string> pins)
      : options_(options),
        target_(std::move(target)),
        resolver_(loop_.uv()),
        next_(loop_.uv(), this, uv_timer_init),
        reader_(loop_.uv(), resolver_,
                {.address = target_,
                 .username = options.username,
                 .password = std::move(password),
                 .ca = options.ca,
                 .pins = std::move(pins)},
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
  Result<Target> target = options.url ? target_of_url(*options.url) : target_of_config(options);
  if (!target) return complain(target.error().message(), kExitUsage);
  auto password = read_password(options.password_from);
  if (!password) return complain(password.error().message(), kExitUsage);
  std::vector<std::string> pins;
  if (!target->certificate.empty() && !options.ca) {
    auto pin = pin_of(target->certificate);
    if (!pin) return complain(pin.error().message(), kExitUsage);
    pins.push_back(*std::move(pin));
  }
  return Session(options, std::move(target->address), *std::move(password), std::move(pins)).run();
}

}  // namespace furrow::gateway
