// Weights of Q8_0 widened, as model/quantize.py does it in PyTorch: a code times its block's scale
// in float32, rounded once, with no other float32 in memory in between.

#include <immintrin.h>

#include "numbers.hpp"

constexpr size_t CODES = 32;  // that share a scale

extern "C" void widen_q8_0(const int8_t* codes, const uint16_t* scales, size_t blocks,
                           number* out) {
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        float scale = _cvtsh_ss(scales[block]);
        for (size_t i = block * CODES; i < (block + 1) * CODES; i += LANES)
            store_rounded(out + i, widened(codes + i) * scale);
    }
}
