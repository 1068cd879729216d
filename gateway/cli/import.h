// `furrow import`: a mosquitto.conf, and the files that it names, as a furrow.yaml.
#pragma once

#include <optional>
#include <string>

namespace furrow::gateway {

struct ImportOptions {
  std::string file;
  std::optional<std::string> output;  // standard output if there is none
  bool force = false;                 // writes over what is there
};

// The configuration goes to standard output or a file, what is to be said about it to standard error. Secrets are
// written into files beside the output, with mode 0600, and nowhere if there is no output. Returns the exit code: 1
// when the result has mistakes or cannot be written, 2 when there is nothing to read.
int run_import(const ImportOptions& options);

}  // namespace furrow::gateway
