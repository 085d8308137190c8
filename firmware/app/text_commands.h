// SPDX-License-Identifier: Apache-2.0
// The text language: one line in, lines out, "m-ready" last. firmware/link/README.md describes each command.
//
// A command is a row of a table with the word it starts with. Those whose form is fixed by others take and give lines
// without a checksum; ours (hil ...) carry one both ways.
#ifndef TINYHIL_APP_TEXT_COMMANDS_H_
#define TINYHIL_APP_TEXT_COMMANDS_H_

#include <stdint.h>

#include "app/mlperf.h"
#include "app/model_runner.h"
#include "link/cobs.h"
#include "link/text.h"

namespace tinyhil {

class TextCommands {
 public:
  constexpr TextCommands(ModelRunner& runner, WriteBytes write)
      : runner_(runner), write_(write), mlperf_(runner, write) {}

  void Banner();  // what a device says when it has started
  void Execute(char* line, uint32_t session, uint32_t damaged_frames);
  void RefuseUnreadable();

 private:
  struct Command {
    const char* name;
    void (TextCommands::*execute)(char* line);
  };
  struct HilCommand {
    const char* name;
    const char* usage;  // what follows the name, and what it does
    void (TextCommands::*execute)(Words& words);
  };
  static const Command kCommands[];
  static const HilCommand kHilCommands[];

  void Name(char*) { mlperf_.Name(); }
  void Profile(char*) { mlperf_.Profile(); }
  void Timestamp(char*) { mlperf_.Timestamp(); }
  void Results(char*) { mlperf_.Results(); }
  void Db(char* line);
  void Infer(char* line);
  void Hil(char* line);
  void Help(Words& words);
  void Info(Words& words);
  void Slot(Words& words);
  void Load(Words& words);
  void Input(Words& words);
  void Run(Words& words);
  void Output(Words& words);
  void Ops(Words& words);
  void Memory(Words& words);
  void Reset(Words& words);

  bool End(Words& words);  // false, and refused, where there are more words
  void Tensors(bool output);
  void Plain(const char* text);
  void Report(const Error& error);
  void Refuse(Code code, const char* detail);

  ModelRunner& runner_;
  WriteBytes write_;
  MlPerf mlperf_;
  uint32_t session_ = 0;
  uint32_t damaged_frames_ = 0;
};

}  // namespace tinyhil

#endif  // TINYHIL_APP_TEXT_COMMANDS_H_
