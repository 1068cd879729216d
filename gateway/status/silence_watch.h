// Topics that something is published on regularly, and which of them have fallen silent (`status.watch`).
//
// Each entry is a destination of the broker with one subscription, at QoS 0, that no client sees: a message costs it
// one look-up. A topic is watched from its first message on; one that is given up is forgotten with an empty retained
// message, which takes its retained value away, too. What is known ends with the process, but for retained values: they
// say when they were published. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/broker.h"
#include "broker-core/publication.h"
#include "gateway/status/model.h"

namespace furrow::gateway {

class SilenceWatch {
 public:
  // Of one entry: 100 KiB, and an alarm for each when all fall silent. Further ones are counted and not watched.
  static constexpr std::size_t kTopicsMax = 1000;
  // How often all topics are looked through, at most.
  static constexpr Duration kApart = std::chrono::seconds(1);

  struct Entry {
    std::string filter;
    Duration silent_after{};

    bool operator==(const Entry&) const = default;
  };

  // Both must outlive it.
  SilenceWatch(broker::Broker& broker, Log& log) : broker_(broker), log_(log) {}
  ~SilenceWatch();
  SilenceWatch(const SilenceWatch&) = delete;
  SilenceWatch& operator=(const SilenceWatch&) = delete;

  // From now on these; entries that stay go on with what they have heard.
  void set(const std::vector<Entry>& entries, Instant now);

  SilenceStatus status(Instant now) const;
  // The status of this moment is known: when another topic may fall silent is worked out anew.
  void note_looked(Instant now);
  Instant next_deadline() const;
  // Rises when a topic is heard again that was silent.
  std::uint64_t changes() const;

 private:
  class Watched final : public broker::Destination {
   public:
    Watched(Entry entry, broker::Broker& broker, Log& log, Instant now);
    ~Watched();
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    const Entry& entry() const { return entry_; }
    void add_to(SilenceStatus& status, Instant now) const;
    void note_looked(Instant now);
    Instant next_deadline() const { return due_; }
    std::uint64_t changes() const { return changes_; }

   private:
    struct Hash {
      using is_transparent = void;
      std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };

    void deliver(broker::Publication& publication, const broker::RoutedDelivery& delivery) override;
    bool refuses(const broker::Publication&, const broker::RoutedDelivery&) const override { return false; }
    void hear(std::string_view topic, Instant when);

    const Entry entry_;
    broker::Broker& broker_;
    Log& log_;
    broker::SubscriberId subscriber_;
    std::unordered_map<std::string, Instant, Hash, std::equal_to<>> heard_;  // when last
    std::uint64_t over_limit_ = 0;                                           // messages on topics beyond kTopicsMax
    std::uint64_t changes_ = 0;
    Instant due_ = kNever;  // no topic falls silent before that
  };

  broker::Broker& broker_;
  Log& log_;
  std::vector<std::unique_ptr<Watched>> entries_;
  std::uint64_t changes_ = 0;  // of entries that are gone
};

}  // namespace furrow::gateway
