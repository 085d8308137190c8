// SPDX-License-Identifier: Apache-2.0
// The firmware as a process of the host: UART on file descriptors, model slot from a file, signals for faults.
//
//   tinyhil-firmware [--slot FILE] [--slot-bytes N] [--arena-bytes N] [--fd N]
//
// The UART is stdin and stdout, or one inherited descriptor (--fd). The end of its input ends the process with status
// 0. Neither stack nor instructions are measured here: a host's would say nothing about a device's.
//
// Built with -no-pie, so that a program counter fits the 32 bits of a fault report and means the same as in the file.
#include "ports/port.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
// A sanitizer's finding ends in SIGABRT, and so in a fault report; its own text goes to stderr.
extern "C" const char* __asan_default_options() { return "abort_on_error=1:detect_leaks=0"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:halt_on_error=1:print_stacktrace=1"; }
#endif

namespace tinyhil::port {
namespace {

constexpr int kIdleSleepMs = 20;
constexpr int kUsageStatus = 2;
constexpr size_t kAlignment = 16;

struct FaultSignal {
  int number;
  const char* name;
  struct sigaction before;
};
FaultSignal fault_signals[] = {
    {SIGSEGV, "SIGSEGV", {}}, {SIGBUS, "SIGBUS", {}},   {SIGFPE, "SIGFPE", {}},
    {SIGILL, "SIGILL", {}},   {SIGABRT, "SIGABRT", {}},
};

char** arguments;
int input = STDIN_FILENO;
int output = STDOUT_FILENO;
uint8_t received[4096];
size_t received_count = 0;
size_t received_next = 0;
Region arena = {nullptr, TINYHIL_ARENA_BYTES};
Region slot = {nullptr, TINYHIL_SLOT_BYTES};

[[noreturn]] void Refuse(const char* what, const char* which) {
  fprintf(stderr, "%s: %s: %s\n", arguments[0], which, what);
  exit(kUsageStatus);
}

uint32_t Number(const char* option, const char* text) {
  char* end = nullptr;
  errno = 0;
  const unsigned long value = strtoul(text, &end, 0);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > UINT32_MAX) Refuse("not a number", option);
  return static_cast<uint32_t>(value);
}

// Memory that ends (but for up to 15 bytes of alignment) at a page without access, and starts behind another or close
// to it, so that a step outside is a fault.
uint8_t* Map(uint32_t bytes, const char* what) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t inner = (bytes + page - 1) / page * page;
  void* base = mmap(nullptr, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) Refuse(strerror(errno), what);
  uint8_t* usable = static_cast<uint8_t*>(base) + page;
  if (inner != 0 && mprotect(usable, inner, PROT_READ | PROT_WRITE) != 0) Refuse(strerror(errno), what);
  return usable + (inner - bytes) / kAlignment * kAlignment;
}

void FillSlot(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) Refuse(strerror(errno), path);
  uint32_t filled = 0;
  for (;;) {
    uint8_t beyond;  // what does not fit is noticed by reading one byte more
    const bool full = filled == slot.bytes;
    const ssize_t count = read(file, full ? &beyond : slot.base + filled, full ? 1 : slot.bytes - filled);
    if (count == 0) break;
    if (count < 0) Refuse(strerror(errno), path);
    if (full) Refuse("longer than the model slot", path);
    filled += static_cast<uint32_t>(count);
  }
  close(file);
}

uint32_t Low32(unsigned long long value) { return static_cast<uint32_t>(value); }

// Reports, then lets the signal happen again with the action that was there before: the process ends by that signal,
// after a sanitizer has had its say.
void OnFault(int number, siginfo_t*, void* context) {
  Fault fault = {};
  for (FaultSignal& entry : fault_signals) {
    if (entry.number == number) fault.kind = entry.name;
    sigaction(entry.number, &entry.before, nullptr);
  }
  const ucontext_t* state = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
  fault.pc = Low32(static_cast<unsigned long long>(state->uc_mcontext.gregs[REG_RIP]));
  fault.sp = Low32(static_cast<unsigned long long>(state->uc_mcontext.gregs[REG_RSP]));
#elif defined(__aarch64__)
  fault.pc = Low32(state->uc_mcontext.pc);
  fault.lr = Low32(state->uc_mcontext.regs[30]);
  fault.sp = Low32(state->uc_mcontext.sp);
#else
  static_cast<void>(state);
#endif
  ReportFault(fault);
}

void CatchFaults() {
  static uint8_t stack[64 * 1024];
  stack_t alternate = {};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof(stack);
  sigaltstack(&alternate, nullptr);
  struct sigaction action = {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (FaultSignal& entry : fault_signals) sigaction(entry.number, &action, &entry.before);
}

void ReadArguments(int count) {
  const char* slot_file = nullptr;
  for (int i = 1; i < count; i += 2) {
    const char* option = arguments[i];
    if (i + 1 == count) Refuse("needs a value", option);
    const char* value = arguments[i + 1];
    if (strcmp(option, "--slot") == 0) {
      slot_file = value;
    } else if (strcmp(option, "--slot-bytes") == 0) {
      slot.bytes = Number(option, value);
    } else if (strcmp(option, "--arena-bytes") == 0) {
      arena.bytes = Number(option, value);
    } else if (strcmp(option, "--fd") == 0) {
      input = output = static_cast<int>(Number(option, value) & INT32_MAX);
    } else {
      Refuse("unknown option", option);
    }
  }
  arena.base = Map(arena.bytes, "arena");
  slot.base = Map(slot.bytes, "model slot");
  if (slot_file != nullptr) FillSlot(slot_file);
}

}  // namespace

void Init() {}

int ReadByte() {
  if (received_next == received_count) {
    pollfd waiting = {input, POLLIN, 0};
    const int ready = poll(&waiting, 1, kIdleSleepMs);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return -1;
    const ssize_t count = read(input, received, sizeof(received));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return -1;
    if (count <= 0) exit(0);  // whoever held the other end is gone
    received_count = static_cast<size_t>(count);
    received_next = 0;
  }
  return received[received_next++];
}

void Write(const uint8_t* data, uint32_t size) {
  while (size != 0) {
    const ssize_t count = write(output, data, size);
    if (count < 0 && errno == EAGAIN) {
      pollfd waiting = {output, POLLOUT, 0};
      poll(&waiting, 1, kIdleSleepMs);
    } else if (count < 0 && errno != EINTR) {
      _exit(0);  // nobody is left to read; may run in a signal handler
    } else if (count > 0) {
      data += count;
      size -= static_cast<uint32_t>(count);
    }
  }
}

uint32_t PauseReads() { return 64; }

uint32_t ReceiveBytes() { return sizeof(received); }

void CounterRestart() {}
uint64_t CounterTicks() { return 0; }
uint64_t CounterMilliticks() { return 0; }
void CounterRelease() {}

uint64_t Microseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

Region Arena() { return arena; }
Region ModelSlot() { return slot; }
bool ModelSlotWritable() { return TINYHIL_SLOT_WRITABLE != 0; }

uint32_t StackBytes() { return 0; }
uint32_t StackPeakBytes() { return 0; }

// The same process anew: what a power-on does to a device.
[[noreturn]] void Reset() {
  execv("/proc/self/exe", arguments);
  Refuse(strerror(errno), "restart");
}

}  // namespace tinyhil::port

int main(int count, char** values) {
  using namespace tinyhil::port;
  arguments = values;
  signal(SIGPIPE, SIG_IGN);
  ReadArguments(count);
  CatchFaults();
  tinyhil::AppMain();
}
