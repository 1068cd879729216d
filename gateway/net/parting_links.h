// Connections that have been told goodbye, until their peers have read that.
//
// Closing with bytes of the peer's unread would reset the connection and throw our last words away (RFC 1122
// §4.2.2.13). So we read what comes, throw it away, and wait for the peer's close; for a while, and for a few of them:
// the oldest gives way to one more. Thread: loop.
#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "broker-core/base/time.h"
#include "gateway/net/channel.h"

namespace furrow::gateway {

class PartingLinks {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(1);
  static constexpr std::size_t kMax = 100;

  PartingLinks();
  ~PartingLinks();

  // What the channel was given to write still goes out.
  void add(Channel channel, Instant now);

  std::size_t size() const { return links_.size(); }
  void handle_timeout(Instant now);
  Instant next_deadline() const;

 private:
  class Link;

  std::list<std::unique_ptr<Link>> links_;  // the oldest first
};

}  // namespace furrow::gateway
