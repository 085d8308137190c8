// SPDX-License-Identifier: Apache-2.0
// Vectors, reset and the way into the fault handler, for every Cortex-M from ARMv6-M to ARMv8.1-M.
//
// Only what cannot be C++: before the FPU is on, no compiled code may run (it could use an FP or MVE register), and a
// fault handler must leave a stack that may be the very thing that broke. Costs 16 words of vectors, and one for each
// interrupt up to the UART's.

  .syntax unified
  .thumb

  .section .vectors, "a", %progbits
  .global vectors
vectors:
  .word __stack_top
  .word Reset_Handler
  .word FaultVector  // NMI
  .word FaultVector  // HardFault
  .word FaultVector  // MemManage
  .word FaultVector  // BusFault
  .word FaultVector  // UsageFault
  .word FaultVector  // SecureFault
  .word FaultVector
  .word FaultVector
  .word FaultVector
  .word FaultVector  // SVCall
  .word FaultVector  // DebugMonitor
  .word FaultVector
  .word FaultVector  // PendSV
  .word SysTick_Handler
#ifdef TINYHIL_UART_IRQ
  .rept TINYHIL_UART_IRQ
  .word FaultVector
  .endr
  .word UART_Handler
#endif

  .section .text.Reset_Handler, "ax", %progbits
  .global Reset_Handler
  .type Reset_Handler, %function
  .thumb_func
Reset_Handler:
  ldr r0, =__stack_top  // a debugger may start here without a reset
  mov sp, r0
#if __ARM_ARCH >= 7
  ldr r0, =0xE000ED08  // VTOR
  ldr r1, =vectors
  str r1, [r0]
#endif
#if __ARM_ARCH >= 8 && __ARM_ARCH_PROFILE == 'M' && !defined(__ARM_ARCH_8M_BASE__)
  ldr r0, =__stack_bottom
  msr msplim, r0
#endif
#ifdef __ARM_FP
  ldr r0, =0xE000ED88  // CPACR: full access to coprocessors 10 and 11 (FPU and MVE)
  ldr r1, [r0]
  orr r1, r1, #(0xF << 20)
  str r1, [r0]
  dsb
  isb
#endif
  // Paints the stack, so that its deepest use can be read later. Nothing is on it yet.
  ldr r0, =__stack_bottom
  ldr r1, =__stack_top
  ldr r2, =0xC5C5C5C5
1:
  str r2, [r0]
  adds r0, #4
  cmp r0, r1
  bne 1b
  bl StartUp
  .size Reset_Handler, . - Reset_Handler

// Hands over what says where the frame is, on a stack of its own: StartFault(exc_return, msp, psp).
  .section .text.FaultVector, "ax", %progbits
  .global FaultVector
  .type FaultVector, %function
  .thumb_func
FaultVector:
  cpsid i
  mov r0, lr
  mrs r1, msp
  mrs r2, psp
#if __ARM_ARCH >= 8 && __ARM_ARCH_PROFILE == 'M' && !defined(__ARM_ARCH_8M_BASE__)
  movs r3, #0
  msr msplim, r3
#endif
  ldr r3, =__fault_stack_top
  mov sp, r3
  bl HandleFault
  .size FaultVector, . - FaultVector
