// SPDX-License-Identifier: Apache-2.0
#include "app/requests.h"

#include <string.h>

#include "app/error_text.h"
#include "app/info.h"
#include "link/crc32.h"
#include "link/protocol.h"
#include "ports/port.h"

namespace tinyhil {
namespace {

Error Refuse(Code code, const char* detail, uint32_t want = 0, uint32_t got = 0) {
  Error error;
  error.code = code;
  error.detail = detail;
  error.want = want;
  error.got = got;
  return error;
}

Error WrongLength() { return Refuse(Code::kBadRequest, "the payload is longer or shorter than this request's"); }

// u8: 1 where want is a lower bound | u32 want | u32 got | u8 length, path | u8 length, detail
// Not inlined: its line would lie on the stack while the engine runs.
[[gnu::noinline]] void AppendError(const Error& error, PayloadWriter& out) {
  LineWriter path;
  AppendPath(error, path);
  const char* detail = error.detail != nullptr ? error.detail : "";
  const size_t length = strlen(detail);
  const uint8_t detail_size = static_cast<uint8_t>(length < 255 ? length : 255);
  out.U8(error.want_is_minimum ? 1 : 0);
  out.U32(error.want);
  out.U32(error.got);
  out.U8(static_cast<uint8_t>(path.size()));
  out.Put(path.text(), path.size());
  out.U8(detail_size);
  out.Put(detail, detail_size);
}

uint32_t Less(uint32_t a, uint32_t b) { return a < b ? a : b; }

}  // namespace

void Requests::Answer(const Header& header, const uint8_t* payload, uint32_t size, uint32_t damaged_frames) {
  if ((header.type & kReply) != 0) return;  // somebody's reply, echoed
  const bool run = header.type == static_cast<uint8_t>(Request::kRun) && header.session == session_;
  if (ran_ && static_cast<uint16_t>(header.seq - run_seq_) > kLateRequests) ran_ = false;
  if (run && ran_ && header.seq == run_seq_ && reply_is_of_run_) {
    encoder_.WriteFrame(reply_, reply_size_);
    return;
  }
  PayloadReader in(payload, size);
  PayloadWriter out(reply_ + kHeaderBytes, kMaxPayload);
  Error error = Handle(header, in, out, damaged_frames);
  if (error.ok() && !out.ok()) error = Refuse(Code::kBadRange, "the reply would not fit a frame", kMaxPayload);
  if (!error.ok()) {
    out = PayloadWriter(reply_ + kHeaderBytes, kMaxPayload);
    AppendError(error, out);
  }
  reply_is_of_run_ = run;
  Send(header, static_cast<uint8_t>(error.code), out.size());
  if (error.ok() && header.type == static_cast<uint8_t>(Request::kReset)) port::Reset();
}

void Requests::Send(const Header& header, uint8_t status, uint32_t payload_size) {
  reply_[0] = header.type | kReply;
  reply_[1] = status;
  StoreU16(reply_ + 2, header.seq);
  StoreU32(reply_ + 4, session_);
  const uint32_t covered = kHeaderBytes + payload_size;
  StoreU32(reply_ + covered, Crc32(0, reply_, covered));
  reply_size_ = covered + 4;
  encoder_.WriteFrame(reply_, reply_size_);
}

Error Requests::Handle(const Header& header, PayloadReader& in, PayloadWriter& out, uint32_t damaged_frames) {
  const Request request = static_cast<Request>(header.type);
  if (request == Request::kOpen) return Open(header, in);
  if (session_ == 0 || header.session != session_) {
    return Refuse(Code::kWrongSession, "no such session is open", session_, header.session);
  }
  switch (request) {
    case Request::kInfo:
      return Info(in, out, damaged_frames);
    case Request::kSlotWrite:
      return SlotWrite(in);
    case Request::kSlotCheck:
      return SlotCheck(in, out);
    case Request::kLoad:
      return Load(in, out);
    case Request::kTensor:
      return Tensor(in, out);
    case Request::kOps:
      return Ops(in, out);
    case Request::kInputWrite:
      return InputWrite(in);
    case Request::kRun:
      if (ran_ && header.seq == run_seq_) return Refuse(Code::kBusy, "this run was made, and its reply is gone");
      ran_ = true;
      run_seq_ = header.seq;
      return Run(in, out);
    case Request::kOutputRead:
      return OutputRead(in, out);
    case Request::kChecksums:
      return Results(false, in, out);
    case Request::kProfile:
      return Results(true, in, out);
    case Request::kMemory:
      return Memory(in, out);
    case Request::kPaths:
      return Paths(in, out);
    case Request::kReset:
      return in.AtEnd() ? Error{} : WrongLength();
    default:
      return Refuse(Code::kUnknownRequest, "no such request", 0, header.type);
  }
}

Error Requests::Open(const Header& header, PayloadReader& in) {
  if (!in.AtEnd()) return WrongLength();
  if (header.session == 0) return Refuse(Code::kBadRequest, "0 is no session");
  if (session_ != header.session) ran_ = false;
  session_ = header.session;
  return {};
}

Error Requests::Info(PayloadReader& in, PayloadWriter& out, uint32_t damaged_frames) const {
  if (!in.AtEnd()) return WrongLength();
  for (uint32_t i = 0; i < kInfoLines; ++i) {
    LineWriter line;
    AppendInfo(i, session_, damaged_frames, line);
    out.Put(line.text(), line.size());
    out.U8('\n');
  }
  return {};
}

Error Requests::SlotWrite(PayloadReader& in) {
  const uint32_t offset = in.U32();
  const uint32_t size = in.left();
  const uint8_t* data = in.Bytes(size);
  if (!in.AtEnd()) return WrongLength();
  const Error error = WriteSlot(offset, data, size);
  if (error.ok()) runner_.Unload();
  return error;
}

Error Requests::SlotCheck(PayloadReader& in, PayloadWriter& out) const {
  if (!in.AtEnd()) return WrongLength();
  ModelBytes model;
  const Error error = FindModel(&model);
  if (!error.ok()) return error;
  out.U32(model.size);
  out.U32(model.crc);
  if (model.sha256 != nullptr) out.Put(model.sha256, kSha256Bytes);
  return {};
}

Error Requests::Load(PayloadReader& in, PayloadWriter& out) {
  const uint32_t arena_limit = in.U32();
  if (!in.AtEnd()) return WrongLength();
  const Error error = runner_.Load(arena_limit);
  if (!error.ok()) return error;
  const Engine& engine = TheEngine();
  out.U32(runner_.arena_used());
  out.U32(runner_.arena_bytes());
  out.U32(engine.OpCount());
  out.U32(engine.InputCount());
  out.U32(engine.OutputCount());
  out.U32(runner_.model().size);
  out.U32(runner_.model().crc);
  return {};
}

Error Requests::Tensor(PayloadReader& in, PayloadWriter& out) const {
  const bool output = in.U8() != 0;
  const uint32_t index = in.U32();
  if (!in.AtEnd()) return WrongLength();
  TensorInfo tensor;
  const Error error = runner_.FindTensor(output, index, &tensor);
  if (!error.ok()) return error;
  uint32_t scale_bits;
  memcpy(&scale_bits, &tensor.scale, sizeof(scale_bits));
  out.U8(static_cast<uint8_t>(tensor.type));
  out.U8(tensor.rank);
  out.U16(0);
  out.U32(scale_bits);
  out.U32(static_cast<uint32_t>(tensor.zero_point));
  out.U32(tensor.bytes);
  out.U32(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(tensor.data)));
  for (uint32_t i = 0; i < tensor.rank; ++i) out.U32(static_cast<uint32_t>(tensor.dims[i]));
  return {};
}

