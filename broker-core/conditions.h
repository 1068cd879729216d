// Conditions in which the broker takes less than it would otherwise. The broker sets them; its parts ask before they
// take something.
#pragma once

namespace furrow::broker {

struct Conditions {
  bool short_of_memory = false;  // more than `limits.memory` is allocated: nothing more waits in memory alone
  bool store_lags = false;       // more than `limits.commit_waiting` waits for the store, or memory is short
};

}  // namespace furrow::broker
