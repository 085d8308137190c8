// SPDX-License-Identifier: Apache-2.0
#include "app/text_commands.h"

#include <string.h>

#include "app/error_text.h"
#include "app/info.h"
#include "link/crc32.h"
#include "link/payload.h"
#include "ports/port.h"

namespace tinyhil {
namespace {

constexpr uint32_t kInputBytesPerLine = 96;  // of "hil input", so that the command fits a line
constexpr uint32_t kOutputBytesPerLine = 32;
constexpr uint32_t kMaxInputs = 16;  // of "hil run"

const char* TypeName(TensorType type) {
  switch (type) {
    case TensorType::kFloat32:
      return "float32";
    case TensorType::kInt32:
      return "int32";
    case TensorType::kUint8:
      return "uint8";
    case TensorType::kInt64:
      return "int64";
    case TensorType::kBool:
      return "bool";
    case TensorType::kInt16:
      return "int16";
    case TensorType::kInt8:
      return "int8";
    case TensorType::kResource:
      return "resource";
  }
  return "unknown";
}

}  // namespace

const TextCommands::Command TextCommands::kCommands[] = {
    {"hil", &TextCommands::Hil},         {"name", &TextCommands::Name},
    {"profile", &TextCommands::Profile}, {"timestamp", &TextCommands::Timestamp},
    {"db", &TextCommands::Db},           {"infer", &TextCommands::Infer},
    {"results", &TextCommands::Results},
};

const TextCommands::HilCommand TextCommands::kHilCommands[] = {
    {"help", ": these lines", &TextCommands::Help},
    {"info", ": board, image, memory", &TextCommands::Info},
    {"slot", ": verifies the model slot", &TextCommands::Slot},
    {"load", " [ARENA-BYTES]: loads the model; its inputs and outputs", &TextCommands::Load},
    {"input", " INDEX OFFSET HEX: writes up to 96 bytes of an input", &TextCommands::Input},
    {"run", " CRC|?... [checksums] [profile] [keep-state]: one inference; a CRC-32 for each input, ? takes it as it is",
     &TextCommands::Run},
    {"output", " INDEX OFFSET BYTES: reads an output", &TextCommands::Output},
    {"ops", ": the operators, and what the last run found of each", &TextCommands::Ops},
    {"mem", ": arena and stack", &TextCommands::Memory},
    {"reset", ": starts anew", &TextCommands::Reset},
};

void TextCommands::Plain(const char* text) {
  LineWriter line;
  line.Text(text).Write(write_);
}

void TextCommands::Banner() {
  Plain("m-timestamp-mode-performance");
  Plain("m-lap-us-0");
  Plain("m-init-done");
  Plain("m-ready");
}

void TextCommands::RefuseUnreadable() {
  Plain("e-[Unreadable command]");
  Plain("m-ready");
}

void TextCommands::Execute(char* line, uint32_t session, uint32_t damaged_frames) {
  session_ = session;
  damaged_frames_ = damaged_frames;
  size_t length = 0;
  while (line[length] != '\0' && line[length] != ' ') ++length;
  bool known = false;
  for (const Command& command : kCommands) {
    if (strlen(command.name) != length || memcmp(line, command.name, length) != 0) continue;
    known = true;
    (this->*command.execute)(line);
  }
  if (!known) {
    line[length] = '\0';
    LineWriter reply;
    reply.Text("e-[Unknown command: ").Text(line).Text("]").Write(write_);
  }
  Plain("m-ready");
}

void TextCommands::Db(char* line) {
  Words words(line);
  words.Next();
  mlperf_.Db(words);
}

void TextCommands::Infer(char* line) {
  Words words(line);
  words.Next();
  mlperf_.Infer(words);
}

void TextCommands::Hil(char* line) {
  switch (TakeChecksum(line)) {
    case Checksum::kMissing:
      return Refuse(Code::kBadRequest, "the line needs its CRC-32 at the end, or *? to go without");
    case Checksum::kWrong:
      return Refuse(Code::kBadRequest, "wrong checksum: the line was damaged on its way");
    case Checksum::kRight:
    case Checksum::kWaived:
      break;
  }
  Words words(line);
  words.Next();
  const char* name = words.Next();
  for (const HilCommand& command : kHilCommands) {
    if (name != nullptr && strcmp(command.name, name) == 0) return (this->*command.execute)(words);
  }
  Refuse(Code::kUnknownRequest, "no such command; try: hil help *?");
}

bool TextCommands::End(Words& words) {
  if (words.Next() == nullptr) return true;
  Refuse(Code::kBadRequest, "too many words");
  return false;
}

void TextCommands::Refuse(Code code, const char* detail) {
  Error error;
  error.code = code;
  error.detail = detail;
  Report(error);
}

void TextCommands::Report(const Error& error) {
  LineWriter line;
  line.Text("hil error code=").Number(uint32_t{static_cast<uint8_t>(error.code)});
  if (error.depth != 0) {
    line.Text(" path=");
    AppendPath(error, line);
  }
  if (error.want != 0 || error.got != 0) {
    line.Text(error.want_is_minimum ? " want-at-least=" : " want=").Number(error.want).Text(" got=").Number(error.got);
  }
  if (error.detail != nullptr) line.Text(" detail=").Text(error.detail);
  line.WriteChecked(write_);
}

void TextCommands::Help(Words& words) {
  if (!End(words)) return;
  for (const HilCommand& command : kHilCommands) {
    LineWriter line;
    line.Text("hil help ").Text(command.name).Text(command.usage).WriteChecked(write_);
  }
}

void TextCommands::Info(Words& words) {
  if (!End(words)) return;
  for (uint32_t i = 0; i < kInfoLines; ++i) {
    LineWriter line;
    line.Text("hil info ");
    AppendInfo(i, session_, damaged_frames_, line);
    line.WriteChecked(write_);
  }
}

void TextCommands::Slot(Words& words) {
  if (!End(words)) return;
  ModelBytes model;
  const Error error = FindModel(&model);
  if (!error.ok()) return Report(error);
  LineWriter line;
  line.Text("hil slot bytes=").Number(model.size).Text(" crc=").Hex8(model.crc).WriteChecked(write_);
}

void TextCommands::Tensors(bool output) {
  const Engine& engine = TheEngine();
  const uint32_t count = output ? engine.OutputCount() : engine.InputCount();
  for (uint32_t i = 0; i < count; ++i) {
    const TensorInfo tensor = output ? engine.Output(i) : engine.Input(i);
    uint32_t scale_bits;
    memcpy(&scale_bits, &tensor.scale, sizeof(scale_bits));
    LineWriter line;
    line.Text(output ? "hil output index=" : "hil input index=").Number(i).Text(" type=").Text(TypeName(tensor.type));
    line.Text(" shape=");
    for (uint32_t d = 0; d < tensor.rank; ++d) line.Text(d != 0 ? "x" : "").Signed(tensor.dims[d]);
    line.Text(" scale-bits=").Hex8(scale_bits).Text(" zero-point=").Signed(tensor.zero_point);
    line.Text(" bytes=").Number(tensor.bytes).WriteChecked(write_);
  }
}

void TextCommands::Load(Words& words) {
  uint32_t limit = 0;
  const char* word = words.Next();
  if (word != nullptr && !ParseNumber(word, &limit)) return Refuse(Code::kBadRequest, "ARENA-BYTES is no number");
  if (!End(words)) return;
  const Error error = runner_.Load(limit);
  if (!error.ok()) return Report(error);
  LineWriter line;
  line.Text("hil load arena-used=").Number(runner_.arena_used());
  line.Text(" arena-bytes=").Number(runner_.arena_bytes()).Text(" ops=").Number(TheEngine().OpCount());
  line.Text(" model-crc=").Hex8(runner_.model().crc).WriteChecked(write_);
  Tensors(false);
  Tensors(true);
}

void TextCommands::Input(Words& words) {
  uint32_t index;
  uint32_t offset;
  const char* index_word = words.Next();
  const char* offset_word = words.Next();
  char* hex = const_cast<char*>(words.Next());
  if (hex == nullptr || !ParseNumber(index_word, &index) || !ParseNumber(offset_word, &offset)) {
    return Refuse(Code::kBadRequest, "hil input INDEX OFFSET HEX");
  }
  if (!End(words)) return;
  uint8_t* bytes = reinterpret_cast<uint8_t*>(hex);  // two digits become one byte in place
  uint32_t size;
  if (!ParseBytes(hex, bytes, kInputBytesPerLine, &size))
    return Refuse(Code::kBadRequest, "HEX is not pairs of digits");
  const Error error = runner_.WriteInput(index, offset, bytes, size);
  if (!error.ok()) return Report(error);
  LineWriter line;
  line.Text("hil input bytes=").Number(size).WriteChecked(write_);
}

void TextCommands::Run(Words& words) {
  if (!runner_.loaded()) return Refuse(Code::kNoModel, "no model is loaded; try: hil load *?");
  const Engine& engine = TheEngine();
  const uint32_t inputs = engine.InputCount();
  if (inputs > kMaxInputs) return Refuse(Code::kBadRequest, "a model with so many inputs runs over frames only");
  uint8_t crcs[4 * kMaxInputs];
  ModelRunner::Run run;
  run.input_crcs = crcs;
  uint32_t given = 0;
  for (const char* word = words.Next(); word != nullptr; word = words.Next()) {
    uint32_t crc = 0;
    if (strcmp(word, "checksums") == 0) {
      run.checksums = true;
    } else if (strcmp(word, "profile") == 0) {
      run.profile = true;
    } else if (strcmp(word, "keep-state") == 0) {
      run.keep_state = true;
    } else if (given == inputs) {
      return Refuse(Code::kBadRequest, "more checksums than inputs");
    } else {
      const TensorInfo tensor = engine.Input(given);
      const bool as_it_is = strcmp(word, "?") == 0;
      if (as_it_is) crc = Crc32(0, tensor.data, tensor.bytes);
      if (!as_it_is && !ParseCrc(word, &crc)) return Refuse(Code::kBadRequest, "a checksum has eight digits, or is ?");
      StoreU32(crcs + 4 * given++, crc);
    }
  }
  if (given != inputs) return Refuse(Code::kBadRequest, "each input needs its CRC-32, or ?");
  const Error error = runner_.RunOnce(run);
  if (!error.ok()) return Report(error);
  LineWriter done;
  done.Text("hil run");
  for (uint32_t i = 0; i < inputs; ++i) done.Text(" input-crc=").Hex8(FetchU32(crcs + 4 * i));
  if (runner_.has_ticks()) done.Text(" milliticks=").Number(runner_.milliticks());
  done.WriteChecked(write_);
  for (uint32_t i = 0; i < engine.OutputCount(); ++i) {
    const TensorInfo tensor = engine.Output(i);
    LineWriter line;
    line.Text("hil run output=").Number(i).Text(" bytes=").Number(tensor.bytes);
    line.Text(" crc=").Hex8(Crc32(0, tensor.data, tensor.bytes)).WriteChecked(write_);
  }
}

void TextCommands::Output(Words& words) {
  uint32_t index;
  uint32_t offset;
  uint32_t size;
  const char* index_word = words.Next();
  const char* offset_word = words.Next();
  const char* size_word = words.Next();
  if (size_word == nullptr || !ParseNumber(index_word, &index) || !ParseNumber(offset_word, &offset) ||
      !ParseNumber(size_word, &size)) {
    return Refuse(Code::kBadRequest, "hil output INDEX OFFSET BYTES");
  }
  if (!End(words)) return;
  const uint8_t* data = nullptr;
  const Error error = runner_.ReadOutput(index, offset, size, &data);
  if (!error.ok()) return Report(error);
  for (uint32_t at = 0; at < size; at += kOutputBytesPerLine) {
    LineWriter line;
    line.Text("hil output offset=").Number(offset + at).Text(" hex=");
    for (uint32_t i = at; i < size && i < at + kOutputBytesPerLine; ++i) line.HexByte(data[i]);
    line.WriteChecked(write_);
  }
}

void TextCommands::Ops(Words& words) {
  if (!End(words)) return;
  if (!runner_.loaded()) return Refuse(Code::kNoModel, "no model is loaded; try: hil load *?");
  const Engine& engine = TheEngine();
  for (uint32_t op = 0; op < engine.OpCount(); ++op) {
    LineWriter line;
    line.Text("hil op ").Number(op).Character(' ').Text(engine.OpName(op));
    if (engine.OpPath(op)[0] != '\0') {
      line.Text(" path=").Text(engine.OpPath(op)).Text(" runs=").Number(engine.OpPathRuns(op));
    }
    if (runner_.has_checksums()) {
      line.Text(" read=").Hex8(runner_.result(op).read_crc).Text(" wrote=").Hex8(runner_.result(op).wrote_crc);
    }
    if (runner_.has_profile()) line.Text(" milliticks=").Number(runner_.result(op).milliticks);
    line.WriteChecked(write_);
  }
}

void TextCommands::Memory(Words& words) {
  if (!End(words)) return;
  LineWriter line;
  line.Text("hil mem arena-used=").Number(runner_.arena_used()).Text(" arena-bytes=").Number(runner_.arena_bytes());
  line.Text(" stack-peak=").Number(port::StackPeakBytes()).Text(" stack-bytes=").Number(port::StackBytes());
  line.WriteChecked(write_);
}

void TextCommands::Reset(Words& words) {
  if (End(words)) port::Reset();
}

}  // namespace tinyhil
