#include "gateway/cli/fleet.h"

#include <cstdio>
#include <map>
#include <utility>

#include "broker-core/mqtt/topic.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/fleet_table.h"
#include "gateway/cli/table_text.h"
#include "gateway/cli/topic_reader.h"
#include "gateway/net/event_loop.h"

namespace furrow::gateway {
namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::seconds kPingInterval{30};
// A broker does not say which retained message is the last: they are all there once it is quiet for this long.
constexpr std::chrono::milliseconds kQuiet{500};
// Or after this long: of a thousand gateways there is always one that says something.
constexpr std::chrono::milliseconds kQuietMax{5000};
// What is shown is drawn again at most so often.
constexpr std::chrono::milliseconds kRedrawInterval{250};

class Fleet {
 public:
  Fleet(const FleetOptions& options, config::Address address, std::optional<std::string> password)
      : options_(options),
        name_(address.text()),
        resolver_(loop_.uv()),
        quiet_(loop_.uv(), this, uv_timer_init),
        reader_(loop_.uv(), resolver_,
                {.address = std::move(address),
                 .username = options.username,
                 .password = std::move(password),
                 .ca = options.ca,
                 .patience = kPatience,
                 .ping_interval = kPingInterval},
                {.on_connected = [this] { reader_.subscribe(options_.topic); },
                 .on_suback = [this](mqtt::ReasonCode reason) { begin(reason); },
                 .on_message = [this](const mqtt::Publish& publish) { take(publish.topic, as_text(publish.payload)); },
                 .on_failed = [this](const std::string& why) { fail(why); }}) {}

  int run() {
    loop_.run();
    return exit_code_;
  }

 private:
  void begin(mqtt::ReasonCode reason) {
    if (reason != mqtt::ReasonCode::GrantedQos0) {
      reader_.fail("it does not let us read " + options_.topic + ": " + std::string(mqtt::name(reason)));
      return;
    }
    reader_.answered();
    subscribed_at_ = uv_now(&loop_.uv());
    wait(kQuiet);
  }

  void take(std::string_view topic, std::string_view payload) {
    if (payload.empty()) {
      gateways_.erase(std::string(topic));
    } else if (auto document = read_fleet_document(payload)) {
      gateways_[std::string(topic)] = {std::string(payload), *std::move(document)};
    }
    wait(is_shown_ ? kRedrawInterval : kQuiet);
  }

  // Shows what there is, after a while without news; or soon, once it was shown.
  void wait(std::chrono::milliseconds time) {
    const bool is_late = uv_now(&loop_.uv()) - subscribed_at_ > static_cast<std::uint64_t>(kQuietMax.count());
    if (is_late && uv_is_active(reinterpret_cast<uv_handle_t*>(quiet_.get())) != 0) return;
    const auto on_timer = [](uv_timer_t* timer) { static_cast<Fleet*>(timer->data)->show(); };
    uv_timer_start(quiet_.get(), on_timer, static_cast<std::uint64_t>(time.count()), 0);
  }

  void show() {
    const std::string text = options_.json ? json() : table();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    is_shown_ = true;
    if (!options_.watch) loop_.stop();
  }

  std::string json() const {
    std::string text = "[";
    for (const auto& [topic, gateway] : gateways_) text += (text.size() == 1 ? "" : ",") + gateway.text;
    return text + "]\n";
  }

  std::string table() const {
    std::vector<FleetDocument> all;
    for (const auto& [topic, gateway] : gateways_) all.push_back(gateway.document);
    const std::string text = fleet_table(std::move(all), has_colours());
    if (!options_.watch) return text;
    return can_redraw() ? std::string(kRedraw) + text : text + "\n";
  }

  void fail(const std::string& why) {
    complain("the region at " + name_ + ": " + why);
    exit_code_ = kExitFailure;
    loop_.stop();
  }

  struct Gateway {
    std::string text;
    FleetDocument document;
  };

  const FleetOptions& options_;
  const std::string name_;
  EventLoop loop_;
  Resolver resolver_;
  UvHandle<uv_timer_t> quiet_;
  TopicReader reader_;
  std::map<std::string, Gateway> gateways_;  // by topic
  std::uint64_t subscribed_at_ = 0;          // by the loop's clock, in milliseconds
  bool is_shown_ = false;
  int exit_code_ = kExitFine;
};

}  // namespace

int run_fleet(const FleetOptions& options) {
  Result<config::Address> region = read_url(options.url);
  if (!region) return complain(region.error().message(), kExitUsage);
  if (!mqtt::is_valid_filter(options.topic))
    return complain("--topic: '" + options.topic + "' is no filter of topics", kExitUsage);
  auto password = read_password(options.password_from);
  if (!password) return complain(password.error().message(), kExitUsage);
  return Fleet(options, *std::move(region), *std::move(password)).run();
}

}  // namespace furrow::gateway
