// sim [SEED | --seeds COUNT [--from SEED]] [--verbose]: runs simulated worlds and checks them.
//
// Prints the seed and the drawn options first and, when a check failed, the command that repeats the run last. Exit 1
// on failure.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/sim/world.h"

namespace {

bool number(const char* text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  return error == std::errc{} && *end == '\0';
}

bool run(std::uint64_t seed, bool verbose, bool quiet) {
  furrow::sim::World::Options options = furrow::sim::World::draw(seed);
  options.verbose = verbose;
  if (!quiet)
    std::printf("seed %llu %s\n", static_cast<unsigned long long>(seed), furrow::sim::World::describe(options).c_str());
  std::fflush(stdout);
  furrow::sim::World world(options);
  const bool passed = world.run();
  if (passed) {
    if (!quiet) std::printf("passed: %s\n", world.summary().c_str());
    return true;
  }
  std::printf("seed %llu FAILED (%s)\n", static_cast<unsigned long long>(seed), world.summary().c_str());
  for (const std::string& failure : world.failures()) std::printf("  %s\n", failure.c_str());
  std::printf("options: %s\nrepeat with: sim %llu --verbose\n", furrow::sim::World::describe(options).c_str(),
              static_cast<unsigned long long>(seed));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t from = 1;
  std::uint64_t count = 1;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--verbose") {
      verbose = true;
    } else if (argument == "--seeds" && has_value && number(argv[i + 1], count)) {
      ++i;
    } else if (argument == "--from" && has_value && number(argv[i + 1], from)) {
      ++i;
    } else if (!number(argv[i], from)) {
      std::fprintf(stderr, "usage: sim [SEED | --seeds COUNT [--from SEED]] [--verbose]\n");
      return 2;
    }
  }
  std::uint64_t failed = 0;
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    if (!run(seed, verbose, count > 1)) ++failed;
  }
  if (count > 1) {
    std::printf("%llu worlds from seed %llu, %llu failed\n", static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(from), static_cast<unsigned long long>(failed));
  }
  return failed == 0 ? 0 : 1;
}
