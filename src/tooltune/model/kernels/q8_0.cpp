// Weights of Q8_0 widened to bfloat16, as model/quantize.py does it in PyTorch: a code times its
// block's scale in float32, rounded once, with no float32 in memory in between.

#include "bfloat16.hpp"

constexpr size_t CODES = 32;  // that share a scale

extern "C" void widen_q8_0(const int8_t* codes, const uint16_t* scales, size_t blocks, bf16* out) {
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        __m512 scale = _mm512_set1_ps(_cvtsh_ss(scales[block]));
        for (size_t i = block * CODES; i < (block + 1) * CODES; i += LANES) {
            __m512i code = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)(codes + i)));
            store_rounded(out + i, _mm512_mul_ps(_mm512_cvtepi32_ps(code), scale));
        }
    }
}
