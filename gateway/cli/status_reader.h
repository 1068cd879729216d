// A client of MQTT 5 that reads the status documents of a gateway, again and again.
//
//   connects, subscribes `$SYS/furrow/bridge/+` and `$SYS/furrow/alarms`, then `$SYS/furrow/gateway`
//   with the gateway's document all are there, since messages come in the order of the subscriptions: on_documents()
//   refresh() subscribes again, which brings documents of that moment: a gateway renders them for new subscribers
//
// A gateway that does not answer within kPatience has failed. Thread: loop.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/address.h"
#include "gateway/cli/topic_reader.h"
#include "gateway/net/resolver.h"

namespace furrow::gateway {

struct StatusDocuments {
  std::string gateway;
  std::map<std::string, std::string> bridges;  // by name
  std::string alarms;                          // empty: the gateway is of a version that has none
};

class StatusReader {
 public:
  static constexpr std::chrono::seconds kPatience{5};

  struct Options {
    config::Address address;
    std::optional<std::string> username;
    std::optional<std::string> password;
    std::optional<std::string> ca;  // as TopicReader has them
    std::vector<std::string> pins;
  };
  struct Events {
    std::function<void(const StatusDocuments&)> on_documents;
    std::function<void(std::string why)> on_failed;  // nothing comes after it
  };

  // The reader must not be destroyed from within an event. `resolver` must outlive it.
  StatusReader(uv_loop_t& loop, Resolver& resolver, Options options, Events events);

  // Asks again. REQUIRES: within, or after, on_documents().
  void refresh();

 private:
  void handle_suback(mqtt::ReasonCode reason);
  void handle_message(const mqtt::Publish& publish);

  const std::optional<std::string> username_;
  const Events events_;
  TopicReader reader_;
  StatusDocuments documents_;
};

}  // namespace furrow::gateway
