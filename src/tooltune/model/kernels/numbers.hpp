// The sources are compiled once for bfloat16 and once for float32: what these have in common.

#pragma once

#ifdef __AVX512BF16__
#include "bfloat16.hpp"
#else
#include "float32.hpp"
#endif

namespace {

constexpr float LOG2_E = 1.44269504f;

size_t rounded_up(size_t n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

// Of a product over n numbers.
size_t steps_over(size_t n) { return (n + UNIT - 1) / UNIT; }

// `multiply` for any number of rows.
template <bool ADD>
void multiply_rows(size_t rows, Units A, const unit* B, size_t b_step, size_t steps, float scale,
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

// Rows of n numbers as B of a product over them: (steps_over(rows), to_stride).
void interleave_rows(size_t rows, const number* x, size_t stride, size_t n, unit* to,
                     size_t to_stride) {
    for (size_t i = 0; i < rows; i += UNIT, to += to_stride) {
        const number* some[UNIT];
        for (size_t j = 0; j < UNIT; j++) some[j] = x + (i + j) * stride;
        interleave(some, std::min(rows - i, UNIT), n, to);
    }
}

}  // namespace
