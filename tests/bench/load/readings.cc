#include "tests/bench/load/readings.h"

#include "tests/bench/load/fail.h"

namespace furrow::load {
namespace {

std::uint16_t id_of(std::size_t number) {
  return static_cast<std::uint16_t>(number % 0xFFFF + 1);
}

}  // namespace

Readings::Readings(const Broker& broker, const ReadingsOptions& options)
    : options_(options),
      fleet_(broker, "field"),
      publishers_(options.publishers),
      payload_(options.bytes) {
  std::size_t number = options.first_topic;
  for (Publisher& publisher : publishers_) {
    for (std::size_t i = 0; i < options.topics; ++i) {
      publisher.topics.push_back("farm/field-" + std::to_string(number++) + options.topic_end);
    }
  }
  fleet_.on_frame = [this](const Client& client, const Frame& frame) { handle_frame(client, frame); };
}

void Readings::connect() {
  fleet_.connect(options_.publishers);
  fleet_.missing = [this] { return std::to_string(sent_ - acknowledged_) + " acknowledgements"; };
}

void Readings::send(std::size_t publisher) {
  Publisher& from = publishers_[publisher];
  const Stamp stamp{static_cast<std::uint32_t>(publisher), static_cast<std::uint32_t>(from.sent)};
  append_publish(fleet_[publisher].output(), {.topic = from.topics[from.sent % from.topics.size()],
                                              .payload = payload_.make(stamp),
                                              .qos = 1,
                                              .id = id_of(from.sent)});
  ++from.sent;
  ++sent_;
}

void Readings::handle_frame(const Client& client, const Frame& frame) {
  Publisher& publisher = publishers_[client.index()];
  if (frame.type() != FrameType::Puback || read_id(frame) != id_of(publisher.acknowledged)) {
    fail("what came is not the next acknowledgement");
  }
  ++publisher.acknowledged;
  ++acknowledged_;
}

}  // namespace furrow::load
