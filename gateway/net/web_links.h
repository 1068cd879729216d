// Connections that have asked something by HTTP, until their answer is written.
//
// They have a deadline, by which the answer has to be read, and beyond kMax the oldest gives way to one more: a page
// asks for a few things at a time, and whoever asks for more only holds places. Who is answered parts like everybody
// (parting_links.h). Knows neither pages nor status. Thread: loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string_view>

#include "broker-core/base/time.h"
#include "gateway/net/channel.h"
#include "gateway/net/layer.h"
#include "gateway/net/parting_links.h"

namespace furrow::gateway {

class WebLinks {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(30);
  static constexpr std::size_t kMax = 64;

  // A question that is open, never used twice.
  using Number = std::uint64_t;

  // Who knows the answers.
  class Desk {
   public:
    // `introduction` has a question, which is answered with answer(number, …), but not from within.
    virtual void ask(Number number, const Introduction& introduction) = 0;
    // Nobody waits for this answer any more.
    virtual void withdraw(Number number) = 0;

   protected:
    ~Desk() = default;
  };

  // `parting` must outlive this.
  WebLinks(PartingLinks& parting, std::function<Instant()> now);
  ~WebLinks();

  // Must be called before add(); outlives the links.
  void set_desk(Desk& desk) { desk_ = &desk; }

  // Takes a connection whose layers are open. `introduction` has a question.
  void add(Channel channel, const Introduction& introduction);
  // Writes the answer, with which the connection ends. Without effect when nobody waits for it.
  void answer(Number number, std::string_view text);

  std::size_t size() const { return links_.size(); }
  // Closes all of them.
  void clear();
  void handle_timeout(Instant now);
  Instant next_deadline() const;

 private:
  class Link;

  void erase(const Link& link);

  PartingLinks& parting_;
  const std::function<Instant()> now_;
  Desk* desk_ = nullptr;
  Number last_ = 0;
  std::list<std::unique_ptr<Link>> links_;  // the oldest first
};

}  // namespace furrow::gateway
