// Several files as one configuration: what is merged, what is refused, and where it says that something is wrong.
#include "config/include_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "config/load_yaml.h"
#include "tests/support/temporary_directory.h"

namespace furrow::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// `/etc/f.yaml` with the files that a pattern matches.
class Include : public testing::Test {
 protected:
  Loaded read(const std::string& text) {
    return load(text, "/etc/f.yaml", process_environment(),
                [this](const std::string& pattern) { return Result<std::vector<IncludedFile>>(files_[pattern]); });
  }
  static std::vector<std::string> said(const Loaded& loaded, Severity least = Severity::Warning) {
    std::vector<std::string> lines;
    for (const Diagnostic& one : loaded.diagnostics) {
      if (one.severity <= least) lines.push_back(format(one, "/etc/f.yaml"));
    }
    return lines;
  }

  std::map<std::string, std::vector<IncludedFile>> files_;
};

TEST_F(Include, ListsAreAppendedInTheOrderOfTheFiles) {
  files_["/etc/d/*.yaml"] = {
      {"/etc/d/a.yaml", "bridges:\n  - {name: two, connect: mqtt://b.example.org, topics: [{filter: b/#}]}\n"},
      {"/etc/d/b.yaml",
       "bridges:\n  - {name: three, connect: mqtt://c.example.org, topics: [{filter: c/#}]}\nlog: {level: debug}\n"}};
  const Loaded loaded = read(
      "include: d/*.yaml\nlog: {format: json}\n"
      "bridges:\n  - {name: one, connect: mqtt://a.example.org, topics: [{filter: a/#}]}\n");
  EXPECT_THAT(said(loaded), IsEmpty());
  ASSERT_EQ(loaded.config.bridges.size(), 3U);
  EXPECT_EQ(loaded.config.bridges[0].name, "one");
  EXPECT_EQ(loaded.config.bridges[1].name, "two");
  EXPECT_EQ(loaded.config.bridges[2].name, "three");
  EXPECT_EQ(loaded.config.log.level, LogLevel::Debug);
  EXPECT_EQ(loaded.config.log.format, LogFormat::Json);
}

TEST_F(Include, AValueSaidTwiceNamesBothPlaces) {
  files_["/etc/d/a.yaml"] = {{"/etc/d/a.yaml", "\nlog: {level: debug}\n"}};
  EXPECT_THAT(said(read("include: [d/a.yaml]\nlog: {level: info}\n")),
              ElementsAre("/etc/d/a.yaml:2:7: duplicate key 'level', first given in line 2 of /etc/f.yaml"));
}

TEST_F(Include, AMistakeHasThePlaceInItsOwnFileAndStandsInTheOrderOfTheFiles) {
  files_["/etc/d/a.yaml"] = {{"/etc/d/a.yaml", "bridges:\n  - name: region\n    conect: mqtt://a\n"}};
  EXPECT_THAT(said(read("include: [d/a.yaml]\n\n\n\nlog: {level: loud}\n")),
              ElementsAre("/etc/f.yaml:5:14: log.level: 'loud' is not one of: error, warning, info, debug",
                          "/etc/d/a.yaml:2:5: bridges[] needs an address in connect, such as "
                          "mqtt://region.example.org:1883",
                          "/etc/d/a.yaml:2:5: warning: bridge 'region' has no topics: nothing crosses it",
                          "/etc/d/a.yaml:3:5: unknown key 'conect'; did you mean 'connect'?"));
}

TEST_F(Include, ACheckAcrossFilesNamesTheOtherFile) {
  const std::string bridge = "bridges:\n  - {name: one, connect: mqtt://a.example.org, topics: [{filter: a/#}]}\n";
  files_["/etc/d/a.yaml"] = {{"/etc/d/a.yaml", bridge}};
  EXPECT_THAT(said(read("include: [d/a.yaml]\n" + bridge)),
              testing::Contains("/etc/d/a.yaml:2:12: bridges[].name: 'one' is the name of the bridge in line 3 of "
                                "/etc/f.yaml too; give each its own"));
}

