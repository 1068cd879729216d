// Every mistake in tests/data/config, with the exact words an operator reads about it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "config/load_yaml.h"

namespace furrow::config {
namespace {

std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(FURROW_TEST_DATA "/config")) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::optional<std::string> variable(const std::string& name) {
  if (name == "REGION") return "region.example.org";
  if (name == "SEVEN") return "7";
  return std::nullopt;
}

class GoldenTest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(GoldenTest, SaysExactlyThis) {
  constexpr std::string_view kDivider = "----------\n";
  std::ifstream file(GetParam(), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t divider = text.find(kDivider);
  ASSERT_NE(divider, std::string::npos) << GetParam();

  std::string said;
  for (const Diagnostic& one : load(text.substr(0, divider), "furrow.yaml", variable).diagnostics) {
    said += format(one, "furrow.yaml") + "\n";
  }
  EXPECT_EQ(said, text.substr(divider + kDivider.size())) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Config, GoldenTest, testing::ValuesIn(golden_files()),
                         [](const auto& file) { return file.param.stem().string(); });

}  // namespace
}  // namespace furrow::config