// As many names as fit, the longest only as far as it fits alone.
Error Requests::Ops(PayloadReader& in, PayloadWriter& out) const {
  const uint32_t first = in.U32();
  if (!in.AtEnd()) return WrongLength();
  if (!runner_.loaded()) return Refuse(Code::kNoModel, "no model is loaded");
  const Engine& engine = TheEngine();
  const uint32_t total = engine.OpCount();
  if (first > total) return Refuse(Code::kBadIndex, "no such operator", total, first);
  out.U32(total);
  out.U32(0);
  uint32_t count = 0;
  for (; first + count < total; ++count) {
    const char* name = engine.OpName(first + count);
    uint32_t length = static_cast<uint32_t>(strlen(name));
    if (length + 1 > out.left()) {
      if (count != 0) break;
      length = out.left() - 1;
    }
    out.Put(name, length);
    out.U8(0);
  }
  out.ReplaceU32(4, count);
  return {};
}

// As many operators as fit: whose kernel each is, and in how many runs since LOAD it computed.
Error Requests::Paths(PayloadReader& in, PayloadWriter& out) const {
  const uint32_t first = in.U32();
  if (!in.AtEnd()) return WrongLength();
  if (!runner_.loaded()) return Refuse(Code::kNoModel, "no model is loaded");
  const Engine& engine = TheEngine();
  const uint32_t total = engine.OpCount();
  if (first > total) return Refuse(Code::kBadIndex, "no such operator", total, first);
  out.U32(total);
  out.U32(0);
  uint32_t count = 0;
  for (; first + count < total; ++count) {
    const char* path = engine.OpPath(first + count);
    const uint32_t length = static_cast<uint32_t>(strlen(path));
    if (length + 5 > out.left()) break;
    out.U32(engine.OpPathRuns(first + count));
    out.Put(path, length);
    out.U8(0);
  }
  out.ReplaceU32(4, count);
  return {};
}

