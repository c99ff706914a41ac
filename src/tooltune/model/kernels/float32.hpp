// float32 in registers of 256 bits (AVX2) or 512 (AVX-512): the words of bfloat16.hpp, for where
// float32 is what is computed in.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

using number = float;  // what tensors hold
using unit = float;    // what one instruction multiplies with another one and adds up
using std::size_t;

#ifdef __AVX512F__
constexpr size_t LANES = 16, REGISTERS = 4;
#else
constexpr size_t LANES = 8, REGISTERS = 2;
#endif
constexpr size_t UNIT = 1;                   // numbers of a unit
constexpr size_t BLOCK = REGISTERS * LANES;  // columns of a product
constexpr size_t ROWS = 6;                   // of a product, whose sums then fill 3/4 of registers
constexpr size_t SCORE_ROWS = 48;            // of scores at a time
using floats __attribute__((vector_size(4 * LANES))) = float;
using loose_floats __attribute__((vector_size(4 * LANES), aligned(4))) = float;  // in memory
using ints __attribute__((vector_size(4 * LANES))) = int32_t;

// The first n numbers, if it has less; zeros behind them.
floats widened(const number* x, size_t n = LANES) {
    if (n >= LANES) return *(const loose_floats*)x;
    floats y = {};
    std::copy_n(x, n, (float*)&y);
    return y;
}

// Of bfloat16, whose bits are the upper half of float32's.
floats widened(const uint16_t* x, size_t n = LANES) {
    using shorts __attribute__((vector_size(2 * LANES))) = uint16_t;
    using loose_shorts __attribute__((vector_size(2 * LANES), aligned(2))) = uint16_t;
    shorts y = {};
    if (n >= LANES) y = *(const loose_shorts*)x;
    else std::copy_n(x, n, (uint16_t*)&y);
    return (floats)(__builtin_convertvector(y, ints) << 16);
}

floats widened(const int8_t* x) {
    floats y;
    for (size_t i = 0; i < LANES; i++) y[i] = x[i];
    return y;
}

void store(float* to, floats x) { *(loose_floats*)to = x; }

void store_rounded(number* to, floats x, size_t n = LANES) {
    if (n >= LANES) store(to, x);
    else std::copy_n((float*)&x, n, to);
}

void store_rounded(number* to, const float* from, size_t n) { std::copy_n(from, n, to); }

void store_units(unit* to, const floats x[UNIT]) { store(to, x[0]); }

float sum_of(floats x) {
    float sum = 0;
    for (size_t i = 0; i < LANES; i++) sum += x[i];
    return sum;
}

// 2^x to 8e-8: 2^n, made of its bits, times a polynomial of what is left of x. Below 2^-126.5 it is
// 0, above 2^127.5 inf; not-a-number stays what it is.
floats exp2(floats x) {
    constexpr float SHIFT = 0x1.8p23;  // added to a number it leaves its integer in the last bits
    x = x < -127.f ? floats{} - 127 : x;
    x = x > 128.f ? floats{} + 128 : x;
    floats shifted = x + SHIFT, rest = x - (shifted - SHIFT), y = floats{} + 1.5345812e-4f;
    for (float factor : {1.33999312e-3f, 9.61848896e-3f, 5.55032878e-2f, 0.240226469f, 0.693147206f,
                         1.f})
        y = y * rest + factor;
    ints n = (ints)shifted - (ints)(floats{} + SHIFT);
    return y * (floats)((n + 127) << 23);
}

// What a product reads: the unit of row i and step s is data[i * row + s * step].
struct Units {
    const unit* data;
    size_t row, step;
};

// C (COUNT, BLOCK) = or, where ADD, += scale * A (COUNT, steps) B (steps, BLOCK).
//
// Not inline: what is hoisted out of a caller's loop would take a register, and all 16 are needed.
template <size_t COUNT, bool ADD>
[[gnu::noinline]] void multiply(Units A, const unit* B, size_t b_step, size_t steps, float scale,
                                float* C, size_t c_row) {
    floats sums[COUNT * REGISTERS] = {};
#pragma GCC unroll 2
    for (size_t s = 0; s < steps; s++) {
        floats b[REGISTERS];
        for (size_t j = 0; j < REGISTERS; j++) b[j] = widened(B + s * b_step + j * LANES);
        for (size_t i = 0; i < COUNT; i++) {
            float a = A.data[i * A.row + s * A.step];
            for (size_t j = 0; j < REGISTERS; j++) sums[i * REGISTERS + j] += a * b[j];
        }
    }
#pragma GCC unroll 24  // or the sums are put on the stack
    for (size_t i = 0; i < COUNT * REGISTERS; i++) {
        float* c = C + i / REGISTERS * c_row + i % REGISTERS * LANES;
        store(c, ADD ? scale * sums[i] + widened(c) : scale * sums[i]);
    }
}

// A square of LANES rows. Blocks of SIDE, 2 * SIDE .. LANES / 2 change places across the diagonal.
// Inline and without loops, so that it stays in registers.
template <size_t SIDE = 1>
[[gnu::always_inline]] inline void transpose(floats x[LANES]) {
    if constexpr (SIDE < LANES) {
        ints low, high;
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES; i++) {
            low[i] = i & SIDE ? LANES + i - SIDE : i;
            high[i] = i & SIDE ? LANES + i : i + SIDE;
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES; i++)
            if (!(i & SIDE)) {
                floats first = x[i], second = x[i + SIDE];
                x[i] = __builtin_shuffle(first, second, low);
                x[i + SIDE] = __builtin_shuffle(first, second, high);
            }
        transpose<2 * SIDE>(x);
    }
}

// Some rows of n numbers as columns of units, BLOCK apart; zeros up to LANES of them. Whole squares
// apart from the rest: with bounds to look at they would go through memory.
template <class Stored>
void transpose(const Stored* const rows[LANES], size_t count, size_t n, unit* to) {
    size_t s = 0;
    for (size_t end = count < LANES ? 0 : n / LANES * LANES; s < end; s += LANES) {
        floats square[LANES];
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES; i++) square[i] = widened(rows[i] + s);
        transpose(square);
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES; i++) store(to + (s + i) * BLOCK, square[i]);
    }
    for (; s < n; s += LANES) {
        floats square[LANES] = {};
        for (size_t i = 0; i < count; i++) square[i] = widened(rows[i] + s, n - s);
        transpose(square);
        for (size_t i = 0; i < LANES && s + i < n; i++) store(to + (s + i) * BLOCK, square[i]);
    }
}

// Some rows, at most UNIT, of n numbers as n units.
void interleave(const number* const rows[UNIT], size_t, size_t n, unit* to) {
    std::copy_n(rows[0], n, to);
}

}  // namespace
