// Mechanical taste as a test: what a reader or a reviewer should never have to point out.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace furrow {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kColumnsMax = 120;
constexpr std::string_view kFolders[] = {"broker-core", "bridge", "config", "gateway", "tests"};
constexpr std::string_view kPureFolders[] = {"broker-core/", "bridge/", "gateway/engine/"};

struct SourceFile {
  std::string path;  // from the root of the repository
  std::vector<std::string> lines;
};

SourceFile read(const fs::path& root, const fs::path& path) {
  SourceFile file{.path = fs::relative(path, root).generic_string(), .lines = {}};
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
  return file;
}

bool is_source(const fs::path& path) {
  constexpr std::string_view kExtensions[] = {".h", ".cc", ".py", ".sh"};
  return std::ranges::find(kExtensions, path.extension().string()) != std::end(kExtensions);
}

std::vector<SourceFile> read_sources() {
  const fs::path root = FURROW_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (const std::string_view folder : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file() && is_source(entry.path())) files.push_back(read(root, entry.path()));
    }
  }
  return files;
}

const std::vector<SourceFile>& sources() {
  static const std::vector<SourceFile> kFiles = read_sources();
  return kFiles;
}

bool is_pure(const SourceFile& file) {
  return std::ranges::any_of(kPureFolders, [&](std::string_view folder) { return file.path.starts_with(folder); });
}

bool is_header(const SourceFile& file) {
  return file.path.ends_with(".h");
}

// What a person sees of `line`: a character of UTF-8 is one column, whatever its bytes.
std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(
      std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

// Fails the test for each line of `file` in which `pattern` is found.
void expect_nowhere(const SourceFile& file, const std::regex& pattern, std::string_view why) {
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    if (!std::regex_search(file.lines[i], pattern)) continue;
    ADD_FAILURE() << file.path << ':' << i + 1 << ": " << why << ": " << file.lines[i];
  }
}

TEST(Tidy, FindsTheSources) {
  for (const std::string_view folder : kFolders) {
    EXPECT_TRUE(std::ranges::any_of(sources(), [&](const SourceFile& file) { return file.path.starts_with(folder); }))
        << folder;
  }
}

TEST(Tidy, NoLineIsWiderThanTheScreen) {
  for (const SourceFile& file : sources()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_LE(columns(file.lines[i]), kColumnsMax) << file.path << ':' << i + 1;
    }
  }
}

TEST(Tidy, NothingIsLeftOver) {
  // In two pieces, so that this line is not found.
  const std::regex markers(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK)\\b");
  for (const SourceFile& file : sources()) expect_nowhere(file, markers, "a leftover marker");
}

TEST(Tidy, NoLineEndsInSpaces) {
  const std::regex spaces("[ \\t\\r]$");
  for (const SourceFile& file : sources()) expect_nowhere(file, spaces, "spaces at the end of a line");
}

TEST(Tidy, EveryHeaderIsIncludedOnce) {
  for (const SourceFile& file : sources()) {
    if (!is_header(file)) continue;
    EXPECT_NE(std::ranges::find(file.lines, "#pragma once"), file.lines.end()) << file.path;
  }
}

TEST(Tidy, EveryFileBeginsWithWhatItIsFor) {
  for (const SourceFile& file : sources()) {
    if (!is_header(file)) continue;
    ASSERT_FALSE(file.lines.empty()) << file.path;
    EXPECT_TRUE(file.lines.front().starts_with("// ")) << file.path << " begins with: " << file.lines.front();
  }
}

TEST(Tidy, PureFoldersIncludeTheStandardLibraryOnly) {
  // `<name>` without a slash or an extension is the standard library.
  const std::regex foreign(
      "^#include (<[^>]*[/.]|\"(?!broker-core/|bridge/|gateway/engine/|tsl/robin_(map|set)\\.h\"))");
  for (const SourceFile& file : sources()) {
    if (is_pure(file)) expect_nowhere(file, foreign, "neither the standard library nor a pure folder");
  }
}

TEST(Tidy, TheCoreDoesNotKnowTheBridge) {
  const std::regex bridge("^#include \"bridge/");
  for (const SourceFile& file : sources()) {
    if (file.path.starts_with("broker-core/")) expect_nowhere(file, bridge, "broker-core must not know the bridge");
  }
}

TEST(Tidy, PureFoldersHaveNoClockThreadFileOrRandomDevice) {
  const std::regex includes("^#include <(thread|mutex|condition_variable|future|fstream|filesystem|iostream|random)>");
  const std::regex calls(
      "(system_clock|steady_clock|high_resolution_clock)::now|random_device|std::(thread|jthread|mutex|async)\\b|"
      "\\b(time|clock_gettime|gettimeofday|fopen|getenv)\\(");
  for (const SourceFile& file : sources()) {
    if (!is_pure(file)) continue;
    expect_nowhere(file, includes, "an effect in a pure folder");
    expect_nowhere(file, calls, "an effect in a pure folder");
  }
}

TEST(Tidy, PureFoldersThrowNothing) {
  const std::regex throwing("^[^/]*\\b(throw|try|catch)\\b");
  for (const SourceFile& file : sources()) {
    if (is_pure(file)) expect_nowhere(file, throwing, "an exception in a pure folder");
  }
}

}  // namespace
}  // namespace furrow
