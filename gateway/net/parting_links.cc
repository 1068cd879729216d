#include "gateway/net/parting_links.h"

#include <utility>

namespace furrow::gateway {

class PartingLinks::Link final : public Channel::Owner {
 public:
  Link(PartingLinks& all, Channel channel, Instant until) : all_(all), channel_(std::move(channel)), until_(until) {
    channel_.set_owner(*this);
    channel_.begin_parting();
  }

  Instant until() const { return until_; }

  void on_read(MutableBytes, bool) override {}
  void on_written(std::size_t) override { channel_.finish_parting(); }
  void on_ended(const Error&) override { end(); }
  void on_failed(const Error&) override { end(); }

 private:
  // Destroys this.
  void end() {
    all_.links_.remove_if([this](const std::unique_ptr<Link>& one) { return one.get() == this; });
  }

  PartingLinks& all_;
  Channel channel_;
  const Instant until_;
};

PartingLinks::PartingLinks() = default;
PartingLinks::~PartingLinks() = default;

void PartingLinks::add(Channel channel, Instant now) {
  if (links_.size() == kMax) links_.pop_front();
  links_.push_back(std::make_unique<Link>(*this, std::move(channel), now + kPatience));
}

void PartingLinks::handle_timeout(Instant now) {
  while (next_deadline() <= now) links_.pop_front();
}

Instant PartingLinks::next_deadline() const {
  return links_.empty() ? kNever : links_.front()->until();
}

}  // namespace furrow::gateway
