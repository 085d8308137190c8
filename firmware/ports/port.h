// SPDX-License-Identifier: Apache-2.0
// What the application needs of a board. One implementation is linked into an image: bare metal per SoC family,
// a host process (native), or Zephyr.
#ifndef TINYHIL_PORTS_PORT_H_
#define TINYHIL_PORTS_PORT_H_

#include <stdint.h>

namespace tinyhil {

// The application's entry: the port calls it once, when memory and stack are ready. It calls port::Init itself.
[[noreturn]] void AppMain();

}  // namespace tinyhil

namespace tinyhil::port {

struct Region {
  uint8_t* base;
  uint32_t bytes;
};

// UART and counter, once, before anything else. Clocks, FPU and stack painting are the start-up code's.
void Init();

// The next received byte, or -1 where none is waiting. It may sleep until something happens, a few milliseconds where
// it shares its core (a host process, a thread), but then answers -1.
int ReadByte();
uint32_t PauseReads();                           // answers of -1 in a row that are 0.1 to 2 s
void Write(const uint8_t* data, uint32_t size);  // blocks until handed to the UART

// A counter that survives its hardware's wrap. CounterRestart also aligns its phase, so that the same code
// between a restart and a read counts the same on every run. Scale: the host knows it per board and target.
// Interrupts must be on. A port that has no such counter answers 0.
void CounterRestart();
uint64_t CounterTicks();  // since CounterRestart, whole ticks
// The same in thousandths of a tick, without what restart and read cost: for measuring. Where a tick is several
// instructions (an emulator) it tells single ones apart, which takes thousands of instructions: read once a restart.
uint64_t CounterMilliticks();
// From CounterRestart on nothing else runs, not even the UART's interrupt, until CounterMilliticks has read the
// counter, or this is called.
void CounterRelease();

Region Arena();      // all RAM that the image leaves free, 16-byte aligned
Region ModelSlot();  // flash or RAM that holds the slot header and the model; bytes 0 in a bundled image
bool ModelSlotWritable();

uint32_t StackBytes();      // reserved; 0: this port does not measure its stack
uint32_t StackPeakBytes();  // most used since reset, by painting

// What a port may leave out; the application then has answers of its own (app/port_defaults.cc).
uint32_t ReceiveBytes();      // that may wait for ReadByte while the application is busy; 0: unknown
bool CanBaud(uint32_t baud);  // whether the UART can be set to that rate within 2 %
void SetBaud(uint32_t baud);  // after all that was written has left; 0: the rate it started with
uint64_t Microseconds();      // of a clock, where there is no counter; 0: none
uint32_t CounterHz();         // ticks of the counter in a second; 0: unknown
uint32_t SocId();             // the register that says which chip this is (board.yaml, soc); 0: there is none

[[noreturn]] void Reset();  // restarts the firmware as a power-on would

// The registers a fault handler saved. The application supplies ReportFault; the port calls it on the fault
// stack with interrupts off and never returns to the program.
struct Fault {
  const char* kind;                  // "HardFault", "UsageFault", "StackOverflow", ... or a signal's name on the host
  uint32_t pc, lr, sp, xpsr;         // pc, lr and xpsr are 0 where the core could not save them
  uint32_t cfsr, hfsr, mmfar, bfar;  // 0 where the core has none
};
void ReportFault(const Fault& fault);

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_PORT_H_
