#include "bridge/reports.h"

namespace furrow::bridge {

namespace {

constexpr Duration kAgainAfter = std::chrono::hours(1);

std::string age_of(const std::optional<Instant>& oldest, Instant now) {
  return in_seconds(oldest ? now - *oldest : Duration::zero());
}

}  // namespace

std::string in_seconds(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count()) + "s";
}

void Reports::connecting(std::string_view remote, std::string_view dialect) {
  log_.write(LogLevel::Debug, "bridge.connecting", {{"name", name_}, {"remote", remote}, {"as", dialect}});
}

void Reports::attempt_failed(std::string_view remote, std::string_view reason) {
  log_.write(LogLevel::Debug, "bridge.attempt_failed", {{"name", name_}, {"remote", remote}, {"reason", reason}});
}

void Reports::online(std::string_view remote, std::string_view mqtt_version, bool resumed, std::uint64_t queued) {
  log_.write(LogLevel::Info, "bridge.online",
             {{"name", name_},
              {"remote", remote},
              {"mqtt_version", mqtt_version},
              {"session", resumed ? "resumed" : "new"},
              {"queued", queued}});
}

bool Reports::is_to_be_said(std::string_view reason, std::optional<Duration>& lasted, Instant now) {
  const auto found = troubles_.find(reason);
  if (found == troubles_.end()) {
    if (troubles_.size() == kTroublesMax) troubles_.clear();
    troubles_.emplace(reason, Trouble{now, now});
    return true;
  }
  Trouble& trouble = found->second;
  if (now - trouble.said < kAgainAfter) return false;
  trouble.said = now;
  lasted = now - trouble.since;
  return true;
}

void Reports::offline(std::string_view reason, Duration retry_in, const Waiting& waiting, Instant now) {
  std::optional<Duration> lasted;
  if (!is_to_be_said(reason, lasted, now)) return;
  if (!lasted) {
    log_.write(LogLevel::Warning, "bridge.offline",
               {{"name", name_}, {"reason", reason}, {"retry_in", in_seconds(retry_in)}, {"queued", waiting.messages}});
    return;
  }
  log_.write(LogLevel::Warning, "bridge.offline",
             {{"name", name_},
              {"reason", reason},
              {"for", in_seconds(*lasted)},
              {"retry_in", in_seconds(retry_in)},
              {"queued", waiting.messages},
              {"oldest", age_of(waiting.oldest, now)}});
}

void Reports::waiting(std::string_view reason, const Waiting& waiting) {
  log_.write(LogLevel::Info, "bridge.waiting", {{"name", name_}, {"reason", reason}, {"queued", waiting.messages}});
}

void Reports::stalled(std::string_view reason, const Waiting& waiting, Instant now) {
  std::optional<Duration> lasted;
  if (!is_to_be_said(reason, lasted, now)) return;
  log_.write(LogLevel::Warning, "bridge.stalled",
             {{"name", name_},
              {"reason", reason},
              {"for", in_seconds(lasted.value_or(Duration::zero()))},
              {"queued", waiting.messages},
              {"oldest", age_of(waiting.oldest, now)}});
}

void Reports::drained(const Drain::Result& result) {
  log_.write(LogLevel::Info, "bridge.drained",
             {{"name", name_}, {"after", in_seconds(result.after)}, {"delivered", result.delivered}});
}

void Reports::circling(const Circling& message, Instant now) {
  if (now < circling_due_) return;
  circling_due_ = now + kAgainAfter;
  log_.write(LogLevel::Warning, "bridge.circling",
             {{"name", name_},
              {"topic", message.topic},
              {"path", message.path},
              {"reason", broker::name(message.reason)},
              {"then", "not passed on; see dropped in the status"}});
}

void Reports::stopped(const Echoes::Stopped& message) {
  log_.write(LogLevel::Warning, "bridge.circling",
             {{"name", name_},
              {"topic", message.topic},
              {"why", "it comes back from the far side each time that it is sent"},
              {"then", "this message is not sent for " + in_seconds(message.time)}});
}

void Reports::set_aside(const Buffer::SetAside& message) {
  const std::string_view then =
      message.is_kept ? "kept: furrow buffer show --quarantine" : "counted as delivered: it had taken it before";
  log_.write(LogLevel::Warning, "bridge.set_aside",
             {{"name", name_},
              {"topic", message.topic},
              {"qos", static_cast<std::uint64_t>(message.qos)},
              {"bytes", message.bytes},
              {"reason", "the far broker ends the connection each time that it gets it"},
              {"then", then}});
}

void Reports::oddity(std::string_view event, std::string_view what, std::string_view then) {
  if (!oddities_.emplace(what).second) return;
  log_.write(LogLevel::Warning, event, {{"name", name_}, {"answer", what}, {"then", then}});
}

void Reports::refused(std::string_view event, std::string_view reason, std::string_view then) {
  if (then.empty()) {
    log_.write(LogLevel::Warning, event, {{"name", name_}, {"reason", reason}});
  } else {
    log_.write(LogLevel::Warning, event, {{"name", name_}, {"reason", reason}, {"then", then}});
  }
}

}  // namespace furrow::bridge
