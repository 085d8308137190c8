// SPDX-License-Identifier: Apache-2.0
// The application: waits for a command in either language, executes it, waits again. Reports faults.
//
// RAM: the receiver (1 KiB), the last reply (1 KiB), the encoder's buffer (256 bytes). Everything runs here, in turn;
// nothing happens between two commands, and nothing but the engine during an inference.
#include "app/model_runner.h"
#include "app/requests.h"
#include "app/text_commands.h"
#include "link/crc32.h"
#include "link/payload.h"
#include "link/receiver.h"
#include "ports/port.h"

namespace tinyhil {
namespace {

void Write(const uint8_t* data, uint32_t size) { port::Write(data, size); }

void Serve();

Receiver receiver;
ModelRunner runner;
CobsEncoder encoder(Write);
uint8_t reply[kFrameBytes];
Requests requests(runner, encoder, Serve, reply);
TextCommands text(runner, Write);
uint32_t damaged_frames = 0;

// A frame that stays open over a pause is given up, so that a person can type.
class Pause {
 public:
  void Over() { polls_ = 0; }

  // Called each time nothing came. True once it is long.
  bool Long() { return ++polls_ == port::PauseReads(); }

 private:
  uint32_t polls_ = 0;
};

void Take(uint8_t byte) {
  switch (receiver.Feed(byte)) {
    case Receiver::Event::kNone:
      break;
    case Receiver::Event::kFrame:
      requests.Answer(receiver.header(), receiver.payload(), receiver.payload_size(), damaged_frames);
      break;
    case Receiver::Event::kDamaged:
      requests.ReportDamaged(++damaged_frames);
      break;
    case Receiver::Event::kLine:
      text.Execute(receiver.line(), requests.session(), damaged_frames);
      break;
    case Receiver::Event::kBadLine:
      text.RefuseUnreadable();
      break;
  }
}

// Between two looks at a UART that has nothing. To an emulator one look costs as much as a thousand other instructions;
// to a UART this is a fraction of the time of a byte.
void Rest() {
  for (uint32_t i = 0; i < 100; ++i) __asm__ volatile("");
}

Pause pause;

// One look at the UART. Also what a stopped run does: see Requests::Reach.
void Serve() {
  const int byte = port::ReadByte();
  if (byte >= 0) {
    pause.Over();
    Take(static_cast<uint8_t>(byte));
  } else if (receiver.InFrame() && pause.Long()) {
    if (receiver.Pause()) ++damaged_frames;
  } else {
    Rest();
  }
}

}  // namespace

[[noreturn]] void AppMain() {
  port::Init();
  text.Banner();
  for (;;) Serve();
}

// On the fault stack, with interrupts off: as a frame for the host library and as a line for everyone else. The frame's
// first zero ends whatever was being sent. The program does not go on, so the receiver's buffer is free for the frame.
void port::ReportFault(const Fault& fault) {
  LineWriter line;
  line.Text("hil fault kind=").Text(fault.kind).Text(" pc=").Hex8(fault.pc).Text(" lr=").Hex8(fault.lr);
  line.Text(" sp=").Hex8(fault.sp).Text(" xpsr=").Hex8(fault.xpsr).Text(" cfsr=").Hex8(fault.cfsr);
  line.Text(" hfsr=").Hex8(fault.hfsr).Text(" mmfar=").Hex8(fault.mmfar).Text(" bfar=").Hex8(fault.bfar);
  uint8_t* frame = receiver.buffer();
  PayloadWriter out(frame, kFrameBytes);
  out.U8(static_cast<uint8_t>(Request::kFault) | kReply);
  out.U8(0);
  out.U16(0);
  out.U32(requests.session());
  out.Put(line.text(), line.size());
  out.U32(Crc32(0, frame, out.size()));
  encoder.Drop();
  encoder.WriteFrame(frame, out.size());
  line.WriteChecked(Write);
}

}  // namespace tinyhil
