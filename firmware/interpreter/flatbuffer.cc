// SPDX-License-Identifier: Apache-2.0
#include "interpreter/flatbuffer.h"

namespace tinyhil {

bool Reader::Fail(Code code, const char* field, const char* detail, uint32_t got, uint32_t want, int32_t index) {
  if (!error_.ok()) return false;
  error_.code = code;
  error_.detail = detail;
  error_.got = got;
  error_.want = want;
  if (field != nullptr && error_.depth < Error::kMaxDepth) error_.path[error_.depth++] = {field, index};
  return false;
}

Scope::Scope(Reader& reader, const char* name, int32_t index) : reader_(reader) {
  Error& error = reader.error_;
  if (!error.ok() || error.depth >= Error::kMaxDepth) return;
  error.path[error.depth++] = {name, index};
  pushed_ = true;
}

// A path is frozen by the first error: scopes that end after it leave it as it is.
Scope::~Scope() {
  if (pushed_ && reader_.error_.ok()) --reader_.error_.depth;
}

Table Table::At(Reader& reader, uint32_t offset, const char* field) {
  const Code bad = Code::kModelMalformed;
  if (offset % 4 != 0 || !reader.Contains(offset, 1, 4)) {
    reader.Fail(bad, field, "table outside the file or misaligned", offset, reader.size());
    return {};
  }
  const uint32_t vtable = offset - LoadU32(reader.base() + offset);  // wraps; checked next
  if (vtable % 2 != 0 || !reader.Contains(vtable, 2, 2)) {
    reader.Fail(bad, field, "vtable outside the file or misaligned", vtable, reader.size());
    return {};
  }
  const uint16_t vtable_bytes = LoadU16(reader.base() + vtable);
  const uint16_t table_bytes = LoadU16(reader.base() + vtable + 2);
  if (vtable_bytes < 4 || !reader.Contains(vtable, vtable_bytes, 1)) {
    reader.Fail(bad, field, "vtable longer than the file", vtable_bytes, reader.size());
    return {};
  }
  if (table_bytes < 4 || !reader.Contains(offset, table_bytes, 1)) {
    reader.Fail(bad, field, "table longer than the file", table_bytes, reader.size());
    return {};
  }
  Table table;
  table.reader_ = &reader;
  table.offset_ = offset;
  table.vtable_ = vtable;
  table.vtable_bytes_ = vtable_bytes;
  table.table_bytes_ = table_bytes;
  return table;
}

Table Table::Root(Reader& reader) {
  if (reader.size() < 8) {
    reader.Fail(Code::kNotTflite, "model", "shorter than a file header", reader.size(), 8);
    return {};
  }
  const uint8_t* base = reader.base();
  if (base[4] != 'T' || base[5] != 'F' || base[6] != 'L' || base[7] != '3') {
    reader.Fail(Code::kNotTflite, "model", "file identifier is not TFL3", LoadU32(base + 4), 0x334C4654u);
    return {};
  }
  return At(reader, LoadU32(base), "model");
}

uint32_t Table::FieldOffset(uint16_t id) const {
  if (reader_ == nullptr) return 0;
  const uint32_t entry = 4u + 2u * id;
  if (entry + 2 > vtable_bytes_) return 0;
  return LoadU16(reader_->base() + vtable_ + entry);
}

bool Table::Scalar(uint16_t id, const char* field, uint32_t bytes, uint32_t* offset) const {
  const uint32_t at = FieldOffset(id);
  if (at == 0) return false;
  if (at + bytes > table_bytes_) {
    return reader_->Fail(Code::kModelMalformed, field, "field outside its table", at + bytes, table_bytes_);
  }
  const uint32_t alignment = bytes < 4 ? bytes : 4;
  if ((offset_ + at) % alignment != 0) {
    return reader_->Fail(Code::kModelMalformed, field, "field misaligned", offset_ + at, alignment);
  }
  *offset = offset_ + at;
  return true;
}

uint8_t Table::U8(uint16_t id, const char* field, uint8_t absent) const {
  uint32_t at;
  return Scalar(id, field, 1, &at) ? reader_->base()[at] : absent;
}

uint32_t Table::U32(uint16_t id, const char* field, uint32_t absent) const {
  uint32_t at;
  return Scalar(id, field, 4, &at) ? LoadU32(reader_->base() + at) : absent;
}

int32_t Table::I32(uint16_t id, const char* field, int32_t absent) const {
  return static_cast<int32_t>(U32(id, field, static_cast<uint32_t>(absent)));
}

uint64_t Table::U64(uint16_t id, const char* field, uint64_t absent) const {
  uint32_t at;
  if (!Scalar(id, field, 8, &at)) return absent;
  const uint8_t* p = reader_->base() + at;
  return LoadU32(p) | static_cast<uint64_t>(LoadU32(p + 4)) << 32;
}

float Table::F32(uint16_t id, const char* field, float absent) const {
  uint32_t at;
  if (!Scalar(id, field, 4, &at)) return absent;
  float value;
  const uint32_t bits = LoadU32(reader_->base() + at);
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

uint32_t Table::Follow(uint32_t at, const char* field) const {
  const uint32_t relative = LoadU32(reader_->base() + at);
  const uint32_t target = at + relative;
  if (relative == 0 || target < at || target % 4 != 0 || !reader_->Contains(target, 1, 4)) {
    reader_->Fail(Code::kModelMalformed, field, "offset outside the file or misaligned", target, reader_->size());
    return 0;
  }
  return target;
}

Vector Table::VectorOf(uint16_t id, const char* field, uint32_t element_bytes) const {
  uint32_t at;
  Vector vector;
  if (!Scalar(id, field, 4, &at)) return vector;
  const uint32_t target = Follow(at, field);
  if (target == 0) return vector;
  const uint32_t count = LoadU32(reader_->base() + target);
  if (!reader_->Contains(target + 4, count, element_bytes)) {
    reader_->Fail(Code::kModelMalformed, field, "vector longer than the file", count,
                  (reader_->size() - target - 4) / element_bytes);
    return vector;
  }
  vector.offset = target + 4;
  vector.count = count;
  vector.present = true;
  return vector;
}

Table Table::Child(uint16_t id, const char* field) const {
  uint32_t at;
  if (!Scalar(id, field, 4, &at)) return {};
  const uint32_t target = Follow(at, field);
  return target == 0 ? Table{} : At(*reader_, target, field);
}

Table Table::Element(const Vector& tables, uint32_t index, const char* field) const {
  const uint32_t target = Follow(tables.offset + 4 * index, field);
  return target == 0 ? Table{} : At(*reader_, target, field);
}

}  // namespace tinyhil
