// SPDX-License-Identifier: Apache-2.0
// The commands of the MLPerf Tiny runner: name, profile, timestamp, db, infer, results. Their form is fixed by others.
//
// Which benchmark the model stands for is declared in the slot's header (kBenchmarkAt); its input comes as that
// benchmark's data set has it, and is converted here. The input is kept, and put into the tensor before each
// inference, which may destroy it.
//
// RAM: none of its own but the kept input, which is taken from the end of the arena by `db load`.
#ifndef TINYHIL_APP_MLPERF_H_
#define TINYHIL_APP_MLPERF_H_

#include <stdint.h>

#include "app/model_runner.h"
#include "link/cobs.h"
#include "link/text.h"

namespace tinyhil {

class MlPerf {
 public:
  constexpr MlPerf(ModelRunner& runner, WriteBytes write) : runner_(runner), write_(write) {}

  void Name();
  void Profile();
  void Timestamp();
  void Db(Words& words);
  void Infer(Words& words);
  void Results();

 private:
  enum class Benchmark : uint32_t { kNone, kKws01, kIc01, kVww01, kAd01, kCount };

  Benchmark Declared() const;
  bool Kept() const { return input_ != nullptr && load_ == runner_.loads(); }
  void DbLoad(const char* count);
  void DbPrint();
  void DbBytes(const char* hex);
  void Plain(const char* text);
  void Lap(uint64_t ticks);
  void Convert();
  Error Once();

  ModelRunner& runner_;
  WriteBytes write_;
  uint8_t* input_ = nullptr;  // kept; null before the first `db load`, and once another model was loaded
  uint32_t input_bytes_ = 0;
  uint32_t received_ = 0;
  uint32_t load_ = 0;     // of the model that the input was reserved beside
  uint64_t base_us_ = 0;  // time of the last restart of the counter
};

// A number as printf's %.3f writes it: to the nearest, exactly between two to the even one.
void AppendThousandths(float value, LineWriter& line);

}  // namespace tinyhil

#endif  // TINYHIL_APP_MLPERF_H_
