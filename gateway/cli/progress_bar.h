// How far something has come, on a terminal: shown once it takes longer than a second, and taken away at the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace furrow::gateway {

class ProgressBar {
 public:
  // Shows nothing unless `visible`.
  ProgressBar(std::uint64_t total, bool visible);

  void advance();
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  const std::uint64_t total_;
  const bool visible_;
  std::uint64_t done_ = 0;
  Clock::time_point show_at_;
  bool is_shown_ = false;
};

// `[#####     ] 50 %  5000 of 10000`.
std::string progress_text(std::uint64_t done, std::uint64_t total);

}  // namespace furrow::gateway
