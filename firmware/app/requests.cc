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

constexpr uint32_t kNever = 0xFFFFFFFF;  // a moment that no run has

// Nothing that would change the model or the run under the operator that is about to go on.
bool AllowedWhileStopped(Request request) {
  switch (request) {
    case Request::kOpen:
    case Request::kInfo:
    case Request::kTensor:
    case Request::kOps:
    case Request::kMemory:
    case Request::kReset:
    case Request::kBreak:
    case Request::kStep:
    case Request::kOpTensor:
    case Request::kOpRead:
    case Request::kOpWrite:
      return true;
    default:
      return false;
  }
}

}  // namespace

// Stops the run where the host wants to look.
class Requests::Stops final : public OpHook {
 public:
  explicit Stops(Requests& requests) : requests_(requests) {}
  void Begin(uint32_t op) override { requests_.Reach(2 * op); }
  void End(uint32_t op) override { requests_.Reach(2 * op + 1); }

 private:
  Requests& requests_;
};

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
  answered_ = false;
  Header answered_to = header;
  Error error = Handle(header, in, out, damaged_frames);
  if (answered_) {
    answered_ = false;
    return;
  }
  if (owed_ && !stopped_) {  // a run that could be stopped is over: its last STEP has waited for that
    answered_to = owed_to_;
    owed_ = false;
  }
  if (error.ok() && !out.ok()) error = Refuse(Code::kBadRange, "the reply would not fit a frame", kMaxPayload);
  if (!error.ok()) {
    out = PayloadWriter(reply_ + kHeaderBytes, kMaxPayload);
    AppendError(error, out);
  }
  reply_is_of_run_ = run;
  Send(answered_to, static_cast<uint8_t>(error.code), out.size());
  if (!error.ok()) return;
  if (answered_to.type == static_cast<uint8_t>(Request::kReset)) port::Reset();
  if (answered_to.type == static_cast<uint8_t>(Request::kBaud)) port::SetBaud(new_baud_);
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
  if (stopped_ && !AllowedWhileStopped(request)) {
    return Refuse(Code::kBadRequest, "a run is stopped at an operator: STEP to its end first");
  }
  switch (request) {
    case Request::kInfo:
      return Info(in, out, damaged_frames);
    case Request::kSlotWrite:
      return SlotWrite(in);
    case Request::kSlotCheck:
      return SlotCheck(in, out);
    case Request::kSlotCrc:
      return SlotCrc(in, out);
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
    case Request::kBaud:
      return Baud(in);
    case Request::kEcho:
      return Echo(in, out);
    case Request::kReset:
      return in.AtEnd() ? Error{} : WrongLength();
    case Request::kBreak:
      return Break(header, in, out);
    case Request::kStep:
      return Step(header, in, out);
    case Request::kOpTensor:
      return OpTensor(in, out);
    case Request::kOpRead:
      return OpRead(in, out);
    case Request::kOpWrite:
      return OpWrite(in);
    default:
      return Refuse(Code::kUnknownRequest, "no such request", 0, header.type);
  }
}

Error Requests::Open(const Header& header, PayloadReader& in) {
  if (!in.AtEnd()) return WrongLength();
  if (header.session == 0) return Refuse(Code::kBadRequest, "0 is no session");
  if (session_ != header.session) {
    ran_ = false;
    // Whoever stopped a run is gone: let it go.
    owed_ = false;
    wanted_ = kNever;
  }
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
  if (model.sha256 == nullptr) return {};
  out.Put(model.sha256, kSha256Bytes);
  out.U32(model.benchmark);
  return {};
}

