#include "gateway/net/channel.h"

#include <uv.h>

#include <utility>

#include "broker-core/base/check.h"
#include "gateway/net/layer_stack.h"

namespace furrow::gateway {

// The owner of the stream of a channel with layers.
class Channel::Layered final : public TcpStream::Owner {
 public:
  Layered(Channel& channel, std::vector<std::unique_ptr<Layer>> layers)
      : channel_(&channel), stack_(std::move(layers)) {}
  ~Layered() {
    if (gone_ != nullptr) *gone_ = true;
    if (job_ == nullptr) return;
    job_->layered = nullptr;
    (void)uv_cancel(reinterpret_cast<uv_req_t*>(&job_->request));  // one that runs is thrown away when it is done
  }
  Layered(const Layered&) = delete;
  Layered& operator=(const Layered&) = delete;

  void set_channel(Channel& channel) { channel_ = &channel; }
  void set_owner(Channel::Owner& owner) { owner_ = &owner; }
  Channel::Owner* owner() { return owner_; }
  LayerStack& stack() { return stack_; }

  void set_reading(bool reading) {
    wants_reading_ = reading;
    if (reading && !std::exchange(begun_, true)) {
      step([this] { return stack_.begin(); });
    } else {
      review_reading();
    }
  }

  Result<std::size_t> write(ByteBuffer& output) {
    FURROW_CHECK(!stream().writing());
    const std::size_t size = output.size();
    FURROW_TRY_STATUS(stack_.write(output));
    FURROW_TRY_STATUS(flush());
    if (!stream().writing()) return size;
    unreported_ = size;
    return std::size_t{0};
  }

  // Writes what the layers have said, unless the socket still has something of before.
  Status flush() {
    ByteBuffer& output = stack_.output();
    if (stream().writing() || output.empty()) return {};
    FURROW_TRY([[maybe_unused]] const std::size_t taken, stream().write(output));
    output.release();  // an idle connection owns no heap
    return {};
  }

  void on_read(MutableBytes bytes, bool dry) override { pump(bytes, dry); }
  void on_written(std::size_t) override {
    const std::size_t bytes = std::exchange(unreported_, 0);
    if (survives([&] { owner_->on_written(bytes); })) go_on();
  }
  void on_ended(const Error& why) override { owner_->on_ended(why); }

 private:
  // A job on libuv's pool; owned by its callback.
  struct Running {
    uv_work_t request;
    std::unique_ptr<Layer::Job> job;
    Layered* layered;  // nullptr once that is gone
  };

  TcpStream& stream() { return channel_->stream_; }

  // Runs `call`, which calls the owner, and returns whether this is still there.
  template <typename Call>
  bool survives(Call call) {
    bool gone = false;
    bool* const outer = std::exchange(gone_, &gone);
    call();
    if (gone) {
      if (outer != nullptr) *outer = true;
      return false;
    }
    gone_ = outer;
    return true;
  }

  // One step of the layers, and what follows from it; `act` returns a Status.
  template <typename Act>
  void step(Act act) {
    if (const Status status = act(); !status) {
      fail(status.error());
    } else {
      pump({}, false);
    }
  }

  // Hands on what the bytes hold, and what the layers had.
  void pump(MutableBytes raw, bool dry) {
    if (stack_.busy()) return;
    bool has_given = false;
    while (true) {
      const Result<MutableBytes> piece = stack_.read(raw);
      if (!piece) return fail(piece.error());
      if (!note_opened()) return;
      if (piece->empty()) break;
      has_given = true;
      if (!survives([&] { owner_->on_read(*piece, false); })) return;
    }
    // Whether a piece is the last is known behind it.
    if (has_given && dry && !survives([this] { owner_->on_read({}, true); })) return;
    go_on();
  }

  // False when this is gone.
  bool note_opened() {
    if (opened_ || !stack_.is_open()) return true;
    opened_ = true;
    return survives([this] { owner_->on_opened(stack_); });
  }

