#include "gateway/cli/stopped_gateway.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deque>
#include <utility>

#include "broker-core/base/check.h"
#include "gateway/cli/control_items.h"
#include "gateway/clock.h"
#include "gateway/config_to_options.h"
#include "gateway/control/desk.h"
#include "gateway/engine/engine.h"
#include "gateway/gateway_id.h"
#include "gateway/log_sink.h"
#include "gateway/process.h"
#include "gateway/store/errno_error.h"
#include "gateway/store/sqlite_store.h"

namespace furrow::gateway {
namespace {

// The store without a thread: what is asked of it is done between two slices of an answer.
class DirectStore final : public broker::Store {
 public:
  explicit DirectStore(SqliteStore& store) : store_(store) {}

  void submit(broker::Batch batch) override { batches_.push_back(std::move(batch)); }
  void read(broker::ReadRequest request) override { reads_.push_back(request); }

  // Commits what was submitted.
  Status commit(Engine::StoreNews& news) {
    for (; !batches_.empty(); batches_.pop_front()) {
      FURROW_TRY_STATUS(store_.commit(batches_.front()));
      news.durable = batches_.front().number;
    }
    return {};
  }
  Status answer_reads(Engine::StoreNews& news) {
    for (; !reads_.empty(); reads_.pop_front()) {
      FURROW_TRY(broker::Page page, store_.read(reads_.front()));
      news.pages.push_back(std::move(page));
    }
    return {};
  }

 private:
  SqliteStore& store_;
  std::deque<broker::Batch> batches_;
  std::deque<broker::ReadRequest> reads_;
};

bool changes_something(ControlCommand command) {
  switch (command) {
    case ControlCommand::ClientsForget:
    case ControlCommand::BridgePause:
    case ControlCommand::BridgeResume:
    case ControlCommand::RetainedDelete:
    case ControlCommand::BufferPurge:
    case ControlCommand::BufferReplay:
      return true;
    default:
      return false;
  }
}

// What a store and an engine refer to.
struct Surroundings {
  const Clock clock;
  LogSink log{{.level = LogLevel::Error}, clock};
};

class StoppedGateway final : public GatewayAccess, private Engine::Edge {
 public:
  StoppedGateway(const config::Config& config, std::unique_ptr<Surroundings> surroundings,
                 std::unique_ptr<SqliteStore> store, broker::Restored restored)
      : config_(config),
        surroundings_(std::move(surroundings)),
        clock_(surroundings_->clock),
        log_(surroundings_->log),
        store_(std::move(store)),
        direct_(*store_),
        engine_(
            broker_options(config_, random_seed()), direct_, [this](Instant now) { return clock_.stamp(now); }, log_,
            std::move(restored), clock_.now()),
        desk_({.engine = engine_,
               .log = log_,
               .has_tls = [this](std::string_view listener) { return has_tls(config_, listener); },
               .has_bridge = [this](std::string_view name) { return has_bridge(config_, name); }}) {}

  // What is published by a command goes into the buffers of bridges, as if the gateway ran.
  void open_buffers(const std::string& gateway_id) {
    for (const config::Bridge& one : config_.bridges) {
      bridge::Options options = bridge_options(one, gateway_id, 0);
      bridge::Buffer& buffer = engine_.buffers().of(one.name);
      buffer.set_limits(options.buffer);
      buffer.set_rules(std::move(options.rules), options.live_first, clock_.now());
      buffer.set_taking(options.enabled);
    }
  }

  Result<std::string> ask(const ControlRequest& request, const OnItem& on_item) override {
    const Instant now = clock_.now();
    const bool writes = changes_something(request.command);
    const std::unique_ptr<Answer> answer = desk_.ask(write_request(request), ::getuid(), now);
    ByteBuffer out;
    std::string end;
    for (auto step = Answer::Step::More; step != Answer::Step::Done;) {
      step = answer->next(out, now);
      end = hand_out(out, on_item);
      if (step != Answer::Step::Done) FURROW_TRY_STATUS(turn(*answer, writes, now));
    }
    return judge_end(end);
  }

 private:
  // The end of the answer, once it is there.
  static std::string hand_out(ByteBuffer& out, const OnItem& on_item) {
    std::string end;
    for (std::string_view text = as_text(out.view()); !text.empty();) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(line.size() + 1);
      if (is_end_line(line)) {
        end = line;
      } else if (on_item) {
        on_item(line);
      }
    }
    out.clear();
    return end;
  }

  Status turn(Answer& answer, bool writes, Instant now) {
    Engine::StoreNews news;
    FURROW_TRY_STATUS(direct_.answer_reads(news));
    if (writes) {
      engine_.broker().journal().flush_all(now);
      FURROW_TRY_STATUS(direct_.commit(news));
    }
    for (const broker::Page& page : news.pages) answer.handle_page(page);
    engine_.handle_store(std::move(news), now);
    engine_.end_turn(now, *this);
    return {};
  }

  // Engine::Edge: nobody is there.
  void flush(bridge::Bridge&, Instant) override {}
  void flush_clients(Instant) override {}
  void handle_bridge_left(const bridge::Bridge&) override {}
  void handle_bridge_made(bridge::Bridge&) override {}

  const config::Config config_;
  const std::unique_ptr<Surroundings> surroundings_;
  const Clock& clock_;
  Log& log_;
  const std::unique_ptr<SqliteStore> store_;
  DirectStore direct_;
  Engine engine_;
  Desk desk_;
};

Status become_owner_of(const std::string& directory) {
  struct stat found = {};
  if (::geteuid() != 0 || ::stat(directory.c_str(), &found) != 0 || found.st_uid == 0) return {};
  if (::setgroups(0, nullptr) == 0 && ::setgid(found.st_gid) == 0 && ::setuid(found.st_uid) == 0) return {};
  return errno_error("become the user of " + directory);
}

}  // namespace

Result<std::unique_ptr<GatewayAccess>> open_stopped_gateway(const config::Config& config) {
  const std::string directory = config.gateway.data.string();
  FURROW_TRY_STATUS(become_owner_of(directory));
  keep_files_private();
  auto surroundings = std::make_unique<Surroundings>();
  const StoreOptions options{
      .directory = directory, .vfs = {}, .disk_reserve = config.store.disk_reserve, .now = surroundings->clock.wall()};
  auto store = SqliteStore::open(options, surroundings->log);
  if (!store && store.error().code() == Errc::InUse) {
    return Error(Errc::InUse, store.error().message() +
                                  ". It does not answer on its control socket: does it start or stop just now? Its log "
                                  "says where the socket is, or why there is none (control.…)");
  }
  if (!store) return std::move(store).error();
  FURROW_TRY(broker::Restored restored, (*store)->restore());
  FURROW_TRY(const std::string id, gateway_id(config.gateway.id, **store));
  auto gateway =
      std::make_unique<StoppedGateway>(config, std::move(surroundings), *std::move(store), std::move(restored));
  gateway->open_buffers(id);
  return std::unique_ptr<GatewayAccess>(std::move(gateway));
}

}  // namespace furrow::gateway
