// SPDX-License-Identifier: Apache-2.0
#include "app/info.h"

#include "app/build_info.h"
#include "engine/engine.h"
#include "link/protocol.h"
#include "ports/port.h"

namespace tinyhil {

void AppendInfo(uint32_t index, uint32_t session, uint32_t damaged_frames, LineWriter& line) {
  switch (index) {
    case 0:
      line.Text("protocol=").Number(kProtocolVersion);
      break;
    case 1:
      line.Text("board=").Text(kBoardName);
      break;
    case 2:
      line.Text("build=").Text(kBuildId);
      break;
    case 3:
      line.Text("version=").Text(kVersion);
      break;
    case 4:
      line.Text("engine=").Text(TheEngine().Name());
      break;
    case 5:
      line.Text("kernels=").Text(TheEngine().Kernels());
      break;
    case 6:
      line.Text("kind=").Text(kImageKind);
      break;
    case 7:
      line.Text("compiler=").Text(kCompiler);
      break;
    case 8:
      line.Text("arena_bytes=").Number(port::Arena().bytes);
      break;
    case 9:
      line.Text("stack_bytes=").Number(port::StackBytes());
      break;
    case 10:
      line.Text("slot_bytes=").Number(port::ModelSlot().bytes);
      break;
    case 11:
      line.Text("slot_writable=").Character(port::ModelSlotWritable() ? '1' : '0');
      break;
    case 12:
      line.Text("max_payload=").Number(kMaxPayload);
      break;
    case 13:
      line.Text("session=").Hex8(session);
      break;
    case 14:
      line.Text("soc=").Hex8(port::SocId());
      break;
    case 15:
      line.Text("receive_bytes=").Number(port::ReceiveBytes());
      break;
    default:
      line.Text("damaged_frames=").Number(damaged_frames);
      break;
  }
}

}  // namespace tinyhil
