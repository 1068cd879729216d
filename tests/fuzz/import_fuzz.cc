// Any bytes as a mosquitto.conf and the files that it names: no crash, every remark is about a line that is there, and
// what is written as YAML is read as the same configuration.
//
// A byte 0x1C parts the input: the first part is the file itself, the others are those that it reads, in turn.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/check.h"
#include "config/import/mosquitto_import.h"
#include "config/load_yaml.h"
#include "config/write_yaml.h"

namespace furrow::config {
namespace {

constexpr char kBetweenFiles = 0x1C;
constexpr std::size_t kBytesMax = 16 * KiB;  // more can make a configuration that is too large to be read

std::vector<std::string> parts_of(std::string_view input) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = std::min(input.find(kBetweenFiles), input.size());
    parts.emplace_back(input.substr(0, end));
    if (end == input.size()) return parts;
    input.remove_prefix(end + 1);
  }
}

void run(std::string_view input) {
  if (input.size() > kBytesMax) return;
  const std::vector<std::string> parts = parts_of(input);
  std::size_t next = 1;
  const ImportFiles files{.read = [&](const std::string&) -> Result<std::string> {
                            if (next >= parts.size()) return Error(Errc::NotFound, "there is no such file");
                            return parts[next++];
                          },
                          .list = [](const std::string&) -> Result<std::vector<std::string>> {
                            return std::vector<std::string>{"b.conf", "A.conf", "README"};
                          }};
  const Imported imported = import_mosquitto(parts.front(), "mosquitto.conf", files);
  const auto lines = static_cast<std::size_t>(std::count(input.begin(), input.end(), '\n')) + 1;
  for (const Remark& one : imported.remarks) {
    FURROW_CHECK(one.line <= lines);
    FURROW_CHECK(!one.option.empty() && !one.text.empty());
    FURROW_CHECK(format(one).find('\n') == std::string::npos);
  }
  const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
  const Loaded loaded = load(imported_yaml(imported, "mosquitto.conf"), "furrow.yaml", nothing);
  FURROW_CHECK(loaded.config == imported.config);
}

}  // namespace
}  // namespace furrow::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  furrow::config::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
