// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without a fuzzer: every file of a folder, then so many mutations of them, the same on every run.
// Usage: replay FOLDER MUTATIONS SEED. Prints how many inputs it ran.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

uint64_t state;

uint32_t Below(size_t count) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<uint32_t>((state >> 11) % count);
}

void Mutate(Bytes& bytes, const std::vector<Bytes>& corpus) {
  static const uint32_t kWords[] = {0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
  if (bytes.empty()) bytes.push_back(0);
  const uint32_t at = Below(bytes.size());
  switch (Below(8)) {
    case 0:
      bytes[at] = static_cast<uint8_t>(bytes[at] ^ 1u << Below(8));
      break;
    case 1:
      bytes[at] = static_cast<uint8_t>(Below(256));
      break;
    case 2:
    case 3: {  // a word, as offsets, lengths and dimensions are
      const uint32_t word = kWords[Below(std::size(kWords))];
      memcpy(&bytes[at & ~3u], &word, std::min<size_t>(4, bytes.size() - (at & ~3u)));
      break;
    }
    case 4: {
      uint32_t word = 0;
      const size_t count = std::min<size_t>(4, bytes.size() - (at & ~3u));
      memcpy(&word, &bytes[at & ~3u], count);
      word += Below(17) - 8;
      memcpy(&bytes[at & ~3u], &word, count);
      break;
    }
    case 5:
      bytes.resize(at);
      break;
    case 6: {  // bytes of another
      const Bytes& other = corpus[Below(corpus.size())];
      if (other.empty()) break;
      const uint32_t from = Below(other.size());
      const size_t count = std::min<size_t>(1 + Below(16), std::min(other.size() - from, bytes.size() - at));
      std::copy_n(other.begin() + from, count, bytes.begin() + at);
      break;
    }
    default:
      bytes.insert(bytes.begin() + at, 1 + Below(4), static_cast<uint8_t>(Below(256)));
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(words[1])) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    LLVMFuzzerTestOneInput(corpus.back().data(), corpus.back().size());
  }
  if (corpus.empty()) return 2;
  state = strtoull(words[3], nullptr, 10) * 0x9E3779B97F4A7C15u + 1;
  const long mutations = atol(words[2]);
  for (long i = 0; i < mutations; ++i) {
    Bytes bytes = corpus[Below(corpus.size())];
    for (uint32_t k = 1 + Below(4); k != 0; --k) Mutate(bytes, corpus);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  printf("%zu\n", corpus.size() + static_cast<size_t>(mutations));
  return 0;
}
