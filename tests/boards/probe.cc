// SPDX-License-Identifier: Apache-2.0
// An application that shows what a port does: one letter in, one line out.
#include <string.h>

#include "ports/port.h"

namespace tinyhil {
namespace {

void Say(const char* text) { port::Write(reinterpret_cast<const uint8_t*>(text), static_cast<uint32_t>(strlen(text))); }

void SayNumber(uint64_t value) {
  char digits[18] = {};
  for (int i = 15; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  digits[16] = ' ';
  Say(digits);
}

uint8_t Next() {
  for (;;) {
    const int byte = port::ReadByte();
    if (byte >= 0) return static_cast<uint8_t>(byte);
  }
}

uint32_t NextNumber() {
  uint32_t number = 0;
  for (int i = 0; i < 4; ++i) number = (number << 8) | Next();
  return number;
}

volatile uint32_t initialized = 0x12345678;
volatile uint32_t zeroed;

void Count([[maybe_unused]] uint32_t turns) {
#if defined(__arm__)
  __asm volatile(".syntax unified\n1: subs %0, #1\n  bne 1b" : "+l"(turns)::"cc");  // two instructions a turn
#endif
}

uint32_t UseStack(volatile uint32_t* above, uint32_t words) {
  volatile uint32_t here[8];
  here[0] = *above;
  return words <= 8 ? here[0] : UseStack(here, words - 8) + here[0];
}

void Fault(char kind) {
#if defined(__arm__)
  if (kind == 'u') __asm volatile("udf #0");
  if (kind == 'a') __asm volatile("ldmia %0, {r2, r3}" ::"r"(port::Arena().base + 1) : "r2", "r3");
#else
  if (kind == 'u') __builtin_trap();
#endif
  volatile uintptr_t nowhere = 0xF0000000;
  if (kind == 'b') *reinterpret_cast<volatile uint32_t*>(nowhere) = 1;
  volatile uint32_t word = 1;
  if (kind == 's') UseStack(&word, 100'000'000);
}

}  // namespace

void port::ReportFault(const Fault& fault) {
  Say("FAULT ");
  Say(fault.kind);
  Say(" ");
  const uint32_t values[] = {fault.pc, fault.lr, fault.sp, fault.cfsr, fault.mmfar, fault.bfar};
  for (const uint32_t value : values) SayNumber(value);
  Say("\n");
}

[[noreturn]] void AppMain() {
  port::Init();
  Say("ready ");
  SayNumber(initialized);
  SayNumber(zeroed);
  initialized = zeroed = 1;
  Say("\n");
  for (;;) {
    const char command = static_cast<char>(Next());
    if (command == 'e') {  // echo: a count, then the bytes
      const uint32_t count = NextNumber();
      for (uint32_t i = 0; i < count; ++i) {
        const uint8_t byte = Next();
        port::Write(&byte, 1);
      }
    } else if (command == 'c') {  // count turns of a known loop
      const uint32_t turns = NextNumber();
      port::CounterRestart();
      Count(turns);
      SayNumber(port::CounterMilliticks());
    } else if (command == 't') {  // the same in whole ticks
      const uint32_t turns = NextNumber();
      port::CounterRestart();
      Count(turns);
      SayNumber(port::CounterTicks());
      port::CounterRelease();
    } else if (command == 'm') {
      SayNumber(reinterpret_cast<uintptr_t>(port::Arena().base));
      SayNumber(port::Arena().bytes);
      SayNumber(reinterpret_cast<uintptr_t>(port::ModelSlot().base));
      SayNumber(port::ModelSlot().bytes);
      SayNumber(port::StackBytes());
      SayNumber(port::StackPeakBytes());
    } else if (command == 'w') {  // both ends of the arena, and of a slot that is RAM, hold what is written
      const port::Region regions[] = {port::Arena(), port::ModelSlot()};
      for (const port::Region& region : regions) {
        if (region.base == port::ModelSlot().base && !port::ModelSlotWritable()) continue;
        region.base[0] = 0x5A;
        region.base[region.bytes - 1] = 0xA5;
        SayNumber(static_cast<uint32_t>(region.base[0]) << 8 | region.base[region.bytes - 1]);
      }
    } else if (command == 'l') {  // the first bytes of the slot
      for (uint32_t i = 0; i < 4; ++i) SayNumber(port::ModelSlot().base[i]);
    } else if (command == 'd') {  // use some stack
      volatile uint32_t word = 1;
      UseStack(&word, NextNumber());
    } else if (command == 'f') {  // floating point
      volatile float third = 1.0f / 3.0f;
      SayNumber(static_cast<uint32_t>(third * 3e6f));
    } else if (command == 'r') {
      port::Reset();
    } else {
      Fault(command);
    }
    Say("\n");
  }
}

}  // namespace tinyhil
