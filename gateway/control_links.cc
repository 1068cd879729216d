#include "gateway/control_links.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "gateway/net/peer_user.h"
#include "gateway/net/tcp_stream.h"

namespace furrow::gateway {

std::string control_socket(const std::string& data) {
  return data + "/control.sock";
}

class ControlLinks::Link final : public TcpStream::Owner {
 public:
  Link(uv_loop_t& loop, std::uint32_t uid) : uid_(uid), stream_(loop, this) {}

  // False when the connection is gone already.
  bool begin(Descriptor connection) {
    if (!stream_.adopt(connection.get())) return false;
    (void)connection.release();
    stream_.set_reading(true);
    return true;
  }

  bool is_idle() const { return !answer_ && input_.empty(); }
  // Nothing is left to be done for it.
  bool is_over() const { return is_broken_ || (has_ended_ && !answer_ && output_.empty() && !stream_.writing()); }

  // Does one slice of work. True when there is more to do at once.
  bool answer(Desk& desk, Instant now) {
    if (stream_.writing() || !has_work()) return false;
    if (!answer_) {
      answer_ = next_answer(desk, now);
      if (has_ended_ && input_.empty()) answer_->handle_reader_left();
    }
    const Answer::Step step = answer_->next(output_, now);
    if (step == Answer::Step::Done) answer_.reset();
    write();
    stream_.set_reading(!has_ended_ && input_.size() <= kRequestBytesMax);
    return step == Answer::Step::More || (step == Answer::Step::Done && has_work());
  }

  Instant next_deadline() const { return answer_ && !stream_.writing() ? answer_->next_deadline() : kNever; }

  void handle_page(const broker::Page& page) {
    if (answer_) answer_->handle_page(page);
  }

  void on_read(MutableBytes bytes, bool) override {
    if (has_ended_) return;
    input_ += as_text(bytes);
    // What is more than a request is left in the socket until its turn comes.
    if (input_.size() > kRequestBytesMax) stream_.set_reading(false);
  }
  void on_written(std::size_t) override { write(); }
  // Who has said all may still want to read what is answered; who is gone fails with the next write.
  void on_ended(const Error&) override {
    has_ended_ = true;
    if (answer_) answer_->handle_reader_left();
  }

 private:
  bool is_too_long() const { return input_.size() > kRequestBytesMax && input_.find('\n') > kRequestBytesMax; }
  bool has_work() const { return answer_ || is_too_long() || input_.find('\n') != std::string::npos; }

  // REQUIRES: a request, or what is too long for one, lies there.
  std::unique_ptr<Answer> next_answer(Desk& desk, Instant now) {
    if (is_too_long()) {
      input_.clear();
      has_ended_ = true;
      return refusal("the request has more than " + std::to_string(kRequestBytesMax) + " bytes");
    }
    const std::size_t end = input_.find('\n');
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    return desk.ask(line, uid_, now);
  }

  void write() {
    while (!output_.empty() && !stream_.writing() && !is_broken_) {
      is_broken_ = !stream_.write(output_);
    }
  }

  const std::uint32_t uid_;
  std::string input_;
  ByteBuffer output_;
  std::unique_ptr<Answer> answer_;
  bool has_ended_ = false;  // nothing more is read
  bool is_broken_ = false;  // nor written
  TcpStream stream_;
};

ControlLinks::ControlLinks(uv_loop_t& loop, Desk& desk, Log& log, LinkStats& stats)
    : loop_(loop), desk_(desk), log_(log), stats_(stats) {}

ControlLinks::~ControlLinks() = default;

void ControlLinks::open(const std::string& data) {
  const std::string path = control_socket(data);
  auto listener = TcpListener::bind_unix(path, "0600", "");
  if (!listener) {
    log_.write(LogLevel::Warning, "control.unavailable",
               {{"path", path},
                {"reason", listener.error().message()},
                {"then", "furrow clients, bridge, retained, buffer and trace do not reach this gateway"}});
    return;
  }
  listener_ = *std::move(listener);
  const auto accepted = [this](Descriptor connection, const SocketAddress&) {
    accept(std::move(connection));
    return Duration::zero();
  };
  listener_->accept(loop_, log_, stats_, accepted, TcpListener::Kind::Control);
  log_.write(LogLevel::Info, "control.listening", {{"path", path}});
}

void ControlLinks::close() {
  listener_.reset();
  links_.clear();
  has_more_ = false;
}

void ControlLinks::accept(Descriptor connection) {
  const Result<std::uint32_t> uid = uid_at(connection);
  if (!uid) return;
  if (links_.size() == kMax && !make_room()) {
    if (stats_.control_over_limit++ == 0) {
      log_.write(LogLevel::Warning, "control.busy",
                 {{"connections", std::uint64_t{kMax}}, {"then", "more are closed until one of them has its answer"}});
    }
    return;
  }
  auto link = std::make_unique<Link>(loop_, *uid);
  if (link->begin(std::move(connection))) links_.push_back(std::move(link));
}

bool ControlLinks::make_room() {
  const auto idle = std::ranges::find_if(links_, [](const auto& link) { return link->is_idle(); });
  if (idle == links_.end()) return false;
  links_.erase(idle);
  return true;
}

void ControlLinks::answer(Instant now) {
  has_more_ = false;
  for (auto link = links_.begin(); link != links_.end() && !has_more_;) {
    has_more_ = (*link)->answer(desk_, now);
    const auto next = std::next(link);
    if ((*link)->is_over()) {
      links_.erase(link);
    } else if (has_more_) {
      links_.splice(links_.end(), links_, link);
    }
    link = next;
  }
}

Instant ControlLinks::next_deadline() const {
  Instant next = has_more_ ? Instant::min() : kNever;
  for (const auto& link : links_) next = std::min(next, link->next_deadline());
  return next;
}

void ControlLinks::handle_page(const broker::Page& page) {
  for (const auto& link : links_) link->handle_page(page);
}

}  // namespace furrow::gateway
