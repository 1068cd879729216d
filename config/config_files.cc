#include "config/config_files.h"

#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include "config/yaml_tree.h"

namespace furrow::config {
namespace {

Error cannot_read(const std::filesystem::path& file, int error_number) {
  const std::error_code cause(error_number, std::generic_category());
  const Errc code = cause == std::errc::no_such_file_or_directory ? Errc::NotFound
                    : cause == std::errc::permission_denied       ? Errc::PermissionDenied
                                                                  : Errc::Io;
  return {code, "read " + file.string() + ": " + cause.message()};
}

// The callback of glob() has no argument of ours; it runs within the call.
thread_local std::string folder_not_read;

int note_folder(const char* folder, int error_number) {
  if (error_number == ENOENT || error_number == ENOTDIR) return 0;
  folder_not_read = cannot_read(folder, error_number).message();
  return 1;
}

Result<std::vector<std::string>> matches(const std::string& pattern) {
  struct Matches {
    ~Matches() { ::globfree(&found); }
    glob_t found = {};
  } of_glob;
  const int code = ::glob(pattern.c_str(), GLOB_NOSORT, note_folder, &of_glob.found);
  if (code == GLOB_NOMATCH) return std::vector<std::string>();
  if (code == GLOB_ABORTED) return Error(Errc::Io, std::exchange(folder_not_read, {}));
  if (code != 0) return Error(Errc::Io, "there are too many files");
  std::vector<std::string> names(of_glob.found.gl_pathv, of_glob.found.gl_pathv + of_glob.found.gl_pathc);
  std::ranges::sort(names);
  return names;
}

}  // namespace

Result<std::string> read_config_file(const std::filesystem::path& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rb"), std::fclose);
  if (stream == nullptr) return cannot_read(file, errno);
  std::string text(kTextBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stream.get()));
  if (std::ferror(stream.get()) != 0) return cannot_read(file, errno);
  return text;
}

Result<std::vector<IncludedFile>> find_config_files(const std::string& pattern, const std::filesystem::path& main) {
  FURROW_TRY(const std::vector<std::string> names, matches(pattern));
  std::vector<IncludedFile> files;
  for (const std::string& name : names) {
    std::error_code unknown;
    if (std::filesystem::equivalent(name, main, unknown)) continue;
    FURROW_TRY(std::string text, read_config_file(name));
    files.push_back({.name = name, .text = std::move(text)});
  }
  return files;
}

}  // namespace furrow::config
