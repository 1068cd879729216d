#include "gateway/cli/diag.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "broker-core/base/printable.h"
#include "config/config_files.h"
#include "config/write_yaml.h"
#include "gateway/cli/check.h"
#include "gateway/cli/child_program.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/control_items.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/machine_facts.h"
#include "gateway/cli/secret_scrubber.h"
#include "gateway/cli/tar_archive.h"
#include "gateway/clock.h"
#include "gateway/net/descriptor.h"
#include "gateway/process.h"
#include "gateway/store/errno_error.h"

extern char** environ;

namespace furrow::gateway {
namespace {

constexpr std::size_t kDocumentBytesMax = 4 * MiB;
constexpr std::size_t kLogLines = 2000;
constexpr std::chrono::seconds kJournalPatience{20};
// A gateway that hangs is what somebody may ask about: its answers are not waited for much longer than this.
constexpr std::chrono::seconds kGatewayPatience{10};
// What a gateway tells that runs.
constexpr const char* kGatewayDocuments[] = {"status.txt",  "alarms.txt",  "statistics.txt",
                                             "clients.txt", "bridges.txt", "retained.txt"};

// What goes into the archive, and what does not.
class DiagDocuments {
 public:
  explicit DiagDocuments(const SecretScrubber& scrubber) : scrubber_(scrubber) {}

  void add(std::string name, std::string what, std::string_view text) {
    std::string clean = scrubber_.scrub(text);  // before it is cut, perhaps within a secret
    if (clean.size() > kDocumentBytesMax) clean = clean.substr(0, kDocumentBytesMax) + "\n… cut here\n";
    documents_.push_back({std::move(name), std::move(what), std::move(clean)});
  }
  void miss(std::string name, std::string_view why) { missing_.push_back({std::move(name), "", scrubber_.scrub(why)}); }
  void add_or_miss(std::string name, std::string what, const Result<std::string>& text) {
    if (text) {
      add(std::move(name), std::move(what), *text);
    } else {
      miss(std::move(name), text.error().message());
    }
  }

  // One line a document, and one for each reason why some are missing.
  std::string contents() const {
    std::string text;
    for (const Document& one : documents_) text += "  " + padded(one.name) + one.what + "\n";
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      const bool goes_on = i + 1 < missing_.size() && missing_[i + 1].text == missing_[i].text;
      text += "  " + padded(missing_[i].name) + "is missing" + (goes_on ? ",\n" : ": " + missing_[i].text + "\n");
    }
    return text;
  }
  std::string archive(std::string_view folder, std::string_view about, std::int64_t time_s) const {
    TarArchive tar;
    const std::string begin = std::string(folder) + "/";
    tar.add(begin + "README.txt", about, time_s);
    for (const Document& one : documents_) tar.add(begin + one.name, one.text, time_s);
    return std::move(tar).finish();
  }

 private:
  struct Document {
    std::string name;
    std::string what;
    std::string text;
  };
  static std::string padded(std::string text) {
    constexpr std::size_t kNameColumns = 18;
    text.resize(std::max(text.size() + 1, kNameColumns), ' ');
    return text;
  }

