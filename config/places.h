// Where each key of the file was written, for everything that is found out after reading it.
//
// Keys are named by their path with indices: `bridges[0].topics[2].qos`.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "config/diagnostic.h"

namespace furrow::config {

class Places {
 public:
  void put(std::string path, Place place) { written_[std::move(path)].place = place; }

  // The value at `path` could not be read, and that was said: later checks keep quiet about it.
  void spoil(const std::string& path) { written_[path].spoiled = true; }

  bool empty() const { return written_.empty(); }
  bool is_written(std::string_view path) const { return written_.find(path) != written_.end(); }

  bool is_spoiled(std::string_view path) const {
    const auto found = written_.find(path);
    return found != written_.end() && found->second.spoiled;
  }

  // The place of `path`, or of the nearest thing around it that was written.
  Place at(std::string_view path) const {
    while (true) {
      const auto found = written_.find(path);
      if (found != written_.end()) return found->second.place;
      const std::size_t end = path.find_last_of(".[");
      if (end == std::string_view::npos) return {};
      path = path.substr(0, end);
    }
  }

 private:
  struct Written {
    Place place;
    bool spoiled = false;
  };
  std::map<std::string, Written, std::less<>> written_;
};

}  // namespace furrow::config