// Of what lies there, whole or not: where a transfer was cut short, the host sees how much of it is left.
Error Requests::SlotCrc(PayloadReader& in, PayloadWriter& out) const {
  const uint32_t offset = in.U32();
  const uint32_t size = in.U32();
  if (!in.AtEnd()) return WrongLength();
  const port::Region slot = port::ModelSlot();
  if (offset > slot.bytes || size > slot.bytes - offset) {
    return Refuse(Code::kBadRange, "outside the slot", slot.bytes, offset);
  }
  out.U32(Crc32(0, slot.base + offset, size));
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
  run.keep_state = (asked & kRunKeepState) != 0;
  run.input_crcs = crcs;
  if ((asked & kRunProgress) != 0) {
    run.progress = SendProgress;
    run.progress_of = this;
  }
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

Error Requests::Baud(PayloadReader& in) {
  new_baud_ = in.U32();
  if (!in.AtEnd()) return WrongLength();
  if (new_baud_ != 0 && !port::CanBaud(new_baud_)) {
    return Refuse(Code::kBadRequest, "the UART cannot be set to this rate", 0, new_baud_);
  }
  return {};
}

Error Requests::Echo(PayloadReader& in, PayloadWriter& out) const {
  const uint32_t size = in.left();
  out.Put(in.Bytes(size), size);
  return {};
}

// Numbered as the RUN is.
void Requests::SendProgress(void* requests, uint32_t op) {
  Requests& self = *static_cast<Requests*>(requests);
  self.SendUnasked(Request::kProgress, self.run_seq_, op);
}

void Requests::ReportDamaged(uint32_t damaged_frames) {
  if (session_ != 0) SendUnasked(Request::kDamaged, 0, damaged_frames);
}

// A frame of its own: the reply's place still holds the reply before.
void Requests::SendUnasked(Request type, uint16_t seq, uint32_t number) {
  uint8_t frame[kHeaderBytes + 8];
  frame[0] = static_cast<uint8_t>(type) | kReply;
  frame[1] = 0;
  StoreU16(frame + 2, seq);
  StoreU32(frame + 4, session_);
  StoreU32(frame + 8, number);
  StoreU32(frame + 12, Crc32(0, frame, 12));
  encoder_.WriteFrame(frame, sizeof(frame));
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
  out.U64(runner_.set_up_milliticks());
  return {};
}

// u32 op, u8 0 before or 1 after it; the number of operators: the end of the run.
Error Requests::ReadMoment(PayloadReader& in, Moment* moment) const {
  const uint32_t op = in.U32();
  const uint32_t after = in.U8();
  if (!in.ok()) return WrongLength();
  if (!runner_.loaded()) return Refuse(Code::kNoModel, "no model is loaded");
  const uint32_t count = TheEngine().OpCount();
  if (op > count) return Refuse(Code::kBadIndex, "no such operator", count, op);
  if (after > 1) return Refuse(Code::kBadRequest, "before is 0, after is 1", 1, after);
  *moment = op == count ? 2 * count : 2 * op + after;
  return {};
}

void Requests::AppendMoment(Moment moment, PayloadWriter& out) {
  out.U32(moment / 2);
  out.U8(moment % 2);
}

// An inference that stops, and that STEP takes on. It is answered when it first stops. Again while it is stopped, it
// only tells where: so it may be sent twice.
Error Requests::Break(const Header& header, PayloadReader& in, PayloadWriter& out) {
  Moment moment = 0;
  Error error = ReadMoment(in, &moment);
  if (!error.ok()) return error;
  const uint32_t input_count = TheEngine().InputCount();
  const uint8_t* crcs = input_count <= kMaxPayload / 4 ? in.Bytes(4 * input_count) : nullptr;
  if (crcs == nullptr || !in.AtEnd()) return WrongLength();
  if (stopped_) {
    AppendMoment(at_, out);
    return {};
  }
  Stops stops(*this);
  wanted_ = moment;
  owed_to_ = header;
  owed_ = true;
  error = runner_.RunStopping(crcs, stops);
  if (!owed_) answered_ = true;  // the session that asked is over
  AppendMoment(2 * TheEngine().OpCount(), out);
  return error;
}

// Goes on to a later moment, and answers there. Where that is over already, it only tells where the run is.
Error Requests::Step(const Header& header, PayloadReader& in, PayloadWriter& out) {
  Moment moment = 0;
  const Error error = ReadMoment(in, &moment);
  if (!error.ok()) return error;
  if (!in.AtEnd()) return WrongLength();
  if (!stopped_ || moment <= at_) {
    AppendMoment(stopped_ ? at_ : 2 * TheEngine().OpCount(), out);
    return {};
  }
  wanted_ = moment;
  owed_to_ = header;
  owed_ = true;
  answered_ = true;
  return {};
}

// Within the run: where the host wants to look, it is answered, and then everything that it asks, until it wants to
// go on. Whatever lies in reply_ and in the receiver is over by then.
void Requests::Reach(Moment moment) {
  if (moment < wanted_) return;
  at_ = moment;
  stopped_ = true;
  if (owed_) {
    PayloadWriter out(reply_ + kHeaderBytes, kMaxPayload);
    AppendMoment(moment, out);
    owed_ = false;
    reply_is_of_run_ = false;
    Send(owed_to_, 0, out.size());
  }
  while (wanted_ <= at_) serve_();
  stopped_ = false;
}

Error Requests::OpTensor(PayloadReader& in, PayloadWriter& out) const {
  const uint32_t op = in.U32();
  const Access access = in.U8() == 0 ? Access::kRead : Access::kWritten;
  const uint32_t k = in.U32();
  if (!in.AtEnd()) return WrongLength();
  Bytes bytes;
  const Error error = runner_.FindOpTensor(op, access, k, &bytes);
  if (!error.ok()) return error;
  out.U32(bytes.size);
  out.U32(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(bytes.data)));
  return {};
}

Error Requests::OpRead(PayloadReader& in, PayloadWriter& out) const {
  const uint32_t op = in.U32();
  const Access access = in.U8() == 0 ? Access::kRead : Access::kWritten;
  const uint32_t k = in.U32();
  const uint32_t offset = in.U32();
  const uint32_t size = in.U32();
  if (!in.AtEnd()) return WrongLength();
  Bytes bytes;
  const Error error = runner_.FindOpTensor(op, access, k, &bytes);
  if (!error.ok()) return error;
  if (offset > bytes.size || size > bytes.size - offset) {
    return Refuse(Code::kBadRange, "outside the tensor", bytes.size, offset);
  }
  out.Put(static_cast<const uint8_t*>(bytes.data) + offset, size);
  return {};
}

// Of what an operator reads only: between the moment before it and the operator itself.
Error Requests::OpWrite(PayloadReader& in) {
  const uint32_t op = in.U32();
  const uint32_t k = in.U32();
  const uint32_t offset = in.U32();
  const uint32_t size = in.left();
  const uint8_t* data = in.Bytes(size);
  if (!in.AtEnd()) return WrongLength();
  Bytes bytes;
  const Error error = runner_.FindOpTensor(op, Access::kRead, k, &bytes);
  if (!error.ok()) return error;
  if (offset > bytes.size || size > bytes.size - offset) {
    return Refuse(Code::kBadRange, "outside the tensor", bytes.size, offset);
  }
  if (size != 0) memcpy(static_cast<uint8_t*>(const_cast<void*>(bytes.data)) + offset, data, size);
  return {};
}

}  // namespace tinyhil
