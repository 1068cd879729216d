// furrow_load: one scenario against one broker, measured from outside of it; or the relay, to be measured itself.
#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "tests/bench/load/broker_process.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/relay.h"
#include "tests/bench/load/scenarios.h"
#include "tests/bench/load/sockets.h"

namespace furrow::load {
namespace {

class CommandLine {
 public:
  CommandLine() {
    app_.require_subcommand(1);
    // A later --messages shortens what an earlier one said.
    app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app_.add_subcommand("relay", "Be the relay: copy every PUBLISH to every subscriber")->callback(run_relay);

    CLI::App& fan = add("fan", "QoS 0, every subscriber gets everything", fan_, run_fan);
    add_option(fan, "--publishers", fan_.publishers);
    add_option(fan, "--subscribers", fan_.subscribers);
    add_option(fan, "--messages", fan_.messages);
    add_option(fan, "--batch", fan_.batch);
    add_option(fan, "--window", fan_.window);
    fan.add_flag("--one-per-write", fan_.one_per_write);

    CLI::App& pairs = add("pairs", "QoS 1 or 2, each publisher has a subscriber of its own", pairs_, run_pairs);
    add_option(pairs, "--qos", pairs_.qos).check(CLI::Range(1, 2));
    add_option(pairs, "--pairs", pairs_.pairs);
    add_option(pairs, "--messages", pairs_.messages);
    add_option(pairs, "--window", pairs_.window);

    CLI::App& routing = add("routing", "QoS 0, many filters with wildcards, random topics", routing_, run_routing);
    add_option(routing, "--filters", routing_.filters);
    add_option(routing, "--subscribers", routing_.subscribers);
    add_option(routing, "--publishers", routing_.publishers);
    add_option(routing, "--topics", routing_.topics);
    add_option(routing, "--messages", routing_.messages);
    add_option(routing, "--batch", routing_.batch);
    add_option(routing, "--window", routing_.window);

    CLI::App& latency = add("latency", "One publisher, one subscriber, few messages", latency_, run_latency);
    latency.add_option("--qos", latency_.qos)->check(CLI::Range(0, 1))->capture_default_str();
    add_option(latency, "--messages", latency_.messages);
    latency.add_option("--storm", latency_.storm, "Connections that are made meanwhile")->capture_default_str();
    latency.add_option("--rate", latency_.rate, "Messages a second; 0: the next once one is through")
        ->capture_default_str();

    CLI::App& idle = add("idle", "Connections that do nothing", idle_, run_idle);
    add_option(idle, "--connections", idle_.connections);
    add_option(idle, "--quiet-ms", idle_.quiet_ms);

    CLI::App& retained = add("retained", "Retained messages, and their replay", retained_, run_retained);
    add_option(retained, "--messages", retained_.messages);
    add_option(retained, "--quiet-ms", retained_.quiet_ms);

    CLI::App& publish = add("publish", "QoS 1, for a bridge whose far broker is away", publish_, run_publish);
    add_readings(publish, publish_.readings);
    add_data(publish, publish_.data);
    add_option(publish, "--window", publish_.window);
    publish.add_flag("--in-batches", publish_.in_batches, "The next once the whole window is acknowledged");

    CLI::App& drain = add("drain", "Be the far broker that what was published waits for", drain_, run_drain);
    add_readings(drain, drain_.readings);
    add_data(drain, drain_.data);
    add_upstream(drain, drain_.upstream_port);
    add_option(drain, "--quiet-ms", drain_.quiet_ms);

    CLI::App& link_up = add("link-up", "Both sides of a bridge, and a long way between them", link_up_, run_link_up);
    add_readings(link_up, link_up_.readings);
    add_data(link_up, link_up_.data);
    add_upstream(link_up, link_up_.upstream_port);
    add_option(link_up, "--rate", link_up_.rate);
    add_option(link_up, "--warm-up", link_up_.warm_up);
    add_option(link_up, "--round-trip-ms", link_up_.round_trip_ms);
    link_up.add_option("--late-percent", link_up_.late_percent)->check(CLI::Range(0, 100))->capture_default_str();
    add_option(link_up, "--late-ms", link_up_.late_ms);
    add_option(link_up, "--quiet-ms", link_up_.quiet_ms);
  }

  int run(int count, const char* const* arguments) {
    try {
      app_.parse(count, arguments);
      return 0;
    } catch (const CLI::ParseError& error) {
      return app_.exit(error);
    }
  }

 private:
  template <class Value>
  static CLI::Option& add_option(CLI::App& command, const char* name, Value& value) {
    return *command.add_option(name, value)->check(CLI::PositiveNumber)->capture_default_str();
  }

  static void add_readings(CLI::App& command, ReadingsOptions& readings) {
    add_option(command, "--publishers", readings.publishers);
    add_option(command, "--messages", readings.messages);
    add_option(command, "--topics", readings.topics);
    add_option(command, "--first-topic", readings.first_topic);
    command.add_option("--topic-end", readings.topic_end)->capture_default_str();
    command.add_option("--bytes", readings.bytes)
        ->check(CLI::Range(kPayloadBytesMin, kPayloadBytesMax))
        ->capture_default_str();
  }

  static void add_data(CLI::App& command, std::string& data) {
    command.add_option("--data", data, "A folder on the broker's disk")->required()->check(CLI::ExistingDirectory);
  }

  static void add_upstream(CLI::App& command, std::uint16_t& port) {
    command.add_option("--upstream-port", port, "Where the broker's bridge connects to")->required();
  }

  // A scenario: what it prints is its report.
  template <class Options>
  CLI::App& add(const char* name, const char* what, const Options& options,
                Report (*scenario)(const Broker&, const Options&)) {
    CLI::App& command = *app_.add_subcommand(name, what);
    command.add_option("--port", port_, "Port of the broker on 127.0.0.1")->required();
    command.add_option("--pid", pid_, "The broker's process")->required();
    command.add_option("--over", over_, "tcp, tls, or websocket")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Transport::Kind>{
            {"tcp", Transport::Kind::Tcp}, {"tls", Transport::Kind::Tls}, {"websocket", Transport::Kind::WebSocket}}));
    command.add_option("--user", user_, "Who connects");
    command.add_option("--password", password_);
    command.add_option("--patience", patience_s_, "Seconds until what is missing is lost")->capture_default_str();
    command.callback([this, &options, scenario] {
      raise_descriptor_limit();
      const BrokerProcess process(pid_);
      const std::chrono::seconds patience(patience_s_);
      const Broker broker{
          .port = port_, .process = process, .patience = patience, .over = over_, .user = user_, .password = password_};
      scenario(broker, options).print();
    });
    return command;
  }

  CLI::App app_{"A load for MQTT brokers that counts every message"};
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
  unsigned patience_s_ = 20;
  Transport::Kind over_ = Transport::Kind::Tcp;
  std::string user_;
  std::string password_;
  FanOptions fan_;
  PairsOptions pairs_;
  RoutingOptions routing_;
  LatencyOptions latency_;
  IdleOptions idle_;
  RetainedOptions retained_;
  PublishOptions publish_;
  DrainOptions drain_;
  LinkUpOptions link_up_;
};

}  // namespace
}  // namespace furrow::load

int main(int count, char** arguments) {
  return furrow::load::CommandLine().run(count, arguments);
}
