// Brings back what can be read of a damaged file, into a fresh one that takes its place.
//
// A power cut may come between any two steps, so the state lies in names:
//   NAME.salvage        being filled; worthless, begun anew
//   NAME.salvaged       complete; finish_salvage() moves the damaged file aside and puts this one in its place
//   NAME.corrupt-TIME   the damaged file, kept for people; nothing here reads it again
#pragma once

#include <cstdint>
#include <string>

#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "gateway/store/data_directory.h"
#include "gateway/store/queue_file.h"
#include "gateway/store/session_file.h"

namespace furrow::gateway {

struct SalvageReport {
  std::uint64_t rows = 0;        // copied, segments included
  std::uint64_t unreadable = 0;  // could not be read or failed their checksum; a lower bound
};

// Copies what can be read of `damaged` into `fresh`, which is empty. An error is one of writing.
//
// A queue whose cursor is lost gets one from its segments: everything stored counts as not settled, so what was
// acknowledged since may be delivered again, and its books begin anew.
Result<SalvageReport> salvage(Database& damaged, QueueFile& fresh);
Result<SalvageReport> salvage(Database& damaged, SessionFile& fresh);

// Puts a complete salvaged file into the place of `name`, if there is one, and returns under which name the damaged
// file is kept, else an empty one. To be called before `name` is opened.
Result<std::string> finish_salvage(const DataDirectory& directory, const std::string& name, WallTime now);

}  // namespace furrow::gateway
