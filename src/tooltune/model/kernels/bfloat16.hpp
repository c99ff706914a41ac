// bfloat16 in registers of 512 bits (AVX512-BF16): widened, rounded, and multiplied with sums in
// float32, which PyTorch cannot ask for on a processor.

#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

using number = uint16_t;  // what tensors hold
using unit = uint32_t;    // what one instruction multiplies with another one and adds up: two
                          // numbers that are neighbours in the dimension summed over
using floats = __m512;
using std::size_t;

constexpr size_t UNIT = 2;    // numbers of a unit
constexpr size_t LANES = 16;  // float32 numbers of a register
constexpr size_t BLOCK = 64;  // columns of a product: four registers
constexpr size_t ROWS = 6;    // of a product, whose sums then fill 24 of 32 registers
constexpr size_t SCORE_ROWS = 128;  // of scores at a time: a tile's

// The lanes of 16 that lie before `n`.
__mmask16 lanes_before(size_t n) { return n >= LANES ? 0xffff : (1 << n) - 1; }

// The first n numbers, if it has less; zeros behind them.
floats widened(const number* x, size_t n = LANES) {
    auto bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes_before(n), x));
    return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}

floats widened(const int8_t* x) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)x)));
}

floats widened(const float* x) { return _mm512_loadu_ps(x); }

void store(float* to, floats x) { _mm512_storeu_ps(to, x); }

void store_rounded(number* to, floats x, size_t n = LANES) {
    _mm256_mask_storeu_epi16(to, lanes_before(n), (__m256i)_mm512_cvtneps_pbh(x));
}

void store_rounded(number* to, const float* from, size_t n) {
    for (size_t i = 0; i < n; i += LANES) store_rounded(to + i, widened(from + i), n - i);
}

__m512i pairs_of(__m512i even, __m512i odd) {
    return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
}

void store_units(unit* to, const floats x[UNIT]) {
    auto even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x[0]));
    auto odd = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x[1]));
    _mm512_storeu_si512(to, pairs_of(even, odd));
}

float sum_of(floats x) { return _mm512_reduce_add_ps(x); }

// 2^x to 3e-6, a thousandth of what bfloat16 rounds: 2^n times a polynomial of what is left of x.
// Of -1e30 and -inf it is 0, of inf inf, whatever the polynomial is there: scalef goes by its
// second argument then. Not-a-number stays what it is.
floats exp2(floats x) {
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 rest = _mm512_sub_ps(x, n), y = _mm512_set1_ps(9.5701013e-3f);
    for (float factor : {5.5917859e-2f, 0.24024744f, 0.69312179f, 0.99999928f})
        y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(factor));
    return _mm512_scalef_ps(y, n);
}

// What a product reads: the unit of row i and step s is data[i * row + s * step].
struct Units {
    const unit* data;
    size_t row, step;
};

// C (COUNT, BLOCK) = or, where ADD, += scale * A (COUNT, steps) B (steps, BLOCK).
template <size_t COUNT, bool ADD>
void multiply(Units A, const unit* B, size_t b_step, size_t steps, float scale, float* C,
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

// 16 x 16 pairs transposed: rows, then columns `to_stride` apart, of which `columns` are stored.
void transpose(__m512i rows[LANES], unit* to, size_t to_stride, size_t columns) {
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

// Some rows of n units as columns, BLOCK apart; zeros up to LANES of them.
void transpose(const unit* const rows[LANES], size_t count, size_t n, unit* to) {
    for (size_t s = 0; s < n; s += LANES) {
        __m512i square[LANES];
        for (size_t i = 0; i < LANES; i++)
            square[i] =
                _mm512_maskz_loadu_epi32(i < count ? lanes_before(n - s) : 0, rows[i] + s);
        transpose(square, to + s * BLOCK, BLOCK, std::min(LANES, n - s));
    }
}

// Some rows, at most UNIT, of n numbers as n units: the one that is missing is zeros.
void interleave(const number* const rows[UNIT], size_t count, size_t n, unit* to) {
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_before(n - i), odd_lanes = count > 1 ? lanes : 0;
        auto even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, rows[0] + i));
        auto odd = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(odd_lanes, rows[1] + i));
        _mm512_mask_storeu_epi32(to + i, lanes, pairs_of(even, odd));
    }
}

}  // namespace
