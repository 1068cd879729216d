#include "gateway/net/web_links.h"

#include <algorithm>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow::gateway {

class WebLinks::Link final : public Channel::Owner {
 public:
  Link(WebLinks& all, Channel channel, Number number, Instant now)
      : all_(all), channel_(std::move(channel)), number_(number), since_(now) {}

  // Apart from the constructor: a channel may call from within.
  void begin() {
    channel_.set_owner(*this);
    channel_.set_reading(true);
  }

  Number number() const { return number_; }
  Instant until() const { return since_ + kPatience; }
  bool is_answered() const { return is_answered_; }

  // Destroys this, unless the socket has not got all of it yet.
  void answer(std::string_view text) {
    is_answered_ = true;
    output_.append(text);
    write();
  }

  void on_read(MutableBytes, bool) override {}  // one question is answered, and the connection closed
  void on_written(std::size_t) override {
    if (is_answered_) write();
  }
  void on_ended(const Error&) override { all_.erase(*this); }
  void on_failed(const Error&) override { all_.erase(*this); }

 private:
  void write() {
    while (!output_.empty() && !channel_.writing()) {
      if (!channel_.write(output_)) {
        all_.erase(*this);
        return;
      }
    }
    if (!channel_.writing()) part();
  }
  void part() {
    Channel channel = std::move(channel_);
    WebLinks& all = all_;
    all.erase(*this);
    all.parting_.add(std::move(channel), all.now_());
  }

  WebLinks& all_;
  Channel channel_;
  const Number number_;
  const Instant since_;
  bool is_answered_ = false;
  ByteBuffer output_;
};

WebLinks::WebLinks(PartingLinks& parting, std::function<Instant()> now) : parting_(parting), now_(std::move(now)) {}

WebLinks::~WebLinks() = default;

void WebLinks::add(Channel channel, const Introduction& introduction) {
  FURROW_CHECK(desk_ != nullptr && introduction.question.has_value());
  if (links_.size() == kMax) erase(*links_.front());
  const Number number = ++last_;
  links_.push_back(std::make_unique<Link>(*this, std::move(channel), number, now_()));
  desk_->ask(number, introduction);
  links_.back()->begin();
}

void WebLinks::answer(Number number, std::string_view text) {
  const auto link = std::ranges::find(links_, number, [](const auto& one) { return one->number(); });
  if (link != links_.end()) (*link)->answer(text);
}

void WebLinks::erase(const Link& link) {
  if (!link.is_answered()) desk_->withdraw(link.number());
  links_.remove_if([&link](const std::unique_ptr<Link>& one) { return one.get() == &link; });
}

void WebLinks::clear() {
  while (!links_.empty()) erase(*links_.front());
}

void WebLinks::handle_timeout(Instant now) {
  while (next_deadline() <= now) erase(*links_.front());
}

Instant WebLinks::next_deadline() const {
  return links_.empty() ? kNever : links_.front()->until();
}

}  // namespace furrow::gateway
