#include "gateway/log_sink.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <string>

#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

// A pipe that takes anything takes PIPE_BUF bytes; no event has more than six fields.
constexpr std::size_t kTextMax = 512;
static_assert(7 * kTextMax <= PIPE_BUF);

std::string_view level_text(LogLevel level) {
  switch (level) {
    case LogLevel::Error:
      return "error";
    case LogLevel::Warning:
      return "warning";
    case LogLevel::Info:
      return "info";
    case LogLevel::Debug:
      return "debug";
  }
  return "error";
}

// sd-daemon(3): the severities of syslog.
std::string_view journal_priority(LogLevel level) {
  switch (level) {
    case LogLevel::Error:
      return "<3>";
    case LogLevel::Warning:
      return "<4>";
    case LogLevel::Info:
      return "<6>";
    case LogLevel::Debug:
      return "<7>";
  }
  return "<3>";
}

// systemd names the stream that it reads, so that a redirected standard error is not taken for it.
bool is_journal(const char* stream) {
  struct stat found = {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &found) != 0) return false;
  return std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino) == stream;
}

// Quotes and JSON's escapes, which text lines use too: whatever a client chose as its name stays within its line and
// its quotes.
void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  const std::size_t begin = line.size();
  while (!text.empty()) {
    if (line.size() - begin > kTextMax) {
      line += "…";
      break;
    }
    const Character character = take_character(text);
    if (character.code == '"' || character.code == '\\') line += '\\';
    append_printable(line, character);
  }
  line += '"';
}

bool needs_quotes(std::string_view text) {
  if (text.empty() || text.size() > kTextMax) return true;
  while (!text.empty()) {
    const Character character = take_character(text);
    if (!character.shows || std::string_view(" \"=\\").find(character.bytes) != std::string_view::npos) return true;
  }
  return false;
}

void append_text(std::string& line, const LogField& field) {
  line += ' ';
  line += field.name;
  line += '=';
  if (field.is_number) {
    line += std::to_string(field.number);
  } else if (needs_quotes(field.text)) {
    append_quoted(line, field.text);
  } else {
    line += field.text;
  }
}

void append_json(std::string& line, const LogField& field) {
  line += ',';
  append_quoted(line, field.name);
  line += ':';
  if (field.is_number) {
    line += std::to_string(field.number);
  } else if (field.is_truth) {
    line += field.text;
  } else {
    append_quoted(line, field.text);
  }
}

}  // namespace

std::string format_log_line(LogFormat format, WallTime time, LogLevel level, std::string_view event,
                            std::initializer_list<LogField> fields) {
  std::string line;
  if (format == LogFormat::Text) {
    line = utc_text(time);
    line += ' ';
    line += level_text(level);
    line += ' ';
    line += event;
    for (const LogField& field : fields) append_text(line, field);
  } else {
    line = "{\"time\":\"" + utc_text(time) + "\"";
    append_json(line, {"level", level_text(level)});
    append_json(line, {"event", event});
    for (const LogField& field : fields) append_json(line, field);
    line += '}';
  }
  line += '\n';
  return line;
}

LogSink::LogSink(Options options, const Clock& clock)
    : descriptor_(options.descriptor),
      clock_(clock),
      journal_(is_journal(std::getenv("JOURNAL_STREAM"))),
      level_(options.level),
      format_(options.format) {}

void LogSink::set(const Options& options) {
  level_ = options.level;
  format_ = options.format;
}

void LogSink::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!enabled(level)) return;
  if (const std::uint64_t lost = lost_.exchange(0); lost > 0) {
    if (!try_write(line(LogLevel::Warning, "log.lost", {{"lines", lost}}))) lost_ += lost;
  }
  if (!try_write(line(level, event, fields))) ++lost_;
}

std::string LogSink::line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const {
  return std::string(journal_ ? journal_priority(level) : "") +
         format_log_line(format_, clock_.wall(), level, event, fields);
}

// False when it would have to wait.
bool LogSink::try_write(const std::string& line) const {
  pollfd output = {.fd = descriptor_, .events = POLLOUT, .revents = 0};
  if (::poll(&output, 1, 0) == 0) return false;
  // A log that cannot be written must not stop the gateway, and there is nowhere to say so.
  (void)!::write(descriptor_, line.data(), line.size());
  return true;
}

}  // namespace furrow::gateway
