// Memory that is kept for the next call instead of going back to the system.
//
// Each call of a program takes memory for its results. From blocks of some size on, the C library
// gives it back when they are freed, and asks again at the next call; the system then hands out
// page after page, all zeros, which takes ten times as long as adding two arrays of that size.

#include <cstdlib>
#include <initializer_list>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace slipstream {
namespace {

#if defined(__GLIBC__)
constexpr int kMost = 256 << 20, kModest = 32 << 20, kHeap = 64 << 20;

const bool kept = [] {
  for (const char* name : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"})
    if (std::getenv(name) != nullptr) return false;  // somebody has chosen
  // Some versions take no more than half of the memory that threads ask for at once.
  if (mallopt(M_MMAP_THRESHOLD, kMost) == 0) mallopt(M_MMAP_THRESHOLD, kModest);
  // A thread gives back what it asked for at once, unless less than this would be left.
  return mallopt(M_TRIM_THRESHOLD, kMost) != 0 && mallopt(M_TOP_PAD, kHeap) != 0;
}();
#endif

}  // namespace
}  // namespace slipstream
