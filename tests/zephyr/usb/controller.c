/* SPDX-License-Identifier: Apache-2.0 */
/* A USB device controller for QEMU, which has none: its bus is a UART, and usb_host.py is the host at the other end.
 *
 * One byte says what happens on the bus, one to which endpoint, one how much data follows. Each is answered with what a
 * device would put on the bus, one byte, and the size of the data that follow:
 *
 *   host     'C' connected  'D' disconnected  'R' reset  'S' suspended  'W' resumed  's' SETUP  'o' OUT  'i' IN
 *   device   'A' ACK  'N' NAK  'L' STALL  'D' data  '.' nothing (not attached, or no such endpoint)
 *
 * As real controllers: a packet that is not read yet keeps the next one off (NAK), and an IN endpoint holds one packet.
 * As Nordic's driver: events are handled in the USB stack's work queue, so who blocks that queue blocks the bus.
 */
#include <errno.h>
#include <string.h>
#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/drivers/usb/usb_dc.h>
#include <zephyr/kernel.h>
#include <zephyr/usb/usb_device.h>

#include "usb_work_q.h"

#define ENDPOINTS 8
#define PACKET_BYTES 64
#define HEADER_BYTES 3

struct endpoint {
	usb_dc_ep_callback callback;
	uint16_t packet_bytes;
	uint16_t size;
	uint16_t taken;
	bool enabled;
	bool stalled;
	bool full; /* of what the firmware has not read, or the host not fetched */
	uint8_t packet[PACKET_BYTES];
};

static const struct device *const bus = DEVICE_DT_GET(DT_CHOSEN(tinyhil_usb_bus));
static struct endpoint in[ENDPOINTS];
static struct endpoint out[ENDPOINTS];
static usb_dc_status_callback on_status;
static bool attached;

static uint8_t token[HEADER_BYTES + PACKET_BYTES];
static uint32_t token_bytes;
static struct k_work token_work;

static struct endpoint *find(uint8_t address)
{
	const uint8_t number = USB_EP_GET_IDX(address);

	if (number >= ENDPOINTS) {
		return NULL;
	}
	return USB_EP_DIR_IS_IN(address) ? &in[number] : &out[number];
}

static void answer(char what, const uint8_t *data, uint8_t size)
{
	uart_poll_out(bus, what);
	uart_poll_out(bus, size);
	for (uint8_t i = 0; i < size; ++i) {
		uart_poll_out(bus, data[i]);
	}
}

static void empty_all(void)
{
	for (int i = 0; i < ENDPOINTS; ++i) {
		in[i].full = out[i].full = false;
		in[i].stalled = out[i].stalled = false;
	}
}

static void status(enum usb_dc_status_code code)
{
	if (code == USB_DC_RESET || code == USB_DC_DISCONNECTED) {
		empty_all();
	}
	answer('A', NULL, 0);
	if (on_status != NULL) {
		on_status(code, NULL);
	}
}

static void fill(struct endpoint *endpoint, const uint8_t *data, uint16_t size)
{
	memcpy(endpoint->packet, data, size);
	endpoint->size = size;
	endpoint->taken = 0;
	endpoint->full = true;
}

static void setup(struct endpoint *endpoint, const uint8_t *data, uint8_t size)
{
	in[0].full = in[0].stalled = endpoint->stalled = false;
	fill(endpoint, data, size);
	answer('A', NULL, 0);
	endpoint->callback(USB_CONTROL_EP_OUT, USB_DC_EP_SETUP);
}

static void packet_out(uint8_t address, struct endpoint *endpoint, const uint8_t *data, uint8_t size)
{
	if (endpoint->full) {
		answer('N', NULL, 0);
		return;
	}
	fill(endpoint, data, size);
	answer('A', NULL, 0);
	endpoint->callback(address, USB_DC_EP_DATA_OUT);
}

static void packet_in(uint8_t address, struct endpoint *endpoint)
{
	if (!endpoint->full) {
		answer('N', NULL, 0);
		return;
	}
	answer('D', endpoint->packet, endpoint->size);
	endpoint->full = false;
	endpoint->callback(address, USB_DC_EP_DATA_IN);
}

static void transaction(char kind, uint8_t number, const uint8_t *data, uint8_t size)
{
	const uint8_t address = kind == 'i' ? USB_EP_DIR_IN | number : number;
	struct endpoint *endpoint = find(address);

	if (endpoint == NULL || !endpoint->enabled || endpoint->callback == NULL) {
		answer('.', NULL, 0);
	} else if (kind == 's') {
		setup(endpoint, data, size);
	} else if (endpoint->stalled) {
		answer('L', NULL, 0);
	} else if (kind == 'i') {
		packet_in(address, endpoint);
	} else {
		packet_out(address, endpoint, data, size);
	}
}

static void handle_token(struct k_work *work)
{
	ARG_UNUSED(work);
	switch (token[0]) {
	case 'C':
		if (in[0].enabled) {
			status(USB_DC_CONNECTED);
		} else {
			answer('N', NULL, 0); /* the firmware is not that far yet */
		}
		break;
	case 'D':
		status(USB_DC_DISCONNECTED);
		break;
	case 'R':
		status(USB_DC_RESET);
		break;
	case 'S':
		status(USB_DC_SUSPEND);
		break;
	case 'W':
		status(USB_DC_RESUME);
		break;
	default:
		transaction(token[0], token[1], token + HEADER_BYTES, token[2]);
		break;
	}
}

