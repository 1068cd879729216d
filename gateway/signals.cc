#include "gateway/signals.h"

#include <utility>

#include "broker-core/base/check.h"

namespace furrow::gateway {

Signals::Signals(uv_loop_t& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal)
    : on_signal_(std::move(on_signal)) {
  for (const int number : numbers) {
    UvHandle<uv_signal_t>& handle = handles_.emplace_back(loop, this, uv_signal_init);
    const auto callback = [](uv_signal_t* signal, int came) { static_cast<Signals*>(signal->data)->on_signal_(came); };
    FURROW_CHECK(uv_signal_start(handle.get(), callback, number) == 0);
  }
}

}  // namespace furrow::gateway
