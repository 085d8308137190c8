// SPDX-License-Identifier: Apache-2.0
// The UART: what devicetree chooses as `tinyhil,uart`, or else as `zephyr,console`. A USB CDC-ACM port is a UART here.
//
// Receiving: the interrupt puts bytes into a ring and gives a semaphore that the command loop waits on, so that a host
// that says nothing costs nothing. Or polled (CONFIG_TINYHIL_UART_POLL), where a driver has no interrupts, or an
// emulator forgets them. Sending: byte by byte, polled; or through a ring and the interrupt, which USB needs.
//
// RAM: CONFIG_TINYHIL_UART_RING_BYTES for each direction that has an interrupt.
#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>

#include "ports/port.h"
#include "ports/ring.h"
#include "ports/zephyr/zephyr_port.h"

#if DT_HAS_CHOSEN(tinyhil_uart)
#define UART_NODE DT_CHOSEN(tinyhil_uart)
#elif DT_HAS_CHOSEN(zephyr_console)
#define UART_NODE DT_CHOSEN(zephyr_console)
#else
#error "tinyhil has no UART: devicetree chooses neither tinyhil,uart nor zephyr,console"
#endif

#if DT_NODE_HAS_COMPAT(UART_NODE, zephyr_cdc_acm_uart)
#define UART_IS_USB 1
#include <zephyr/usb/usb_device.h>
#if !defined(CONFIG_TINYHIL_UART_WRITE_INTERRUPT)
#error "tinyhil,uart is USB: set CONFIG_TINYHIL_UART_WRITE_INTERRUPT=y"
#endif
#endif

namespace tinyhil::port {
namespace {

const struct device* const uart = DEVICE_DT_GET(UART_NODE);
bool in_fault = false;

void WritePolled(const uint8_t* data, uint32_t size) {
  for (uint32_t i = 0; i < size; ++i) uart_poll_out(uart, data[i]);
}

#if !defined(CONFIG_TINYHIL_UART_POLL) || defined(CONFIG_TINYHIL_UART_WRITE_INTERRUPT)

#ifndef CONFIG_TINYHIL_UART_POLL
Ring<CONFIG_TINYHIL_UART_RING_BYTES> received;
K_SEM_DEFINE(something_received, 0, 1);

void Receive() {
  uint8_t byte;
  while (uart_fifo_read(uart, &byte, 1) == 1) received.Put(byte);  // the link notices what is lost, and recovers
  k_sem_give(&something_received);
}
#else
void Receive() {}
#endif

#ifdef CONFIG_TINYHIL_UART_WRITE_INTERRUPT
Ring<CONFIG_TINYHIL_UART_RING_BYTES> to_send;
K_SEM_DEFINE(something_sent, 0, 1);

void Send() {
  static int waiting = -1;  // what the ring gave and the UART did not take
  for (;;) {
    if (waiting < 0) waiting = to_send.Get();
    if (waiting < 0) {
      uart_irq_tx_disable(uart);
      break;
    }
    const uint8_t byte = static_cast<uint8_t>(waiting);
    if (uart_fifo_fill(uart, &byte, 1) != 1) break;
    waiting = -1;
  }
  k_sem_give(&something_sent);
}
#else
void Send() {}
#endif

void OnInterrupt(const struct device*, void*) {
  while (uart_irq_update(uart) && uart_irq_is_pending(uart)) {
    const bool readable = uart_irq_rx_ready(uart) > 0;
    const bool writable = IS_ENABLED(CONFIG_TINYHIL_UART_WRITE_INTERRUPT) && uart_irq_tx_ready(uart) > 0;
    if (readable) Receive();
    if (writable) Send();
    if (!readable && !writable) break;
  }
}

#endif

}  // namespace

void UartInit() {
  if (!device_is_ready(uart)) k_panic();
#ifdef UART_IS_USB
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
  k_sem_take(&something_received, K_MSEC(2));
  return received.Get();
}

uint32_t PauseReads() { return 64; }

uint32_t ReceiveBytes() { return CONFIG_TINYHIL_UART_RING_BYTES; }
#endif

void UartInFault() { in_fault = true; }

#ifdef CONFIG_TINYHIL_UART_WRITE_INTERRUPT
void Write(const uint8_t* data, uint32_t size) {
  if (in_fault) {
    WritePolled(data, size);
    return;
  }
  for (uint32_t i = 0; i < size; ++i) {
    while (!to_send.Put(data[i])) {
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
