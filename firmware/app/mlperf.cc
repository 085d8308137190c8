// SPDX-License-Identifier: Apache-2.0
#include "app/mlperf.h"

#include <string.h>

#include "engine/engine.h"
#include "ports/port.h"

namespace tinyhil {
namespace {

constexpr const char* kBenchmarks[] = {"none", "kws01", "ic01", "vww01", "ad01"};
constexpr uint32_t kDefaultWarmUps = 10;
constexpr uint32_t kBytesPerLine = 8;
constexpr uint32_t kAlignment = 16;
constexpr uint32_t kResultsPerLine = 8;

// As C's atoi: what is no number is 0.
int32_t Number(const char* text) {
  const bool negative = *text == '-';
  if (*text == '-' || *text == '+') ++text;
  int32_t value = 0;
  for (; *text >= '0' && *text <= '9' && value < 100000000; ++text) value = 10 * value + (*text - '0');
  return negative ? -value : value;
}

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

float FetchFloat(const uint8_t* at) {
  float value;
  memcpy(&value, at, sizeof(value));
  return value;
}

// To the nearest, halves away from zero.
int8_t Quantize(float value, const TensorInfo& tensor) {
  const float scaled = value / tensor.scale;
  const float zero_point = static_cast<float>(tensor.zero_point);
  if (scaled + zero_point > 127.0f) return 127;
  if (scaled + zero_point < -128.0f) return -128;
  const int32_t nearest = static_cast<int32_t>(scaled < 0 ? scaled - 0.5f : scaled + 0.5f) + tensor.zero_point;
  return static_cast<int8_t>(nearest > 127 ? 127 : nearest < -128 ? -128 : nearest);
}

uint32_t Elements(const TensorInfo& tensor) {
  return tensor.type == TensorType::kFloat32 ? tensor.bytes / 4 : tensor.bytes;
}

float Value(const TensorInfo& tensor, uint32_t index) {
  const uint8_t* data = static_cast<const uint8_t*>(tensor.data);
  if (tensor.type == TensorType::kFloat32) return FetchFloat(data + 4 * index);
  const int32_t quantized = tensor.type == TensorType::kUint8 ? data[index] : static_cast<int8_t>(data[index]);
  return static_cast<float>(quantized - tensor.zero_point) * tensor.scale;
}

}  // namespace

void AppendThousandths(float value, LineWriter& line) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  const uint32_t exponent = (bits >> 23) & 0xFF;
  uint64_t scaled = static_cast<uint64_t>((bits & 0x7FFFFF) | (exponent != 0 ? 0x800000u : 0u)) * 1000;
  const int32_t shift = static_cast<int32_t>(exponent != 0 ? exponent : 1) - 150;
  if (shift >= 0) {
    scaled = shift < 24 ? scaled << shift : UINT64_MAX;
  } else if (shift <= -60) {
    scaled = 0;
  } else {
    const uint64_t rest = scaled & ((uint64_t{1} << -shift) - 1);
    const uint64_t half = uint64_t{1} << (-shift - 1);
    scaled >>= -shift;
    if (rest > half || (rest == half && (scaled & 1) != 0)) ++scaled;
  }
  if ((bits >> 31) != 0) line.Character('-');
  const uint32_t fraction = static_cast<uint32_t>(scaled % 1000);
  line.Number(scaled / 1000).Character('.');
  line.Character(static_cast<char>('0' + fraction / 100)).Character(static_cast<char>('0' + fraction / 10 % 10));
  line.Character(static_cast<char>('0' + fraction % 10));
}

void MlPerf::Plain(const char* text) {
  LineWriter line;
  line.Text(text).Write(write_);
}

MlPerf::Benchmark MlPerf::Declared() const {
  ModelBytes model;
  if (!FindModel(&model).ok() || model.benchmark >= static_cast<uint32_t>(Benchmark::kCount)) return Benchmark::kNone;
  return static_cast<Benchmark>(model.benchmark);
}

void MlPerf::Name() { Plain("m-name-dut-[tinyhil]"); }

