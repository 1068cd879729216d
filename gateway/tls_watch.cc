#include "gateway/tls_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/net/tls_certificate.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

constexpr Duration kLookInterval = std::chrono::minutes(1);
constexpr std::array<int, 4> kWarnAtDays = {30, 7, 1, 0};

// What changes when one of the files does, or the file that a link leads to.
std::string times_of(const std::vector<std::filesystem::path>& files) {
  std::string times;
  for (const std::filesystem::path& file : files) {
    struct stat found = {};
    if (::stat(file.c_str(), &found) != 0) found = {};
    times += std::to_string(found.st_dev) + "." + std::to_string(found.st_ino) + "." + std::to_string(found.st_size) +
             "." + std::to_string(found.st_mode) + "." + std::to_string(found.st_mtim.tv_sec) + "." +
             std::to_string(found.st_mtim.tv_nsec) + ";";
  }
  return times;
}

std::int64_t days_until(WallTime then, WallTime now) {
  return std::chrono::floor<std::chrono::days>(then - now).count();
}

}  // namespace

// --- one listener ---

Result<std::shared_ptr<TlsEntrance>> TlsEntrance::open(std::string name, const config::Listener& listener, WallTime now,
                                                       const TlsEntrance* before) {
  std::shared_ptr<TlsEntrance> entrance(new TlsEntrance(std::move(name), listener));
  entrance->seen_ = times_of(entrance->files());  // before they are read: what changes meanwhile is looked at again
  const TlsContext* const had = before == nullptr ? nullptr : before->context_.get();
  FURROW_TRY(entrance->context_, TlsContext::open_server(listener, now, had));
  return entrance;
}

std::vector<std::filesystem::path> TlsEntrance::files() const {
  std::vector<std::filesystem::path> files = {listener_.tls.certificate, listener_.tls.key, listener_.tls.client_ca,
                                              listener_.tls.crl, listener_.psk_file};
  std::erase(files, std::filesystem::path());
  return files;
}

// --- all of them ---

void TlsWatch::set(std::vector<std::shared_ptr<TlsEntrance>> entrances, const std::vector<config::Bridge>& bridges) {
  for (const auto& entrance : entrances) {
    const auto had = std::ranges::find(entrances_, entrance->name(), [](const auto& one) { return one->name(); });
    if (had != entrances_.end()) note_change(entrance->name(), *(*had)->context(), *entrance->context());
  }
  entrances_ = std::move(entrances);
  bridges_.clear();
  for (const config::Bridge& one : bridges) {
    if (one.tls.certificate.empty() || !one.enabled) continue;
    bridges_.push_back({.name = "bridge " + one.name, .file = one.tls.certificate, .seen = {}, .info = {}});
    look_at(bridges_.back());
  }
}

void TlsWatch::look(Instant now, WallTime wall) {
  if (now < next_look()) return;
  looked_at_ = now;
  for (const auto& entrance : entrances_) look_at(*entrance, wall);
  for (OfBridge& bridge : bridges_) look_at(bridge);
  warn_before_end(wall);
}

Instant TlsWatch::next_look() const {
  if (entrances_.empty() && bridges_.empty()) return kNever;
  return looked_at_ == Instant() ? Instant() : looked_at_ + kLookInterval;
}

void TlsWatch::look_at(TlsEntrance& entrance, WallTime wall) {
  std::string times = times_of(entrance.files());
  if (times == entrance.seen_) return;
  entrance.seen_ = std::move(times);
  auto context = TlsContext::open_server(entrance.listener_, wall, entrance.context_.get());
  if (context) {
    note_change(entrance.name_, *entrance.context_, **context);
    entrance.context_ = *std::move(context);
    return;
  }
  log_.write(LogLevel::Warning, "tls.not_reloaded",
             {{"listener", entrance.name_},
              {"why", context.error().message()},
              {"then", "what it had stays; its files are looked at again when they change"}});
}

void TlsWatch::note_change(const std::string& listener, const TlsContext& before, const TlsContext& now) {
  if (now.contents() == before.contents()) return;
  const auto& own = now.certificate();
  log_.write(LogLevel::Info, "tls.reloaded",
             {{"listener", listener},
              {"certificate", own ? own->subject : "none: pre-shared keys"},
              {"until", own ? date_text(own->not_after) : ""},
              {"then", "new connections have it; the others stay"}});
}

void TlsWatch::look_at(OfBridge& bridge) {
  std::string times = times_of({bridge.file});
  if (times == bridge.seen) return;
  bridge.seen = std::move(times);
  bridge.info.reset();
  const Result<std::string> text = read_public_file(bridge.file);
  if (!text) return;  // the bridge says so when it connects
  const Result<Certificates> chain = parse_certificates(*text, bridge.file);
  if (!chain) return;
  X509& own = *chain->front();
  bridge.info = CertificateInfo{.file = bridge.file.string(),
                                .subject = subject_text(own),
                                .fingerprint = fingerprint(own),
                                .not_after = not_after(own)};
}

std::vector<TlsWatch::Ours> TlsWatch::all() const {
  std::vector<Ours> all;
  for (const auto& entrance : entrances_) {
    const auto& own = entrance->context_->certificate();
    if (own) all.push_back({"listener " + entrance->name_, *own});
  }
  for (const OfBridge& bridge : bridges_) {
    if (bridge.info) all.push_back({bridge.name, *bridge.info});
  }
  return all;
}

void TlsWatch::warn_before_end(WallTime wall) {
  for (const Ours& one : all()) {
    const std::int64_t days = days_until(one.info.not_after, wall);
    const auto reached_at = [days](int at) { return days < at; };
    const auto step = std::find_if(kWarnAtDays.rbegin(), kWarnAtDays.rend(), reached_at);
    if (step == kWarnAtDays.rend()) continue;
    const int reached = *step;
    const auto [warned, is_new] = warned_.emplace(one.name + one.info.fingerprint, reached);
    if (!is_new && warned->second <= reached) continue;
    warned->second = reached;
    const bool is_over = days < 0;
    log_.write(is_over ? LogLevel::Error : LogLevel::Warning, is_over ? "certificate.expired" : "certificate.expires",
               {{"name", one.name},
                {"file", one.info.file},
                {"subject", one.info.subject},
                {"until", date_text(one.info.not_after)},
                {"then", is_over ? "others refuse it: write a new one over the file"
                                 : "write a new one over the file before; it is taken by itself"}});
  }
}

std::vector<CertificateStatus> TlsWatch::certificates(WallTime now) const {
  std::vector<CertificateStatus> statuses;
  for (Ours& one : all()) {
    statuses.push_back({.name = std::move(one.name),
                        .file = std::move(one.info.file),
                        .subject = std::move(one.info.subject),
                        .not_after = one.info.not_after,
                        .days = days_until(one.info.not_after, now)});
  }
  return statuses;
}

}  // namespace furrow::gateway
