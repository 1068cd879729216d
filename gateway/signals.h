// Signals as events of the loop.
#pragma once

#include <uv.h>

#include <functional>
#include <initializer_list>
#include <vector>

#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

class Signals {
 public:
  // `on_signal` is called in the loop with the number of one of `numbers`.
  Signals(uv_loop_t& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  const std::function<void(int)> on_signal_;
  std::vector<UvHandle<uv_signal_t>> handles_;
};

}  // namespace furrow::gateway