void MlPerf::Profile() {
  Plain("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
  LineWriter line;
  line.Text("m-model-[").Text(kBenchmarks[static_cast<uint32_t>(Declared())]).Text("]").Write(write_);
}

void MlPerf::Lap(uint64_t ticks) {
  const uint32_t hz = port::CounterHz();
  const uint64_t us = hz != 0 ? base_us_ + ticks * 1000000 / hz : port::Microseconds();
  LineWriter line;
  line.Text("m-lap-us-").Number(us).Write(write_);
}

void MlPerf::Timestamp() { Lap(port::CounterTicks()); }

void MlPerf::Db(Words& words) {
  const char* word = words.Next();
  if (word == nullptr) {
    Plain("e-[Command 'db' requires a subcommand]");
  } else if (strcmp(word, "load") == 0) {
    DbLoad(words.Next());
  } else if (strcmp(word, "print") == 0) {
    DbPrint();
  } else {
    DbBytes(word);
  }
}

// The model is planned anew, so that the end of the arena is free for the input.
void MlPerf::DbLoad(const char* count) {
  if (count == nullptr) return Plain("e-[Command 'db load' requires the # of bytes]");
  const int32_t bytes = Number(count);
  if (bytes <= 0) return Plain("e-[Command 'db load' must be >0 bytes]");
  const uint32_t room = (static_cast<uint32_t>(bytes) + kAlignment - 1) & ~(kAlignment - 1);
  const port::Region arena = port::Arena();
  const bool reserved = Kept() && runner_.loaded() && input_bytes_ == static_cast<uint32_t>(bytes);
  if (!reserved) {
    input_ = nullptr;
    const Error error = runner_.Load(0, room);
    if (!error.ok()) {
      LineWriter line;
      line.Text("e-[The model cannot be loaded beside ").Number(static_cast<uint32_t>(bytes)).Text(" bytes: code ");
      return line.Number(static_cast<uint32_t>(error.code)).Text("]").Write(write_);
    }
    input_ = arena.base + (arena.bytes - room);
    load_ = runner_.loads();
  }
  input_bytes_ = static_cast<uint32_t>(bytes);
  received_ = 0;
  LineWriter line;
  line.Text("m-[Expecting ").Number(input_bytes_).Text(" bytes]").Write(write_);
}

void MlPerf::DbPrint() {
  if (!Kept()) return;
  for (uint32_t at = 0; at < input_bytes_; at += kBytesPerLine) {
    LineWriter line;
    line.Text("m-buffer-");
    for (uint32_t i = at; i < input_bytes_ && i < at + kBytesPerLine; ++i) {
      if (i != at) line.Character('-');
      line.HexByte(input_[i]);
    }
    line.Write(write_);
  }
}

void MlPerf::DbBytes(const char* hex) {
  if ((strlen(hex) & 1) != 0) return Plain("e-[Insufficent number of hex digits]");
  for (; *hex != '\0'; hex += 2) {
    const int high = Digit(hex[0]);
    const int low = Digit(hex[1]);
    if (high < 0 || low < 0) {
      LineWriter line;
      return line.Text("e-[Invalid hex digit '").Character(hex[0]).Character(hex[1]).Text("']").Write(write_);
    }
    if (!Kept() || received_ == input_bytes_) continue;
    input_[received_++] = static_cast<uint8_t>(high << 4 | low);
    if (received_ == input_bytes_) return Plain("m-load-done");
  }
}

// From the data set's form to the tensor's.
void MlPerf::Convert() {
  if (!Kept()) return;
  const TensorInfo tensor = TheEngine().Input(0);
  const uint32_t elements = Elements(tensor);
  uint8_t* to = static_cast<uint8_t*>(tensor.data);
  const Benchmark benchmark = Declared();
  const bool quantized = tensor.type == TensorType::kInt8;
  if (benchmark == Benchmark::kAd01 && quantized) {
    for (uint32_t i = 0; i < elements && 4 * i + 4 <= input_bytes_; ++i) {
      to[i] = static_cast<uint8_t>(Quantize(FetchFloat(input_ + 4 * i), tensor));
    }
    return;
  }
  const bool is_image = benchmark == Benchmark::kIc01 || benchmark == Benchmark::kVww01;
  const uint8_t flip = is_image && quantized ? 0x80 : 0;  // x - 128 of eight bits
  const uint32_t bytes = tensor.bytes < input_bytes_ ? tensor.bytes : input_bytes_;
  for (uint32_t i = 0; i < bytes; ++i) to[i] = input_[i] ^ flip;
}

Error MlPerf::Once() {
  TheEngine().ResetState();
  Convert();
  return TheEngine().Invoke(nullptr);
}

void MlPerf::Infer(Words& words) {
  uint32_t count = 1;
  uint32_t warm_ups = kDefaultWarmUps;
  if (const char* word = words.Next(); word != nullptr) {
    const int32_t given = Number(word);
    if (given <= 0) return Plain("e-[Inference iterations must be >0]");
    count = static_cast<uint32_t>(given);
    if (word = words.Next(); word != nullptr) {
      const int32_t given_warm_ups = Number(word);
      if (given_warm_ups < 0) return Plain("e-[Inference warmup must be >=0]");
      warm_ups = static_cast<uint32_t>(given_warm_ups);
    }
  }
  Error error;
  if (!runner_.loaded()) error = runner_.Load(0);
  if (error.ok() && TheEngine().InputCount() != 1) error.code = Code::kModelUnsupported;
  LineWriter start;
  start.Text("m-warmup-start-").Number(warm_ups).Write(write_);
  for (; error.ok() && warm_ups != 0; --warm_ups) error = Once();
  Plain("m-warmup-done");
  LineWriter begun;
  begun.Text("m-infer-start-").Number(count).Write(write_);
  if (const uint32_t hz = port::CounterHz(); hz != 0) base_us_ += port::CounterTicks() * 1000000 / hz;
  port::CounterRestart();
  Lap(0);
  for (; error.ok() && count != 0; --count) error = Once();
  Lap(port::CounterTicks());
  port::CounterRelease();
  if (!error.ok()) {
    LineWriter line;
    line.Text("e-[The model cannot run: code ").Number(static_cast<uint32_t>(error.code)).Text("]").Write(write_);
  }
  Plain("m-infer-done");
  Results();
}

// A line of any length: its pieces are written as they are made. An autoencoder's result is the mean of the squared
// differences between what it was given and what it made of it.
void MlPerf::Results() {
  if (!runner_.loaded()) return Plain("e-[No model is loaded]");
  const Engine& engine = TheEngine();
  const TensorInfo output = engine.Output(0);
  const uint32_t count = Elements(output);
  LineWriter line;
  line.Text("m-results-[");
  if (Declared() == Benchmark::kAd01 && Kept()) {
    float sum = 0;
    for (uint32_t i = 0; i < count && 4 * i + 4 <= input_bytes_; ++i) {
      const float difference = FetchFloat(input_ + 4 * i) - Value(output, i);
      sum += difference * difference;
    }
    AppendThousandths(sum / static_cast<float>(count), line);
  } else {
    for (uint32_t i = 0; i < count; ++i) {
      if (i != 0) line.Character(',');
      if (i != 0 && i % kResultsPerLine == 0) {
        write_(reinterpret_cast<const uint8_t*>(line.text()), line.size());
        line = LineWriter();
      }
      AppendThousandths(Value(output, i), line);
    }
  }
  line.Character(']').Write(write_);
}

}  // namespace tinyhil
