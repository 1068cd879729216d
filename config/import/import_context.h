// What the parts of an import share: the result so far, and how a value gets into it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "config/import/mosquitto_import.h"
#include "config/import/mosquitto_scopes.h"
#include "config/key_names.h"
#include "config/scalar.h"

namespace furrow::config {

struct ImportContext {
  const std::string& name;  // of the main file
  const ImportFiles& files;
  Imported& result;

  Config& config() const { return result.config; }
  void say(Remark remark) const { result.remarks.push_back(std::move(remark)); }

  // `value` into the member of the key at `path`, or the nearest one that the key takes, which is remarked upon.
  template <typename Number>
  void set_count(const MosquittoLine& line, std::string_view path, std::uint64_t value, Number& slot) const {
    slot = static_cast<Number>(fitted(line, path, value, parse_count));
  }
  void set_time(const MosquittoLine& line, std::string_view path, Duration value, Duration& slot) const {
    slot = fitted(line, path, value, parse_time);
  }
  // In whole KiB, rather more than less.
  void set_bytes(const MosquittoLine& line, std::string_view path, std::uint64_t value, std::uint64_t& slot) const {
    slot = fitted(line, path, (value + KiB - 1) / KiB * KiB, parse_size);
  }

  // The number of a line from 0 on. What is none is remarked upon, and the line counts as not there.
  std::optional<std::uint64_t> count_of(const MosquittoLine* line) const {
    if (line == nullptr) return std::nullopt;
    const std::optional<std::int64_t> number = line->number_value();
    if (number && *number >= 0) return static_cast<std::uint64_t>(*number);
    say(line->todo("is no number from 0 on; left out"));
    return std::nullopt;
  }

  // A relative path is relative to the furrow.yaml, and to wherever Mosquitto was started.
  std::filesystem::path path_of(const MosquittoLine& line) const {
    const std::filesystem::path path = std::filesystem::path(line.value).lexically_normal();
    if (path.is_relative()) say(line.todo("the path is relative, which means to the folder of the furrow.yaml now"));
    return path;
  }

 private:
  template <typename Value>
  Value fitted(const MosquittoLine& line, std::string_view path, Value value,
               Result<Value> (*parse)(std::string_view)) const {
    const Key& key = *find_key(path);
    const Value fit = std::clamp(value, *parse(key.least), *parse(key.most));
    if (fit != value) {
      say(line.todo(std::string(path) + " takes " + std::string(key.least) + " to " + std::string(key.most) +
                    "; the nearest is taken"));
    }
    return fit;
  }
};

// --- the parts, in the order in which they are called ---

void import_listeners(MosquittoScopes& scopes, const ImportContext& context);
// REQUIRES: the listeners of the result are those of `scopes`, as import_listeners() leaves both.
void import_access(MosquittoScopes& scopes, const ImportContext& context);
void import_broker(MosquittoScopes& scopes, const ImportContext& context);
void import_bridges(MosquittoScopes& scopes, const ImportContext& context);

}  // namespace furrow::config