/* The host says nothing more until this is answered. */
static void on_interrupt(const struct device *uart, void *data)
{
	uint8_t byte;

	ARG_UNUSED(data);
	while (uart_irq_update(uart) && uart_irq_rx_ready(uart) > 0 && uart_fifo_read(uart, &byte, 1) == 1) {
		if (token_bytes < sizeof(token)) {
			token[token_bytes++] = byte;
		}
		if (token_bytes >= HEADER_BYTES && token_bytes == HEADER_BYTES + token[2]) {
			token_bytes = 0;
			k_work_submit_to_queue(&USB_WORK_Q, &token_work);
		}
	}
}

int usb_dc_attach(void)
{
	if (!attached) {
		attached = true;
		k_work_init(&token_work, handle_token);
		uart_irq_callback_user_data_set(bus, on_interrupt, NULL);

		const unsigned int key = irq_lock();

		uart_irq_rx_enable(bus);
		on_interrupt(bus, NULL); /* a byte that came before is no interrupt */
		irq_unlock(key);
	}
	return 0;
}

int usb_dc_detach(void)
{
	attached = false;
	uart_irq_rx_disable(bus);
	return 0;
}

int usb_dc_reset(void)
{
	empty_all();
	return 0;
}

int usb_dc_set_address(const uint8_t address)
{
	ARG_UNUSED(address);
	return 0;
}

void usb_dc_set_status_callback(const usb_dc_status_callback callback)
{
	on_status = callback;
}

int usb_dc_ep_check_cap(const struct usb_dc_ep_cfg_data *const wanted)
{
	return find(wanted->ep_addr) != NULL && wanted->ep_mps <= PACKET_BYTES ? 0 : -EINVAL;
}

int usb_dc_ep_configure(const struct usb_dc_ep_cfg_data *const wanted)
{
	if (usb_dc_ep_check_cap(wanted) != 0) {
		return -EINVAL;
	}
	find(wanted->ep_addr)->packet_bytes = wanted->ep_mps;
	return 0;
}

int usb_dc_ep_set_callback(const uint8_t address, const usb_dc_ep_callback callback)
{
	find(address)->callback = callback;
	return 0;
}

int usb_dc_ep_enable(const uint8_t address)
{
	struct endpoint *endpoint = find(address);

	endpoint->enabled = true;
	endpoint->full = endpoint->stalled = false;
	return 0;
}

int usb_dc_ep_disable(const uint8_t address)
{
	find(address)->enabled = false;
	return 0;
}

int usb_dc_ep_set_stall(const uint8_t address)
{
	find(address)->stalled = true;
	return 0;
}

int usb_dc_ep_clear_stall(const uint8_t address)
{
	find(address)->stalled = false;
	return 0;
}

int usb_dc_ep_is_stalled(const uint8_t address, uint8_t *const stalled)
{
	*stalled = find(address)->stalled;
	return 0;
}

int usb_dc_ep_halt(const uint8_t address)
{
	return usb_dc_ep_set_stall(address);
}

int usb_dc_ep_flush(const uint8_t address)
{
	find(address)->full = false;
	return 0;
}

int usb_dc_ep_mps(const uint8_t address)
{
	return find(address)->packet_bytes;
}

int usb_dc_ep_write(const uint8_t address, const uint8_t *const data, const uint32_t size, uint32_t *const written)
{
	struct endpoint *endpoint = find(address);
	const uint32_t taken = MIN(size, endpoint->packet_bytes);

	if (!endpoint->enabled) {
		return -EINVAL;
	}
	if (endpoint->full) {
		return -EAGAIN;
	}
	fill(endpoint, data, taken);
	if (written != NULL) {
		*written = taken;
	}
	return 0;
}

int usb_dc_ep_read_wait(uint8_t address, uint8_t *data, uint32_t most, uint32_t *size)
{
	struct endpoint *endpoint = find(address);
	const uint32_t left = endpoint->full ? endpoint->size - endpoint->taken : 0;
	const uint32_t given = MIN(left, most);

	if (!endpoint->enabled) {
		return -EINVAL;
	}
	if (data == NULL && most == 0) {
		*size = left;
		return 0;
	}
	memcpy(data, endpoint->packet + endpoint->taken, given);
	endpoint->taken += given;
	if (size != NULL) {
		*size = given;
	}
	return 0;
}

int usb_dc_ep_read_continue(uint8_t address)
{
	struct endpoint *endpoint = find(address);

	if (!endpoint->enabled) {
		return -EINVAL;
	}
	if (endpoint->taken == endpoint->size) {
		endpoint->full = false;
	}
	return 0;
}

int usb_dc_ep_read(const uint8_t address, uint8_t *const data, const uint32_t most, uint32_t *const size)
{
	const int error = usb_dc_ep_read_wait(address, data, most, size);

	return error != 0 ? error : usb_dc_ep_read_continue(address);
}