  void go_on() {
    if (!flush_or_end()) return;
    if (!stack_.busy()) start_job();
    if (opened_) stack_.shed();
    // What is on its way is reported as it was written.
    if (stack_.empty() && !stream().writing()) {
      channel_->drop_layers(owner_, wants_reading_);  // this is gone
    } else {
      review_reading();
    }
  }

  // False when this is gone.
  bool flush_or_end() {
    const Status written = flush();
    if (written) return true;
    owner_->on_ended(written.error());
    return false;
  }

  void fail(const Error& why) {
    wants_reading_ = false;
    review_reading();
    (void)flush();  // the last words; without them the peer learns less
    owner_->on_failed(why);
  }

  void review_reading() { stream().set_reading(wants_reading_ && !stack_.busy() && stack_.output().empty()); }

  void start_job() {
    std::unique_ptr<Layer::Job> job = stack_.take_job();
    if (!job) return;
    auto running = std::make_unique<Running>();
    running->request.data = running.get();
    running->job = std::move(job);
    running->layered = this;
    const auto run = [](uv_work_t* request) { static_cast<Running*>(request->data)->job->run(); };
    FURROW_CHECK(uv_queue_work(stream().uv()->loop, &running->request, run, on_job_done) == 0);
    job_ = running.release();
  }

  static void on_job_done(uv_work_t* request, int) {
    const std::unique_ptr<Running> running(static_cast<Running*>(request->data));
    Layered* const layered = running->layered;
    if (layered == nullptr) return;
    layered->job_ = nullptr;
    layered->step([&] { return layered->stack_.give_back(std::move(running->job)); });
  }

  Channel* channel_;
  Channel::Owner* owner_ = nullptr;
  LayerStack stack_;
  Running* job_ = nullptr;
  bool* gone_ = nullptr;        // while the owner is called: where to say that this was destroyed
  std::size_t unreported_ = 0;  // bytes of the owner's that are on their way
  bool begun_ = false;
  bool opened_ = false;  // the owner knows
  bool wants_reading_ = false;
};

Channel::Channel(TcpStream stream, std::vector<std::unique_ptr<Layer>> layers) : stream_(std::move(stream)) {
  if (layers.empty()) return;
  layered_ = std::make_unique<Layered>(*this, std::move(layers));
  stream_.set_owner(layered_.get());
}

Channel::Channel() = default;
Channel::~Channel() = default;

Channel::Channel(Channel&& other) noexcept : stream_(std::move(other.stream_)), layered_(std::move(other.layered_)) {
  if (layered_) layered_->set_channel(*this);
}

Channel& Channel::operator=(Channel&& other) noexcept {
  std::swap(stream_, other.stream_);
  std::swap(layered_, other.layered_);
  if (layered_) layered_->set_channel(*this);
  if (other.layered_) other.layered_->set_channel(other);
  return *this;
}

void Channel::set_owner(Owner& owner) {
  if (layered_) {
    layered_->set_owner(owner);
  } else {
    stream_.set_owner(&owner);
  }
}

bool Channel::is_open() const {
  return !layered_ || layered_->stack().is_open();
}

std::string_view Channel::opening() const {
  FURROW_CHECK(layered_ != nullptr);
  return layered_->stack().opening();
}

Status Channel::judge(WallTime now) {
  return layered_ ? layered_->stack().judge(now) : Status();
}

void Channel::set_reading(bool reading) {
  if (layered_) {
    layered_->set_reading(reading);
  } else {
    stream_.set_reading(reading);
  }
}

Result<std::size_t> Channel::write(ByteBuffer& output) {
  return layered_ ? layered_->write(output) : stream_.write(output);
}

void Channel::drop_layers(Owner* owner, bool reading) {
  const std::unique_ptr<Layered> dropped = std::move(layered_);
  stream_.set_owner(owner);
  stream_.set_reading(reading);
}

void Channel::begin_parting() {
  if (layered_) {
    layered_->stack().end();
    (void)layered_->flush();  // a peer that does not read is not waited for
    drop_layers(layered_->owner(), false);
  }
  stream_.set_reading(true);
  finish_parting();
}

void Channel::finish_parting() {
  if (!stream_.writing()) stream_.end_writing();
}

}  // namespace furrow::gateway
