// SPDX-License-Identifier: Apache-2.0
// A product that recognizes digits. Every second it looks at an image and says which digit it sees; in test mode it
// leaves the engine to the command loop and only says that it is alive.
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "app/model_source.h"
#include "engine/engine.h"

namespace {

#ifndef CONFIG_TINYHIL_TEST_MODE

alignas(16) uint8_t arena[16 * 1024];

// The largest of the model's outputs.
int Recognize(tinyhil::Engine& engine) {
  const tinyhil::TensorInfo input = engine.Input(0);
  memset(input.data, input.zero_point, input.bytes);  // a camera's image, in a product
  if (!engine.Invoke(nullptr).ok()) return -1;
  const tinyhil::TensorInfo output = engine.Output(0);
  const int8_t* scores = static_cast<const int8_t*>(output.data);
  int best = 0;
  for (uint32_t i = 1; i < output.bytes; ++i) {
    if (scores[i] > scores[best]) best = static_cast<int>(i);
  }
  return best;
}

#endif

}  // namespace

int main() {
#ifdef CONFIG_TINYHIL_TEST_MODE
  for (uint32_t seconds = 0;; ++seconds) {
    printk("alive for %u s\n", seconds);
    k_sleep(K_SECONDS(1));
  }
#else
  tinyhil::Engine& engine = tinyhil::TheEngine();
  const tinyhil::Error error =
      engine.Load(tinyhil_bundled_model, tinyhil_bundled_model_bytes, arena, static_cast<uint32_t>(sizeof(arena)));
  if (!error.ok()) {
    printk("the model does not load: %s\n", error.detail);
    return 0;
  }
  for (;;) {
    printk("digit %d, arena %u bytes\n", Recognize(engine), engine.ArenaUsed());
    k_sleep(K_SECONDS(1));
  }
#endif
}
