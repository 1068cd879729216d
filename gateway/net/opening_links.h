// Connections on their way in: accepted, and unknown to the broker while their layers (layer.h) are opening.
//
// They have one deadline, the one for CONNECT, which counts from accept: a byte now and then buys no time. Beyond `max`
// the oldest gives way to one more. A client opens within a few round trips, so that the oldest are those who only hold
// a place. Knows neither MQTT nor the broker. Thread: loop.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/time.h"
#include "gateway/net/channel.h"
#include "gateway/net/link_stats.h"
#include "gateway/net/refusal_log.h"

namespace furrow::gateway {

class OpeningLinks {
 public:
  struct Options {
    std::size_t max;
    Duration patience;  // from accept to the last layer open
  };

  // Who gets them; owns each channel from then on.
  class Owner {
   public:
    // Its bytes follow: set the owner of the channel, or let it go.
    virtual void handle_opened(Channel channel, const Introduction& introduction, Instant accepted) = 0;
    // A layer gave up. What it had to say is on its way.
    virtual void handle_failed(Channel channel) = 0;
    virtual Instant now() const = 0;

   protected:
    ~Owner() = default;
  };

  // All of these must outlive this.
  OpeningLinks(const Options& options, Owner& owner, LinkStats& stats, RefusalLog& refusals);
  ~OpeningLinks();

  // Takes a connection that was just accepted.
  void add(Channel channel, Introduction introduction);

  std::size_t size() const { return links_.size(); }
  // Closes all of them.
  void clear();

  void handle_timeout(Instant now);
  Instant next_deadline() const;

 private:
  class Link;
  using Place = std::list<std::unique_ptr<Link>>::iterator;

  // Takes it out.
  std::unique_ptr<Link> take(Place place);
  void refuse(Link& link, std::string_view why);

  const Options options_;
  Owner& owner_;
  LinkStats& stats_;
  RefusalLog& refusals_;
  std::list<std::unique_ptr<Link>> links_;  // the oldest first
};

}  // namespace furrow::gateway
