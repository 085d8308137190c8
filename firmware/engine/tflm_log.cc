// SPDX-License-Identifier: Apache-2.0
// TFLite Micro's DebugLog. Formats by itself: the vfprintf of a C library would cost more flash than the engine.
// Knows %d %i %u %x %c %s %p %f with l, z and a width, which is all that TFLite Micro's messages use; digits after the
// point are left out.
#include "engine/tflm_log.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "tensorflow/lite/micro/debug_log.h"

namespace tinyhil {

TflmLog tflm_log;

void TflmLogStart(jmp_buf* out_of_memory) {
  tflm_log.words[0] = '\0';
  tflm_log.missing_bytes = 0;
  tflm_log.out_of_memory = out_of_memory;
}

void TflmLogFull(uint32_t missing_bytes) {
  if (tflm_log.words[0] == '\0') strcpy(tflm_log.words, "the arena is full");
  tflm_log.missing_bytes = missing_bytes;
  if (tflm_log.out_of_memory != nullptr) longjmp(*tflm_log.out_of_memory, 1);
}

namespace {

class Line {
 public:
  Line(char* text, size_t room) : text_(text), room_(room), used_(strlen(text)) {}

  void Put(char c) {
    if (used_ + 1 >= room_) return;
    text_[used_++] = c;
    text_[used_] = '\0';
  }

  void Put(const char* text) {
    for (; text != nullptr && *text != '\0'; ++text) Put(*text);
  }

  void Put(uint64_t value, unsigned base) {
    char digits[20];
    unsigned count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count != 0) Put(digits[--count]);
  }

  bool empty() const { return used_ == 0; }
  size_t used() const { return used_; }

  // Line ends become a separator between messages, and none stands at the end.
  void EndMessage() {
    while (used_ != 0 && (text_[used_ - 1] == ' ' || text_[used_ - 1] == '.')) text_[--used_] = '\0';
  }

 private:
  char* text_;
  size_t room_;
  size_t used_;
};

struct Conversion {
  char kind;
  bool wide;  // l or z: as wide as a pointer here, or wider
};

Conversion ReadConversion(const char** format) {
  Conversion found = {'\0', false};
  for (; **format != '\0'; ++*format) {
    const char c = **format;
    if (c == 'l' || c == 'z') found.wide = true;
    if (strchr("diuxXcspf%", c) != nullptr) {
      found.kind = c;
      ++*format;
      return found;
    }
  }
  return found;
}

// The last number that was put: of "..., missing: %u" the bytes that are missing.
uint64_t Format(Line& line, const char* format, va_list args) {
  uint64_t last = 0;
  while (*format != '\0') {
    const char c = *format++;
    if (c == '\r') continue;
    if (c == '\n') {
      line.Put(' ');
      continue;
    }
    if (c != '%') {
      line.Put(c);
      continue;
    }
    const Conversion conversion = ReadConversion(&format);
    int64_t number = 0;
    switch (conversion.kind) {
      case 'd':
      case 'i':
        number = conversion.wide ? va_arg(args, long) : va_arg(args, int);
        if (number < 0) line.Put('-');
        last = static_cast<uint64_t>(number < 0 ? -number : number);
        line.Put(last, 10);
        break;
      case 'u':
      case 'x':
      case 'X':
        last = conversion.wide ? va_arg(args, unsigned long) : va_arg(args, unsigned);
        line.Put(last, conversion.kind == 'u' ? 10 : 16);
        break;
      case 'c':
        line.Put(static_cast<char>(va_arg(args, int)));
        break;
      case 's':
        line.Put(va_arg(args, const char*));
        break;
      case 'p':
        line.Put(reinterpret_cast<uintptr_t>(va_arg(args, void*)), 16);
        break;
      case 'f':
        number = static_cast<int64_t>(va_arg(args, double));
        if (number < 0) line.Put('-');
        line.Put(static_cast<uint64_t>(number < 0 ? -number : number), 10);
        break;
      default:
        line.Put('%');
    }
  }
  return last;
}

}  // namespace
}  // namespace tinyhil

extern "C" void DebugLog(const char* format, va_list args) {
  using namespace tinyhil;
  Line line(tflm_log.words, sizeof(tflm_log.words));
  if (strcmp(format, "\r\n") == 0) {  // after each message
    line.EndMessage();
    return;
  }
  if (!line.empty()) line.Put("; ");
  const uint64_t last = Format(line, format, args);
  if (strstr(format, "missing: %") == nullptr) return;
  line.EndMessage();
  TflmLogFull(static_cast<uint32_t>(last));
}

extern "C" int DebugVsnprintf(char* buffer, size_t buf_size, const char* format, va_list vlist) {
  if (buf_size == 0) return 0;
  buffer[0] = '\0';
  tinyhil::Line line(buffer, buf_size);
  tinyhil::Format(line, format, vlist);
  return static_cast<int>(line.used());
}
