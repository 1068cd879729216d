#include "gateway/cli/progress_bar.h"

#include <algorithm>
#include <cstdio>

namespace furrow::gateway {
namespace {

constexpr std::chrono::seconds kShowAfter{1};
constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

std::string progress_text(std::uint64_t done, std::uint64_t total) {
  constexpr std::uint64_t kWidth = 30;
  // What is counted may have grown since the total was taken.
  const std::uint64_t all = std::max<std::uint64_t>({done, total, 1});
  const auto filled = static_cast<std::size_t>(done * kWidth / all);
  return "[" + std::string(filled, '#') + std::string(kWidth - filled, ' ') + "] " + std::to_string(done * 100 / all) +
         " %  " + std::to_string(done) + " of " + std::to_string(all);
}

ProgressBar::ProgressBar(std::uint64_t total, bool visible)
    : total_(total), visible_(visible), show_at_(Clock::now() + kShowAfter) {}

void ProgressBar::advance() {
  ++done_;
  if (!visible_ || Clock::now() < show_at_) return;
  std::fprintf(stderr, "\r%s\x1b[K", progress_text(done_, total_).c_str());
  show_at_ = Clock::now() + kInterval;
  is_shown_ = true;
}

void ProgressBar::finish() {
  if (is_shown_) std::fputs("\r\x1b[K", stderr);
}

}  // namespace furrow::gateway
