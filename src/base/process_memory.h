// How much memory this process has in use.
#pragma once

#include <cstdint>

namespace tessera {

/// The most that was ever resident (VmHWM of /proc/self/status), maps of files included. 0 where the system
/// does not say.
uint64_t peak_resident_bytes();

}  // namespace tessera
