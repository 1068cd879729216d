// Which numbers each sensor has sent and how often each arrived: what the demo's last line is made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace furrow::gateway {

class DemoLedger {
 public:
  explicit DemoLedger(std::size_t sensors) : arrivals_(sensors) {}

  std::size_t sensors() const { return arrivals_.size(); }

  // The next message of `sensor`: numbers begin at 1.
  struct Message {
    std::string topic;
    std::string payload;
  };
  Message send(std::size_t sensor);

  // Counts a message that came to the subscriber. False: no sensor has sent it.
  bool arrive(std::string_view topic, std::string_view payload);

  struct Sums {
    std::uint64_t sent = 0;
    std::uint64_t arrived = 0;     // without what came again
    std::uint64_t duplicated = 0;  // came again, once for each time
    std::uint64_t foreign = 0;     // nobody sent it

    std::uint64_t lost() const { return sent - arrived; }
    bool exactly_once() const { return arrived == sent && duplicated == 0 && foreign == 0; }
  };
  Sums sums() const { return sums_; }

 private:
  std::vector<std::vector<std::uint32_t>> arrivals_;  // per sensor: how often each of its numbers came
  Sums sums_;
};

}  // namespace furrow::gateway
