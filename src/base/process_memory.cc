#include "base/process_memory.h"

#include <fstream>
#include <limits>
#include <string>

namespace tessera {

uint64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  for (uint64_t kilobytes = 0; status >> word;) {
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
    status.clear();
    status.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

}  // namespace tessera
