// SPDX-License-Identifier: Apache-2.0
// Arena, model slot and stack, as devicetree and Kconfig have them.
//
// Arena: CONFIG_TINYHIL_ARENA_BYTES of RAM, or, where that is 0, all RAM that the linker leaves free.
// Slot: the node chosen as `tinyhil,model-slot`, or else the one labelled `tinyhil_slot`. A partition of flash is read
// only; a node that is a memory of its own is RAM. Without such a node, CONFIG_TINYHIL_SLOT_RAM_BYTES of RAM.
#include <zephyr/devicetree.h>
#include <zephyr/kernel.h>
#include <zephyr/linker/linker-defs.h>
#include <zephyr/sys/reboot.h>

#include "app/model_source.h"
#include "ports/port.h"
#include "ports/zephyr/zephyr_port.h"

#if DT_HAS_CHOSEN(tinyhil_model_slot)
#define SLOT_NODE DT_CHOSEN(tinyhil_model_slot)
#else
#define SLOT_NODE DT_NODELABEL(tinyhil_slot)
#endif

namespace tinyhil::port {
namespace {

constexpr uintptr_t kAlignment = 16;

#if CONFIG_TINYHIL_ARENA_BYTES > 0
__noinit __aligned(kAlignment) uint8_t arena[CONFIG_TINYHIL_ARENA_BYTES];
#endif

#if DT_NODE_EXISTS(SLOT_NODE)
#if DT_NODE_HAS_COMPAT(DT_PARENT(SLOT_NODE), fixed_partitions)
constexpr uintptr_t kSlotBase = DT_REG_ADDR(DT_GPARENT(SLOT_NODE)) + DT_REG_ADDR(SLOT_NODE);
constexpr bool kSlotWritable = false;
#else
constexpr uintptr_t kSlotBase = DT_REG_ADDR(SLOT_NODE);
constexpr bool kSlotWritable = true;
#endif
constexpr uint32_t kSlotBytes = DT_REG_SIZE(SLOT_NODE);
static_assert(kSlotBase % kAlignment == 0, "the model slot must start on a multiple of 16");
#elif CONFIG_TINYHIL_SLOT_RAM_BYTES > 0
__noinit __aligned(kAlignment) uint8_t slot[CONFIG_TINYHIL_SLOT_RAM_BYTES];
#endif

#if defined(CONFIG_THREAD_STACK_INFO) && !defined(CONFIG_ARCH_POSIX)
const struct k_thread* reader = nullptr;  // the thread that the command loop runs in
#endif

}  // namespace

#if CONFIG_TINYHIL_ARENA_BYTES > 0
Region Arena() { return {arena, sizeof(arena) & ~(kAlignment - 1)}; }
#else
Region Arena() {
  const uintptr_t base = (reinterpret_cast<uintptr_t>(_image_ram_end) + kAlignment - 1) & ~(kAlignment - 1);
  const uintptr_t end = CONFIG_SRAM_BASE_ADDRESS + CONFIG_SRAM_SIZE * 1024u;
  return {reinterpret_cast<uint8_t*>(base), base < end ? static_cast<uint32_t>(end - base) : 0};
}
#endif

Region ModelSlot() {
  if (tinyhil_bundled_model_bytes != 0) return {nullptr, 0};
#if DT_NODE_EXISTS(SLOT_NODE)
  return {reinterpret_cast<uint8_t*>(kSlotBase), kSlotBytes};
#elif CONFIG_TINYHIL_SLOT_RAM_BYTES > 0
  return {slot, sizeof(slot)};
#else
  return {nullptr, 0};
#endif
}

bool ModelSlotWritable() {
#if DT_NODE_EXISTS(SLOT_NODE)
  return kSlotWritable;
#else
  return CONFIG_TINYHIL_SLOT_RAM_BYTES > 0;
#endif
}

// On the host a thread's stack is the host's.
#if defined(CONFIG_THREAD_STACK_INFO) && defined(CONFIG_INIT_STACKS) && !defined(CONFIG_ARCH_POSIX)
void StackOfThisThread() { reader = k_current_get(); }

uint32_t StackBytes() { return reader == nullptr ? 0 : static_cast<uint32_t>(reader->stack_info.size); }

uint32_t StackPeakBytes() {
  size_t unused = 0;
  if (reader == nullptr || k_thread_stack_space_get(reader, &unused) != 0) return 0;
  return static_cast<uint32_t>(reader->stack_info.size - unused);
}
#else
void StackOfThisThread() {}
uint32_t StackBytes() { return 0; }
uint32_t StackPeakBytes() { return 0; }
#endif

[[noreturn]] void Reset() {
  sys_reboot(SYS_REBOOT_COLD);
  CODE_UNREACHABLE;
}

}  // namespace tinyhil::port
