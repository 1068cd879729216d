#include "gateway/cli/import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "config/import/mosquitto_import.h"
#include "config/load_yaml.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/table_text.h"
#include "gateway/net/descriptor.h"
#include "gateway/secret_file.h"
#include "gateway/store/errno_error.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kSecretMode = S_IRUSR | S_IWUSR;
constexpr mode_t kOpenMode = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;

// --- reading ---

// A relative path is relative to wherever Mosquitto was started, which nobody knows: here, or where the file is.
fs::path place_of(const std::string& path, const fs::path& directory) {
  std::error_code unknown;
  return fs::path(path).is_absolute() || fs::exists(path, unknown) ? fs::path(path) : directory / path;
}

Result<std::vector<std::string>> names_in(const fs::path& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator one(directory, error), end; !error && one != end; one.increment(error)) {
    names.push_back(one->path().filename().string());
  }
  if (error) return Error(Errc::Io, "read " + shown(directory.string()) + ": " + error.message());
  return names;
}

config::ImportFiles files_around(const fs::path& file) {
  const fs::path directory = file.parent_path();
  return {.read = [directory](const std::string& path) { return read_public_file(place_of(path, directory)); },
          .list = [directory](const std::string& path) { return names_in(place_of(path, directory)); }};
}

// --- writing ---

Status write_new(const fs::path& file, std::string_view text, mode_t mode) {
  const std::string what = "write " + shown(file.string());
  const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!descriptor) return errno_error(what);
  return write_all(descriptor, text, what);
}

// By rename, so that whoever reads the file meanwhile gets the old one or the new one.
Status write_over(const fs::path& file, std::string_view text, mode_t mode) {
  const std::string what = "write " + shown(file.string());
  std::string temporary = file.string() + ".XXXXXX";
  const Descriptor descriptor(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!descriptor) return errno_error(what);
  Status status = ::fchmod(descriptor.get(), mode) == 0 ? write_all(descriptor, text, what) : errno_error(what);
  if (status && ::rename(temporary.c_str(), file.c_str()) != 0) status = errno_error(what);
  if (!status) (void)::unlink(temporary.c_str());
  return status;
}

Status write(const ImportOptions& options, const fs::path& file, std::string_view text, mode_t mode) {
  return options.force ? write_over(file, text, mode) : write_new(file, text, mode);
}

fs::path beside(const fs::path& output, const std::string& name) {
  return output.parent_path() / name;
}

// Users that somebody has made stay: an import brings none of them back.
bool is_kept(const config::SecretFile& secret, const fs::path& file) {
  std::error_code unknown;
  return secret.content.empty() && fs::exists(file, unknown);
}

// Nothing is written before it is known that nothing is in the way.
Status check_places(const ImportOptions& options, const config::Imported& imported) {
  const fs::path output = *options.output;
  std::vector<fs::path> places{output};
  for (const config::SecretFile& secret : imported.secrets) {
    const fs::path file = beside(output, secret.name);
    if (!is_kept(secret, file)) places.push_back(file);
  }
  for (const fs::path& place : places) {
    std::error_code unknown;
    if (options.force || !fs::exists(fs::symlink_status(place, unknown))) continue;
    return Error(Errc::InUse, shown(place.string()) + " is there already; --force writes over it");
  }
  return {};
}

Status write_result(const ImportOptions& options, const config::Imported& imported, const std::string& text) {
  const fs::path output = *options.output;
  for (const config::SecretFile& secret : imported.secrets) {
    const fs::path file = beside(output, secret.name);
    if (!is_kept(secret, file)) FURROW_TRY_STATUS(write(options, file, secret.content, kSecretMode));
  }
  return write(options, output, text, kOpenMode);
}

// --- saying ---

void remark_on_secrets(const ImportOptions& options, config::Imported& imported) {
  for (const config::SecretFile& secret : imported.secrets) {
    if (options.output) {
      const std::string file = shown(beside(*options.output, secret.name).string());
      imported.remarks.push_back(
          secret.line.todo(secret.what + ": written to " + file + " with mode 0600; give it to furrow's user"));
    } else if (secret.content.empty()) {
      continue;  // who makes the users makes the file
    } else {
      imported.remarks.push_back(secret.line.todo(secret.what + ": write it to " + secret.name +
                                                  " beside the configuration, with mode 0600, as -o FILE does"));
    }
  }
  config::sort_by_line(imported.remarks);
}

// What the checks of the configuration say, but for notes, which `check` will have. Whether it is free of mistakes.
bool say_mistakes(const std::string& text, const std::string& name) {
  const config::Loaded loaded = config::load(text, name, config::process_environment());
  for (const config::Diagnostic& one : loaded.diagnostics) {
    if (one.severity != config::Severity::Note) std::fprintf(stderr, "%s\n", config::format(one, name).c_str());
  }
  return !config::has_errors(loaded.diagnostics);
}

void say_end(const ImportOptions& options, const config::Remarks& remarks) {
  const auto todos = std::ranges::count(remarks, config::Remark::Kind::Todo, &config::Remark::kind);
  std::fprintf(stderr, "%ld %s different or left to do, as the head of the file says", static_cast<long>(todos),
               todos == 1 ? "thing is" : "things are");
  if (options.output) std::fprintf(stderr, "; next: furrow check %s", shown(*options.output).c_str());
  std::fputc('\n', stderr);
}

}  // namespace

int run_import(const ImportOptions& options) {
  const Result<std::string> original = read_public_file(options.file);
  if (!original) return complain(original.error().message(), kExitUsage);
  config::Imported imported = config::import_mosquitto(*original, options.file, files_around(options.file));
  remark_on_secrets(options, imported);
  const std::string text = config::imported_yaml(imported, options.file);
  if (options.output) {
    if (const Status free = check_places(options, imported); !free) return complain(free.error().message());
  }
  for (const config::Remark& one : imported.remarks) std::fprintf(stderr, "%s\n", config::format(one).c_str());
  const bool is_sound = say_mistakes(text, options.output.value_or("furrow.yaml"));
  if (options.output) {
    if (const Status written = write_result(options, imported, text); !written)
      return complain(written.error().message());
  } else {
    std::fputs(text.c_str(), stdout);
  }
  say_end(options, imported.remarks);
  if (!is_sound)
    return complain("the result has the mistakes above: furrow does not run with it before they are mended");
  return kExitFine;
}

}  // namespace furrow::gateway