  const SecretScrubber& scrubber_;
  std::vector<Document> documents_;
  std::vector<Document> missing_;
};

// The whole of a small file; nothing where there is none, or we may not read it.
std::string read_secret_text(const std::filesystem::path& path) {
  if (path.empty()) return {};
  std::ifstream file(path, std::ios::binary);
  std::string text(kDocumentBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

// --- what is secret ---

void learn_secrets_of_environment(SecretScrubber& scrubber) {
  for (char** one = environ; *one != nullptr; ++one) {
    std::string entry = *one;
    const std::size_t sign = entry.find('=');
    if (sign == std::string::npos || entry.starts_with("CREDENTIALS_DIRECTORY=")) continue;
    scrubber.add_written(entry);  // `NAME=VALUE`, and the user of a proxy in a URL
  }
}

void learn_secrets(const config::Config& config, SecretScrubber& scrubber) {
  const auto add = [&](const std::filesystem::path& file, bool has_names) {
    scrubber.add_lines(read_secret_text(file), has_names);
  };
  add(config.access.password_file, true);
  for (const config::Listener& listener : config.listeners) {
    add(listener.psk_file, true);
    add(listener.tls.key, false);
  }
  for (const config::Bridge& bridge : config.bridges) {
    for (const auto& file : {bridge.password_from, bridge.psk_from, bridge.proxy_password_from, bridge.tls.key}) {
      add(file, false);
    }
  }
}

// --- documents ---

// What is written differs from what runs where a reload was refused; the check says that.
void add_configuration(DiagDocuments& documents, const ConfigChoice& chosen, const std::string& written) {
  if (!config::has_errors(chosen.loaded.diagnostics)) {
    documents.add("config.yaml", "what " + chosen.name + " comes to, without comments and defaults",
                  config::write_yaml(chosen.loaded.config));
  } else {
    documents.add("config.yaml", chosen.name + " as it is, with its errors, without comments",
                  without_comments(written));
  }
}

std::string last_lines(std::string_view text, std::size_t count) {
  std::size_t begin = text.size();
  for (std::size_t i = 0; i <= count && begin > 0; ++i) {
    begin = text.rfind('\n', begin - 1);
    if (begin == std::string_view::npos) return std::string(text);
  }
  return std::string(text.substr(begin == text.size() || begin == 0 ? 0 : begin + 1));
}

Result<std::string> read_journal(const DiagOptions& options) {
  const std::string how =
      "; 'journalctl -u " + options.unit + "' shows it as root, and --log FILE takes a file with it";
  const std::vector<std::string> program{
      "journalctl", "--no-pager", "-q", "-o", "short-iso", "-u", options.unit, "-n", std::to_string(kLogLines)};
  const auto output = run_program(program, kDocumentBytesMax, kJournalPatience);
  if (!output) return Error(Errc::NotFound, output.error().message() + how);
  if (output->exit_code != 0) {
    const std::string why = printable(output->text.substr(0, output->text.find('\n')), 300);
    return Error(Errc::NotFound, "journalctl: " + why + how);
  }
  if (output->text.empty()) {
    return Error(Errc::NotFound, "the journal has nothing of " + options.unit + ", or we may not read it" + how);
  }
  return output->text;
}

Result<std::string> read_log_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return errno_error("open " + path);
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  const std::size_t begin = size - std::min(size, kDocumentBytesMax);
  file.seekg(static_cast<std::streamoff>(begin));
  std::string text(size - begin, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (begin > 0) text.erase(0, text.find('\n'));  // half a line may have half a secret
  return last_lines(text, kLogLines);
}

void add_log(DiagDocuments& documents, const DiagOptions& options) {
  documents.add_or_miss("log.txt", "its last " + std::to_string(kLogLines) + " lines at most",
                        options.log ? read_log_file(*options.log) : read_journal(options));
}

// The lines of an answer as they come, as far as they have room.
Result<std::string> ask_for_lines(GatewayAccess& gateway, const ControlRequest& request) {
  std::string text;
  std::uint64_t left_out = 0;
  FURROW_TRY(const std::string end, gateway.ask(request, [&](std::string_view line) {
    if (text.size() + line.size() < kDocumentBytesMax / 2) {
      text += std::string(line) + "\n";
    } else {
      ++left_out;
    }
  }));
  if (left_out > 0) text += "… and " + std::to_string(left_out) + " more\n";
  return text + end + "\n";
}

struct StatusTexts {
  std::string documents;  // of `$SYS/furrow/`
  std::string alarms;
  std::string statistics;  // of `$SYS/broker/`
};

// By the retained messages of the gateway itself, which are no data of anybody's.
Result<StatusTexts> ask_for_status(GatewayAccess& gateway) {
  StatusTexts texts;
  const ControlRequest request{.command = ControlCommand::RetainedShow, .filter = "$SYS/#"};
  FURROW_TRY(const std::string end, gateway.ask(request, [&](std::string_view line) {
    const auto message = read_message(line);
    if (!message || !message->payload || message->topic.starts_with("$SYS/furrow/client/")) return;
    const std::string text = message->topic + " " + *message->payload + "\n";
    const bool is_alarms = message->topic == "$SYS/furrow/alarms";
    (is_alarms                                    ? texts.alarms
     : message->topic.starts_with("$SYS/furrow/") ? texts.documents
                                                  : texts.statistics) += text;
  }));
  return texts;
}

// One that does not answer is asked once.
void add_gateway(DiagDocuments& documents, GatewayAccess& gateway) {
  const auto status = ask_for_status(gateway);
  if (!status) {
    for (const char* const name : kGatewayDocuments) documents.miss(name, status.error().message());
    return;
  }
  documents.add("status.txt", "status documents of gateway and bridges, and the last hour", status->documents);
  documents.add("alarms.txt", "alarms", status->alarms);
  documents.add("statistics.txt", "$SYS/broker/", status->statistics);
  documents.add_or_miss("clients.txt", "who is connected or has a session",
                        ask_for_lines(gateway, {.command = ControlCommand::ClientsList}));
  documents.add_or_miss("bridges.txt", "bridges and their buffers",
                        ask_for_lines(gateway, {.command = ControlCommand::BridgeList}));
  documents.add_or_miss("retained.txt", "how many retained messages there are, and none of them",
                        ask_for_lines(gateway, {.command = ControlCommand::RetainedCount}));
}

// The files of a stopped gateway are left as they are: opening them repairs what is damaged, which may be the question.
void miss_gateway(DiagDocuments& documents, const Error& why) {
  const std::string what = why.message() +
                           ". This command leaves the files of a stopped gateway as they are; furrow "
                           "clients list and furrow bridge list look into them";
  for (const char* const name : kGatewayDocuments) documents.miss(name, what);
}

// --- the file ---

Result<Descriptor> make_archive_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return errno_error("make " + path);
  return file;
}

// `20261124T100000Z`.
std::string compact_time(WallTime time) {
  std::string text = utc_seconds_text(time);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

// As a part of a file's name.
std::string name_part(const std::string& id) {
  std::string part = id.empty() ? host_name() : id;
  std::ranges::replace_if(
      part, [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_' && c != '.'; }, '_');
  return part.substr(0, 64);
}

std::string about(const DiagDocuments& documents, const std::string& time) {
  return "Of a furrow gateway, made " + time + " by furrow diag:\n\n" + documents.contents() +
         "\nNo payloads, no retained values, no passwords, hashes, keys or tokens. Addresses, client identifiers, "
         "user\n"
         "names and topics are in it.\n";
}

Status write_archive(const DiagDocuments& documents, const std::string& folder, const std::string& about_text,
                     std::int64_t time_s, const Descriptor& file) {
  FURROW_TRY_STATUS(filter_into({"gzip", "-n", "-c"}, documents.archive(folder, about_text, time_s), file.get()));
  return ::fsync(file.get()) == 0 ? Status() : errno_error("sync the archive");
}

void collect(DiagDocuments& documents, const DiagOptions& options, const Result<ConfigChoice>& chosen,
             const std::string& written) {
  documents.add("version.txt", "version and build", build_facts());
  if (chosen) {
    add_configuration(documents, *chosen, written);
  } else {
    documents.miss("config.yaml", chosen.error().message());
  }
  const CheckReport report = check_report({.config = options.config, .data = options.data});
  documents.add("check.txt", "what furrow check says", report.error.empty() ? report.text : report.error + "\n");
  add_log(documents, options);
  const std::string data = options.data.value_or(chosen ? chosen->loaded.config.gateway.data.string() : ".");
  documents.add("system.txt", "kernel, memory, clock, disk", system_facts(data));
  documents.add_or_miss("store.txt", "the files of the data directory with their sizes", directory_facts(data));
  const auto gateway = reach_gateway(options, Reach::Running);
  if (gateway) {
    (*gateway)->set_patience(kGatewayPatience);
    documents.add("process.txt", "limits and memory of the gateway", process_facts((*gateway)->process()));
    add_gateway(documents, **gateway);
  } else {
    documents.add("process.txt", "limits of this command; those of the gateway may be others",
                  process_facts(std::nullopt));
    miss_gateway(documents, gateway.error());
  }
}

}  // namespace

int run_diag(const DiagOptions& options) {
  const WallTime now = Clock().wall();
  const auto chosen = choose_config(options.config, kDefaultConfigFile);
  const std::string id = name_part(chosen ? chosen->loaded.config.gateway.id : std::string());
  const std::string folder = "furrow-diag-" + id + "-" + compact_time(now);
  const std::string path = options.output.value_or(folder + ".tar.gz");
  const auto file = make_archive_file(path);
  if (!file) return fail_with(file.error());

  SecretScrubber scrubber;
  learn_secrets_of_environment(scrubber);
  std::string written;
  if (chosen && !chosen->embedded) {
    if (auto text = config::read_config_file(chosen->name)) written = *std::move(text);
    scrubber.add_written(written);
    for (const std::string& pattern : chosen->loaded.config.include) {
      const auto place = std::filesystem::path(chosen->name).parent_path() / pattern;
      const auto files = config::find_config_files(place.lexically_normal().string(), chosen->name);
      if (!files) continue;
      for (const config::IncludedFile& one : *files) scrubber.add_written(one.text);
    }
  }
  if (chosen) learn_secrets(chosen->loaded.config, scrubber);
  DiagDocuments documents(scrubber);
  collect(documents, options, chosen, written);

  const auto time_s = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string about_text = about(documents, utc_seconds_text(now));
  const Status done = write_archive(documents, folder, about_text, time_s, *file);
  if (!done) {
    (void)std::remove(path.c_str());
    return fail_with(done.error());
  }
  struct stat found = {};
  ::fstat(file->get(), &found);
  std::printf("%s\nIt is %s, %llu KiB, for you alone (0600). Look through it before you send it: tar -xzOf %s | less\n",
              about_text.c_str(), path.c_str(), static_cast<unsigned long long>((found.st_size + 1023) / 1024),
              path.c_str());
  return kExitFine;
}

}  // namespace furrow::gateway
