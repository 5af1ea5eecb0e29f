// Row lookup: out[i] = table[ids[i]], widened to float32 (exact). Ids are checked by the caller. Pure and
// thread-safe.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

/// table: [vocab, cols]; ids: [rows]; out: [rows, cols] with `out_stride` elements from row to row.
void embedding_f32(const float* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                   int64_t out_stride);
/// The same from bf16 bits.
void embedding_bf16(const uint16_t* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                    int64_t out_stride);
const char* embedding_variant();

}  // namespace tessera::kernels