TEST_F(Include, PathsAreRelativeToTheFileThatNamesThem) {
  files_["/etc/d/a.yaml"] = {
      {"/etc/d/a.yaml",
       "bridges:\n  - {connect: mqtt://a.example.org, username: u, password_from: p, topics: [{filter: a/#}]}\n"}};
  const Loaded loaded = read("include: [d/a.yaml]\naccess: {password_file: users}\n");
  EXPECT_EQ(loaded.config.bridges.at(0).password_from, "/etc/d/p");
  EXPECT_EQ(loaded.config.access.password_file, "/etc/users");
}

TEST_F(Include, AnIncludedFileIncludesNothing) {
  files_["/etc/d/a.yaml"] = {{"/etc/d/a.yaml", "include: [x.yaml]\n"}};
  EXPECT_THAT(said(read("include: d/a.yaml\n")),
              ElementsAre("/etc/d/a.yaml:1:1: include is for the main file alone, and this one is included itself"));
}

TEST_F(Include, AFileThatIsNoYamlIsNamed) {
  files_["/etc/d/a.yaml"] = {{"/etc/d/a.yaml", "log: {level: info\n"}};
  const std::vector<std::string> lines = said(read("include: d/a.yaml\n"));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with("/etc/d/a.yaml:")) << lines[0];
}

TEST_F(Include, APatternThatMatchesNothingIsANote) {
  EXPECT_THAT(said(read("include: [\"d/*.yaml\"]\n"), Severity::Note),
              testing::Contains("/etc/f.yaml:1:11: note: include: 'd/*.yaml' matches no file"));
}

TEST_F(Include, AKeyWithoutAValueAddsNothing) {
  files_["/etc/d/a.yaml"] = {{"/etc/d/a.yaml", "bridges:\nlog: {level: debug}\naccess: {rules: []}\n"}};
  const Loaded loaded = read(
      "include: d/a.yaml\nlog:\naccess: {rules: [{everyone: true, publish: a}]}\n"
      "bridges: [{connect: mqtt://a.example.org, topics: [{filter: a/#}]}]\n");
  EXPECT_THAT(said(loaded), IsEmpty());
  EXPECT_EQ(loaded.config.bridges.size(), 1U);
  EXPECT_EQ(loaded.config.access.rules->size(), 1U);
  EXPECT_EQ(loaded.config.log.level, LogLevel::Debug);
}

TEST_F(Include, ManyFilesAreRefused) {
  std::vector<IncludedFile>& files = files_["/etc/d/*"];
  for (std::size_t i = 0; i <= kIncludedFilesMax; ++i) files.push_back({"/etc/d/" + std::to_string(i), ""});
  EXPECT_THAT(said(read("include: d/*\n")),
              ElementsAre("/etc/f.yaml:1:10: include: more than 100 files, or more than 1 MiB of them together"));
}

TEST_F(Include, FilesOfADirectoryAreReadInTheOrderOfTheirNamesAndTheMainFileOnce) {
  const TemporaryDirectory directory;
  const std::filesystem::path main = directory / "main.yaml";
  const auto write = [&](const std::string& name, const std::string& text) { std::ofstream(directory / name) << text; };
  const auto bridge = [](const std::string& name) {
    return "bridges: [{name: " + name + ", connect: mqtt://" + name + ".example.org, topics: [{filter: a/#}]}]\n";
  };
  write("main.yaml", "include: \"*.yaml\"\n");
  write("2.yaml", bridge("two"));
  write("10.yaml", bridge("ten"));
  write("other.txt", "no: [yaml");
  const auto loaded = load_file(main, process_environment());
  ASSERT_TRUE(loaded.has_value());
  EXPECT_FALSE(has_errors(loaded->diagnostics)) << format(loaded->diagnostics[0], "main.yaml");
  ASSERT_EQ(loaded->config.bridges.size(), 2U);
  EXPECT_EQ(loaded->config.bridges[0].name, "ten");
  EXPECT_EQ(loaded->config.bridges[1].name, "two");
}

TEST_F(Include, AFileThatCannotBeReadIsSaidAtThePattern) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "x.yaml");
  std::ofstream(directory / "main.yaml") << "include: x.yaml\n";
  const auto loaded = load_file(directory / "main.yaml", process_environment());
  ASSERT_TRUE(loaded.has_value());
  const std::vector<std::string> lines = said(*loaded);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].ends_with("x.yaml: Is a directory")) << lines[0];
}

}  // namespace
}  // namespace furrow::config
