// SPDX-License-Identifier: Apache-2.0
// The UART: what devicetree chooses as `tinyhil,uart`, or else as `zephyr,console`. A USB CDC-ACM port is a UART here.
//
// Receiving: the interrupt puts bytes into a ring and gives a semaphore that the command loop waits on, so that a host
// that says nothing costs nothing. Or polled (CONFIG_TINYHIL_UART_POLL), where a driver has no interrupts, or an
// emulator forgets them. Sending: byte by byte, polled; or through a ring and the interrupt, which USB needs.
//
// USB holds back who sends too much: what finds no room in a ring waits in the driver, and then at the other end. So
// while no host reads, Write waits, and that as long as it takes. "Interrupts" are work that a thread of the USB stack
// does, which is why the report of a fault leaves only if threads go on.
//
// RAM: CONFIG_TINYHIL_UART_RING_BYTES for each direction that has an interrupt.
#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>

#include "ports/port.h"
#include "ports/ring.h"
#include "ports/zephyr/zephyr_port.h"

#ifdef TINYHIL_UART_IS_USB
#include <usb_work_q.h>
#include <zephyr/usb/usb_device.h>
#if !defined(CONFIG_TINYHIL_UART_WRITE_INTERRUPT)
#error "tinyhil,uart is USB: set CONFIG_TINYHIL_UART_WRITE_INTERRUPT=y"
#endif
#endif

namespace tinyhil::port {
namespace {

const struct device* const uart = DEVICE_DT_GET(TINYHIL_UART_NODE);
bool in_fault = false;

#ifdef TINYHIL_UART_IS_USB
constexpr bool kWaitsForRoom = true;
#else
constexpr bool kWaitsForRoom = false;
void WritePolled(const uint8_t* data, uint32_t size) {
  for (uint32_t i = 0; i < size; ++i) uart_poll_out(uart, data[i]);
}
#endif

#if !defined(CONFIG_TINYHIL_UART_POLL) || defined(CONFIG_TINYHIL_UART_WRITE_INTERRUPT)

#ifndef CONFIG_TINYHIL_UART_POLL
Ring<CONFIG_TINYHIL_UART_RING_BYTES> received;
K_SEM_DEFINE(something_received, 0, 1);

volatile bool held_back = false;  // the driver, until the ring is empty

// Whether anything was received.
bool Receive() {
  bool any = false;
  for (;;) {
    if (kWaitsForRoom && received.Full()) {
      uart_irq_rx_disable(uart);
      held_back = true;
      break;
    }
    uint8_t byte;
    if (uart_fifo_read(uart, &byte, 1) != 1) break;
    any = true;
    received.Put(byte);  // the link notices what is lost, and recovers
  }
  k_sem_give(&something_received);
  return any;
}
#else
bool Receive() { return false; }
#endif

#ifdef CONFIG_TINYHIL_UART_WRITE_INTERRUPT
Ring<CONFIG_TINYHIL_UART_RING_BYTES> to_send;
K_SEM_DEFINE(something_sent, 0, 1);

// Whether anything was sent.
bool Send() {
  bool any = false;
  for (;;) {
    const int front = to_send.Front();
    if (front < 0) {
      uart_irq_tx_disable(uart);
      break;
    }
    const uint8_t byte = static_cast<uint8_t>(front);
    if (uart_fifo_fill(uart, &byte, 1) != 1) break;
    any = true;
    to_send.Get();
  }
  k_sem_give(&something_sent);
  return any;
}
#else
bool Send() { return false; }
#endif

// As long as anything moves, and no longer. A USB port says that it is ready while it is suspended or unplugged, and
// then takes nothing: who waited for it here would keep the USB stack's thread from ever hearing of the host again.
// Whether an interrupt is pending is not asked: a CMSDK UART's that is primed by uart_irq_tx_enable is not.
void OnInterrupt(const struct device*, void*) {
  bool any = true;
  while (any) {
    any = false;
    uart_irq_update(uart);
    if (uart_irq_rx_ready(uart) > 0) any = Receive();
    if (IS_ENABLED(CONFIG_TINYHIL_UART_WRITE_INTERRUPT) && uart_irq_tx_ready(uart) > 0) any = Send() || any;
  }
}

#endif

}  // namespace

void UartInit() {
  if (!device_is_ready(uart)) k_panic();
#ifdef TINYHIL_UART_IS_USB
  usb_enable(nullptr);  // an error means that the application has enabled it already
#endif
#if !defined(CONFIG_TINYHIL_UART_POLL) || defined(CONFIG_TINYHIL_UART_WRITE_INTERRUPT)
  uart_irq_rx_disable(uart);
  uart_irq_tx_disable(uart);
  uart_irq_callback_user_data_set(uart, OnInterrupt, nullptr);
#endif
#ifndef CONFIG_TINYHIL_UART_POLL
  // A byte that came before this is no event for some UARTs, and while it waits nothing else is.
  const unsigned int key = irq_lock();
  uart_irq_rx_enable(uart);
  Receive();
  irq_unlock(key);
#endif
}

#ifdef CONFIG_TINYHIL_UART_POLL
int ReadByte() {
  uint8_t byte;
  if (uart_poll_in(uart, &byte) == 0) return byte;
#ifdef TINYHIL_UART_IS_USB
  if (to_send.Front() >= 0) uart_irq_tx_enable(uart);
#endif
#ifdef CONFIG_ARCH_POSIX
  k_sleep(K_TICKS(1));  // time stands still there until somebody waits; a host's UART loses nothing meanwhile
#else
  k_yield();
#endif
  return -1;
}

uint32_t PauseReads() { return IS_ENABLED(CONFIG_ARCH_POSIX) ? 64 : 1u << 20; }
#else
int ReadByte() {
  const int byte = received.Get();
  if (byte >= 0) return byte;
  if (kWaitsForRoom && held_back) {
    held_back = false;
    uart_irq_rx_enable(uart);
  }
#ifdef TINYHIL_UART_IS_USB
  if (to_send.Front() >= 0) uart_irq_tx_enable(uart);  // the port does not ask for it when it is resumed
#endif
  k_sem_take(&something_received, K_MSEC(2));
  return received.Get();
}

uint32_t PauseReads() { return 64; }

uint32_t ReceiveBytes() { return CONFIG_TINYHIL_UART_RING_BYTES; }
#endif

void UartInFault() { in_fault = true; }

#ifdef TINYHIL_UART_IS_USB
k_thread* UartThread() { return &USB_WORK_Q.thread; }
#endif

#ifdef CONFIG_TINYHIL_UART_WRITE_INTERRUPT
void Write(const uint8_t* data, uint32_t size) {
#ifndef TINYHIL_UART_IS_USB
  if (in_fault) {
    WritePolled(data, size);
    return;
  }
#endif
  for (uint32_t i = 0; i < size; ++i) {
    while (!to_send.Put(data[i])) {
      if (in_fault) {
        to_send.Get();  // nobody waits now: the report goes before what was said earlier
        continue;
      }
      uart_irq_tx_enable(uart);
      k_sem_take(&something_sent, K_MSEC(10));
    }
  }
  uart_irq_tx_enable(uart);
}
#else
void Write(const uint8_t* data, uint32_t size) { WritePolled(data, size); }
#endif

}  // namespace tinyhil::port