Error Requests::InputWrite(PayloadReader& in) {
  const uint32_t index = in.U32();
  const uint32_t offset = in.U32();
  const uint32_t size = in.left();
  const uint8_t* data = in.Bytes(size);
  return in.AtEnd() ? runner_.WriteInput(index, offset, data, size) : WrongLength();
}

// Everything that is asked for and fits comes in the reply; what does not can be read afterwards.
Error Requests::Run(PayloadReader& in, PayloadWriter& out) {
  const uint32_t asked = in.U32();
  if (!runner_.loaded()) return Refuse(Code::kNoModel, "no model is loaded");
  const Engine& engine = TheEngine();
  const uint32_t input_count = engine.InputCount();
  const uint8_t* crcs = input_count <= kMaxPayload / 4 ? in.Bytes(4 * input_count) : nullptr;
  if (crcs == nullptr) return WrongLength();
  if ((asked & kRunInput) != 0) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < input_count; ++i) {
      const uint32_t bytes = engine.Input(i).bytes;
      if (bytes > in.left() - total) return WrongLength();
      total += bytes;
    }
    if (total != in.left()) return WrongLength();
    for (uint32_t i = 0; i < input_count; ++i) {
      const uint32_t bytes = engine.Input(i).bytes;
      const Error error = runner_.WriteInput(i, 0, in.Bytes(bytes), bytes);
      if (!error.ok()) return error;
    }
  }
  if (!in.AtEnd()) return WrongLength();

  ModelRunner::Run run;
  run.checksums = (asked & kRunChecksums) != 0;
  run.profile = (asked & kRunProfile) != 0;
  run.input_crcs = crcs;
  const Error error = runner_.RunOnce(run);
  if (!error.ok()) return error;

  const uint32_t output_count = engine.OutputCount();
  uint32_t output_bytes = 0;
  uint32_t here = runner_.has_ticks() ? kRunTicks : 0;
  out.U32(0);
  out.U64(runner_.has_ticks() ? runner_.milliticks() : 0);
  for (uint32_t i = 0; i < output_count; ++i) {
    const TensorInfo tensor = engine.Output(i);
    out.U32(Crc32(0, tensor.data, tensor.bytes));
    output_bytes += Less(tensor.bytes, kMaxPayload + 1);
    output_bytes = Less(output_bytes, kMaxPayload + 1);
  }
  if ((asked & kRunOutput) != 0 && output_bytes <= out.left()) {
    for (uint32_t i = 0; i < output_count; ++i) {
      const TensorInfo tensor = engine.Output(i);
      out.Put(tensor.data, tensor.bytes);
    }
    here |= kRunOutput;
  }
  const uint32_t op_count = engine.OpCount();
  if (run.checksums && op_count <= out.left() / 8) {
    AppendResults(false, 0, op_count, out);
    here |= kRunChecksums;
  }
  if (run.profile && op_count <= out.left() / 8) {
    AppendResults(true, 0, op_count, out);
    here |= kRunProfile;
  }
  out.ReplaceU32(0, here);
  return {};
}

Error Requests::OutputRead(PayloadReader& in, PayloadWriter& out) const {
  const uint32_t index = in.U32();
  const uint32_t offset = in.U32();
  const uint32_t size = in.U32();
  if (!in.AtEnd()) return WrongLength();
  const uint8_t* data = nullptr;
  const Error error = runner_.ReadOutput(index, offset, size, &data);
  if (error.ok()) out.Put(data, size);
  return error;
}

void Requests::AppendResults(bool profile, uint32_t first, uint32_t count, PayloadWriter& out) const {
  for (uint32_t op = first; op < first + count; ++op) {
    const ModelRunner::OpResult& result = runner_.result(op);
    if (profile) {
      out.U64(result.milliticks);
    } else {
      out.U32(result.read_crc);
      out.U32(result.wrote_crc);
    }
  }
}

Error Requests::Results(bool profile, PayloadReader& in, PayloadWriter& out) const {
  const uint32_t first = in.U32();
  if (!in.AtEnd()) return WrongLength();
  if (!(profile ? runner_.has_profile() : runner_.has_checksums())) {
    return Refuse(Code::kBadRequest, "the last run did not take them");
  }
  const uint32_t total = TheEngine().OpCount();
  if (first > total) return Refuse(Code::kBadIndex, "no such operator", total, first);
  out.U32(total);
  const uint32_t count = Less(total - first, out.left() / 8);
  AppendResults(profile, first, count, out);
  return {};
}

Error Requests::Memory(PayloadReader& in, PayloadWriter& out) const {
  if (!in.AtEnd()) return WrongLength();
  out.U32(runner_.arena_used());
  out.U32(runner_.arena_bytes());
  out.U32(port::StackPeakBytes());
  out.U32(port::StackBytes());
  return {};
}

}  // namespace tinyhil
