// Runs a fuzz target over the files and folders given as arguments: its corpus, replayed as an ordinary test where
// there is no libFuzzer, and a single input that once crashed it.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t replay_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return 0;
  }
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::printf("%s: %zu bytes\n", path.c_str(), bytes.size());
  std::fflush(stdout);  // before a crash, so that its last line names the file
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return 1;
}

std::size_t replay(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return replay_file(path);
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) count += replay_file(entry.path());
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  bool complete = argc > 1;
  for (int i = 1; i < argc; ++i) {
    const std::size_t count = replay(argv[i]);
    if (count == 0) std::fprintf(stderr, "nothing to replay in %s\n", argv[i]);
    complete = complete && count > 0;
  }
  return complete ? 0 : 1;
}
