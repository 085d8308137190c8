// SPDX-License-Identifier: Apache-2.0
// The core registers that start-up, counter and fault handling use. Names and bits: Arm's architecture manuals
// (ARMv6-M, ARMv7-M, ARMv8-M), System Control Space.
#ifndef TINYHIL_PORTS_CORTEX_M_REGISTERS_H_
#define TINYHIL_PORTS_CORTEX_M_REGISTERS_H_

#include <stdint.h>

namespace tinyhil::port {

inline volatile uint32_t& Register(uintptr_t address) { return *reinterpret_cast<volatile uint32_t*>(address); }

constexpr uintptr_t kSystCsr = 0xE000E010;
constexpr uintptr_t kSystRvr = 0xE000E014;
constexpr uintptr_t kSystCvr = 0xE000E018;
constexpr uint32_t kSystCsrEnable = 1u << 0;
constexpr uint32_t kSystCsrInterrupt = 1u << 1;
constexpr uint32_t kSystCsrCoreClock = 1u << 2;

constexpr uintptr_t kNvicIser = 0xE000E100;  // a bit each interrupt, 32 a word; writing a 1 enables
constexpr uintptr_t kNvicIcer = 0xE000E180;  // writing a 1 disables

constexpr uintptr_t kIcsr = 0xE000ED04;
constexpr uint32_t kIcsrSysTickClear = 1u << 25;
constexpr uint32_t kIcsrSysTickPending = 1u << 26;  // writing a 1 makes it so

constexpr uintptr_t kVtor = 0xE000ED08;

constexpr uintptr_t kAircr = 0xE000ED0C;
constexpr uint32_t kAircrResetRequest = 0x05FA0004;

constexpr uintptr_t kShcsr = 0xE000ED24;
constexpr uint32_t kShcsrFaultsOn = (1u << 16) | (1u << 17) | (1u << 18);  // MemManage, BusFault, UsageFault
constexpr uint32_t kShcsrSecureFaultOn = 1u << 19;

constexpr uintptr_t kCfsr = 0xE000ED28;
constexpr uint32_t kCfsrMemoryStacking = 1u << 4;
constexpr uint32_t kCfsrMmfarValid = 1u << 7;
constexpr uint32_t kCfsrBusStacking = 1u << 12;
constexpr uint32_t kCfsrStackOverflow = 1u << 20;  // ARMv8-M
constexpr uintptr_t kHfsr = 0xE000ED2C;
constexpr uintptr_t kMmfar = 0xE000ED34;
constexpr uintptr_t kBfar = 0xE000ED38;

constexpr uintptr_t kMpuType = 0xE000ED90;
constexpr uintptr_t kMpuCtrl = 0xE000ED94;
constexpr uintptr_t kMpuRbar = 0xE000ED9C;
constexpr uintptr_t kMpuRasr = 0xE000EDA0;
constexpr uint32_t kMpuTypeRegions = 0xFFu << 8;
constexpr uint32_t kMpuCtrlEnable = 1u << 0;
constexpr uint32_t kMpuCtrlDefaultMap = 1u << 2;
constexpr uint32_t kMpuRbarRegion0 = 1u << 4;
constexpr uint32_t kMpuRasrNoAccess256Bytes = (1u << 28) | (7u << 1) | 1u;

}  // namespace tinyhil::port

#endif  // TINYHIL_PORTS_CORTEX_M_REGISTERS_H_
