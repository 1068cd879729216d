#include "gateway/net/opening_links.h"

#include <utility>

#include "gateway/net/layer_stack.h"

namespace furrow::gateway {

class OpeningLinks::Link final : public Channel::Owner {
 public:
  Link(OpeningLinks& all, Channel channel, Introduction introduction, Instant now)
      : all_(all), channel_(std::move(channel)), introduction_(std::move(introduction)), accepted_(now) {
    channel_.set_owner(*this);
  }

  void begin(Place place) {
    place_ = place;
    channel_.set_reading(true);
  }

  const std::string& peer() const { return introduction_.peer; }
  const std::string& listener() const { return introduction_.listener; }
  Instant accepted() const { return accepted_; }
  std::string_view waits_for() const { return channel_.opening(); }

  // Every one of these is the last of this link.
  void on_opened(const LayerStack& layers) override {
    const std::unique_ptr<Link> self = all_.take(place_);
    layers.introduce(introduction_);
    all_.owner_.handle_opened(std::move(channel_), introduction_, accepted_);
  }
  void on_failed(const Error& why) override {
    const std::unique_ptr<Link> self = all_.take(place_);
    ++all_.stats_.openings_failed;
    all_.refuse(*this, why.message());
    all_.owner_.handle_failed(std::move(channel_));
  }
  void on_ended(const Error&) override { all_.take(place_).reset(); }

  // The first bytes for above come behind on_opened(), when somebody else is the owner.
  void on_read(MutableBytes, bool) override {}
  void on_written(std::size_t) override {}

 private:
  OpeningLinks& all_;
  Channel channel_;
  Introduction introduction_;
  const Instant accepted_;
  Place place_;
};

OpeningLinks::OpeningLinks(const Options& options, Owner& owner, LinkStats& stats, RefusalLog& refusals)
    : options_(options), owner_(owner), stats_(stats), refusals_(refusals) {}

OpeningLinks::~OpeningLinks() = default;

void OpeningLinks::add(Channel channel, Introduction introduction) {
  if (links_.size() == options_.max) {
    ++stats_.openings_over_limit;
    refuse(*links_.front(), "too many connections are opening, and this is the oldest");
    links_.pop_front();
  }
  links_.push_back(std::make_unique<Link>(*this, std::move(channel), std::move(introduction), owner_.now()));
  links_.back()->begin(std::prev(links_.end()));
}

std::unique_ptr<OpeningLinks::Link> OpeningLinks::take(Place place) {
  std::unique_ptr<Link> link = std::move(*place);
  links_.erase(place);
  return link;
}

void OpeningLinks::refuse(Link& link, std::string_view why) {
  refusals_.write(link.listener(), link.peer(), why, owner_.now());
}

void OpeningLinks::clear() {
  links_.clear();
}

void OpeningLinks::handle_timeout(Instant now) {
  while (next_deadline() <= now) {
    ++stats_.openings_timed_out;
    refuse(*links_.front(), std::string(links_.front()->waits_for()) + ": not there in time");
    links_.pop_front();
  }
}

Instant OpeningLinks::next_deadline() const {
  return links_.empty() ? kNever : links_.front()->accepted() + options_.patience;
}

}  // namespace furrow::gateway
