// bfloat16 in registers of 512 bits (AVX512-BF16): widened, rounded, and multiplied with sums in
// float32, which PyTorch cannot ask for on a processor.
//
// A `pair` is what one instruction multiplies with another pair and adds up: two bfloat16 that are
// neighbours in the dimension summed over.

#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace {

using bf16 = uint16_t;
using pair = uint32_t;
using std::size_t;

constexpr size_t LANES = 16;  // float32 numbers of a register
constexpr size_t BLOCK = 64;  // columns of a product: four registers
constexpr size_t ROWS = 6;    // of a product, whose sums then fill 24 of 32 registers
constexpr float LOG2_E = 1.44269504f;

size_t rounded_up(size_t n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

// The lanes of 16 that lie before `n`.
__mmask16 lanes_before(size_t n) { return n >= LANES ? 0xffff : (1 << n) - 1; }

__m512 widened(const bf16* x, __mmask16 lanes = 0xffff) {
    auto bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, x));
    return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}

void store_rounded(bf16* to, __m512 x, __mmask16 lanes = 0xffff) {
    _mm256_mask_storeu_epi16(to, lanes, (__m256i)_mm512_cvtneps_pbh(x));
}

void store_rounded(bf16* to, const float* from, size_t n) {
    for (size_t i = 0; i < n; i += LANES)
        store_rounded(to + i, _mm512_loadu_ps(from + i), lanes_before(n - i));
}

// 2^x to 3e-6, a thousandth of what bfloat16 rounds: 2^n times a polynomial of what is left of x.
// Of -1e30 and -inf it is 0, of inf inf, whatever the polynomial is there: scalef goes by its
// second argument then. Not-a-number stays what it is.
__m512 exp2(__m512 x) {
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 rest = _mm512_sub_ps(x, n), y = _mm512_set1_ps(9.5701013e-3f);
    for (float factor : {5.5917859e-2f, 0.24024744f, 0.69312179f, 0.99999928f})
        y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(factor));
    return _mm512_scalef_ps(y, n);
}

// What a product reads: the pair of row i and step s is data[i * row + s * step].
struct Pairs {
    const pair* data;
    size_t row, step;
};

// C (COUNT, BLOCK) = or, where ADD, += scale * A (COUNT, steps) B (steps, BLOCK).
template <size_t COUNT, bool ADD>
void multiply(Pairs A, const pair* B, size_t b_step, size_t steps, float scale, float* C,
              size_t c_row) {
    __m512 sums[COUNT * 4];
    for (auto& sum : sums) sum = _mm512_setzero_ps();
    for (size_t s = 0; s < steps; s++) {
        __m512bh b[4];
        for (int j = 0; j < 4; j++)
            b[j] = (__m512bh)_mm512_loadu_si512(B + s * b_step + j * LANES);
        for (size_t i = 0; i < COUNT; i++) {
            auto a = (__m512bh)_mm512_set1_epi32(A.data[i * A.row + s * A.step]);
            __m512* row = sums + 4 * i;
            for (int j = 0; j < 4; j++) row[j] = _mm512_dpbf16_ps(row[j], a, b[j]);
        }
    }
#pragma GCC unroll 24  // or the sums are put on the stack
    for (size_t i = 0; i < COUNT * 4; i++) {
        float* c = C + i / 4 * c_row + i % 4 * LANES;
        __m512 product = _mm512_mul_ps(sums[i], _mm512_set1_ps(scale));
        _mm512_storeu_ps(c, ADD ? _mm512_add_ps(product, _mm512_loadu_ps(c)) : product);
    }
}

// The same for any number of rows.
template <bool ADD>
void multiply(size_t rows, Pairs A, const pair* B, size_t b_step, size_t steps, float scale,
              float* C, size_t c_row) {
    auto run = [&]<size_t COUNT>() {
        multiply<COUNT, ADD>(A, B, b_step, steps, scale, C, c_row);
        A.data += COUNT * A.row, C += COUNT * c_row, rows -= COUNT;
    };
    while (rows >= ROWS) run.template operator()<ROWS>();
    if (rows >= 4) run.template operator()<4>();
    if (rows >= 2) run.template operator()<2>();
    if (rows) run.template operator()<1>();
}

// The pairs of two registers of float32, each rounded.
__m512i rounded_pairs(__m512 even, __m512 odd) {
    auto low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(even));
    auto high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(odd));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// Two rows of n numbers as n pairs; `odd` null is a row of zeros.
void interleave(const bf16* even, const bf16* odd, size_t n, pair* out) {
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_before(n - i);
        auto low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, even + i));
        auto high = odd ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, odd + i))
                        : _mm512_setzero_si512();
        _mm512_mask_storeu_epi32(out + i, lanes,
                                 _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

// 16 x 16 pairs transposed: rows, then columns `to_stride` apart, of which `columns` are stored.
void transpose(__m512i rows[LANES], pair* to, size_t to_stride, size_t columns) {
    __m512i x[LANES];
    for (size_t i = 0; i < LANES; i += 2) {
        x[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        x[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (size_t i = 0; i < LANES; i += 4)
        for (size_t j = 0; j < 2; j++) {
            rows[i + 2 * j] = _mm512_unpacklo_epi64(x[i + j], x[i + j + 2]);
            rows[i + 2 * j + 1] = _mm512_unpackhi_epi64(x[i + j], x[i + j + 2]);
        }
    // Quarter q of rows[4 g + j] now holds column 4 q + j of the rows 4 g to 4 g + 3.
    for (size_t j = 0; j < 4; j++) {
        __m512i even_low = _mm512_shuffle_i32x4(rows[j], rows[j + 4], 0x88);
        __m512i even_high = _mm512_shuffle_i32x4(rows[j + 8], rows[j + 12], 0x88);
        __m512i odd_low = _mm512_shuffle_i32x4(rows[j], rows[j + 4], 0xdd);
        __m512i odd_high = _mm512_shuffle_i32x4(rows[j + 8], rows[j + 12], 0xdd);
        x[j] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        x[j + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        x[j + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        x[j + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
    for (size_t i = 0; i < columns; i++) _mm512_storeu_si512(to + i * to_stride, x[i]);
}

// Rows of n numbers as B of a product over them: (ceil(rows / 2), to_stride).
void pair_rows(size_t rows, const bf16* x, size_t stride, size_t n, pair* to, size_t to_stride) {
    for (size_t i = 0; i < rows; i += 2, x += 2 * stride, to += to_stride)
        interleave(x, i + 1 < rows ? x + stride : nullptr, n, to);
}

}  // namespace
