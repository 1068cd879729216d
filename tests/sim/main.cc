// sim [SEED] [--seeds COUNT | --file SEEDS | --power-cuts COUNT] [--mutation NAME] [--verbose]: runs simulated worlds
// and checks them.
//
// Prints the seed, the commit and the drawn options first and, when a check failed, the command that repeats the run
// last. Exit 1 on failure. With a mutation and several seeds it is the other way round: one of them must find it, and
// must pass without it. A file has a seed and its reason in each line. With power cuts, worlds with the real store and
// little else than power cuts are run until there were so many.
#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/sim/world.h"

namespace {

using furrow::sim::Mutation;
using furrow::sim::Options;
using furrow::sim::World;

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::uint64_t power_cuts = 0;
  std::string file;
  Mutation mutation = Mutation::None;
  bool verbose = false;
};

bool take_number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--verbose") {
      arguments.verbose = true;
    } else if (argument == "--seeds" && take_number(value, arguments.count)) {
      ++i;
    } else if (argument == "--power-cuts" && take_number(value, arguments.power_cuts)) {
      ++i;
    } else if (argument == "--file" && !value.empty()) {
      arguments.file = value;
      ++i;
    } else if (argument == "--mutation" && furrow::sim::mutation_from(value)) {
      arguments.mutation = *furrow::sim::mutation_from(value);
      ++i;
    } else if (!take_number(argument, arguments.seed)) {
      return false;
    }
  }
  return true;
}

void print_failure(const World& world, const Options& options) {
  std::printf("seed %llu FAILED (%s)\n", static_cast<unsigned long long>(options.seed), world.summary().c_str());
  for (const std::string& failure : world.failures()) std::printf("  %s\n", failure.c_str());
  std::printf("commit %s, options: %s\nrepeat with: sim %llu --verbose\n", FURROW_COMMIT,
              furrow::sim::describe(options).c_str(), static_cast<unsigned long long>(options.seed));
}

bool run_one(const Arguments& arguments) {
  Options options = furrow::sim::draw_options(arguments.seed);
  options.verbose = arguments.verbose;
  options.mutation = arguments.mutation;
  std::printf("seed %llu, commit %s\n%s\n", static_cast<unsigned long long>(arguments.seed), FURROW_COMMIT,
              furrow::sim::describe(options).c_str());
  std::fflush(stdout);
  World world(options);
  if (world.run()) {
    std::printf("passed: %s\n", world.summary().c_str());
    return true;
  }
  print_failure(world, options);
  return false;
}

bool run_quietly(std::uint64_t seed) {
  const Options options = furrow::sim::draw_options(seed);
  World world(options);
  if (world.run()) return true;
  print_failure(world, options);
  std::fflush(stdout);
  return false;
}

bool run_file(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t count = 0;
  std::uint64_t failed = 0;
  for (std::string line; std::getline(file, line);) {
    std::uint64_t seed = 0;
    if (!(std::istringstream(line) >> seed)) continue;  // a comment
    ++count;
    if (run_quietly(seed)) continue;
    ++failed;
    std::printf("  %s\n", line.c_str());
  }
  std::printf("%llu worlds of %s, %llu failed\n", static_cast<unsigned long long>(count), path.c_str(),
              static_cast<unsigned long long>(failed));
  return count > 0 && failed == 0;
}

bool run_power_cuts(const Arguments& arguments) {
  std::uint64_t cuts = 0;
  std::uint64_t worlds = 0;
  for (std::uint64_t seed = arguments.seed; cuts < arguments.power_cuts; ++seed, ++worlds) {
    const Options options = furrow::sim::draw_power_cuts(seed);
    World world(options);
    const bool passed = world.run();
    cuts += world.power_cuts();
    if (passed) continue;
    print_failure(world, options);
    std::printf("with power cuts: sim %llu --power-cuts 1\n", static_cast<unsigned long long>(seed));
    return false;
  }
  std::printf("%llu power cuts in %llu worlds: lost 0, repeated 0 at QoS 2\n", static_cast<unsigned long long>(cuts),
              static_cast<unsigned long long>(worlds));
  return true;
}

bool run_many(const Arguments& arguments) {
  std::uint64_t failed = 0;
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.count; ++seed) {
    if (!run_quietly(seed)) ++failed;
  }
  std::printf("%llu worlds from seed %llu, %llu failed\n", static_cast<unsigned long long>(arguments.count),
              static_cast<unsigned long long>(arguments.seed), static_cast<unsigned long long>(failed));
  return failed == 0;
}

// Whether one of the seeds finds the mutation.
bool hunt(const Arguments& arguments) {
  const std::string name(furrow::sim::name(arguments.mutation));
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.count; ++seed) {
    Options options = furrow::sim::draw_options(seed);
    options.mutation = arguments.mutation;
    World mutated(options);
    if (mutated.run()) continue;
    options.mutation = Mutation::None;
    World sound(options);
    if (!sound.run()) {
      print_failure(sound, options);
      return false;
    }
    std::printf("%s found by seed %llu, the %llu. tried: %s\n", name.c_str(), static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(seed - arguments.seed + 1), mutated.failures().front().c_str());
    return true;
  }
  std::printf("%s was not found by %llu seeds from %llu\n", name.c_str(),
              static_cast<unsigned long long>(arguments.count), static_cast<unsigned long long>(arguments.seed));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(
        stderr,
        "usage: sim [SEED] [--seeds COUNT | --file SEEDS | --power-cuts COUNT] [--mutation NAME] [--verbose]\n");
    return 2;
  }
  if (!arguments.file.empty()) return run_file(arguments.file) ? 0 : 1;
  if (arguments.power_cuts > 0) return run_power_cuts(arguments) ? 0 : 1;
  if (arguments.mutation != Mutation::None && arguments.count > 1) return hunt(arguments) ? 0 : 1;
  return (arguments.count == 1 ? run_one(arguments) : run_many(arguments)) ? 0 : 1;
}
