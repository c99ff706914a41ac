// Products with a frozen weight and its adapter: y = x (W + scale P Q), and low = scale x P.
// Forward that is a layer's result, where W, P and Q are stored by columns: W (outputs, inputs),
// A and B. Backward it is the gradient of its input, where the same tensors are read by rows, and
// P is B. Called by products.py.
//
// Some columns of the weight at a time are widened into panels, BLOCK columns each, the adapter is
// added to them, and then they are multiplied with all rows of x. Some rows of x stay in a near
// cache; panels go by once for those.
//
// And low transposed times rows: the gradients of A and B.
//
// Of float32 only: in bfloat16 it was not tried.

#include "numbers.hpp"

#ifndef __AVX512BF16__

#include <vector>

namespace {

constexpr size_t PANEL_NUMBERS = 1 << 19;  // 2 MiB, of all panels at a time
constexpr size_t NEAR_ROWS = 4 * ROWS;     // 48 are as fast where steps are few, slower where many
constexpr size_t SUMMED_ROWS = 48;         // of a transposed product at a time; 24 to 192 are alike

// (steps, columns), either of which may be contiguous.
template <class Stored>
struct Matrix {
    const Stored* data;
    size_t steps, columns;
    bool by_columns;

    // BLOCK columns from `first` as (steps, BLOCK); zeros beyond the last.
    void pack(size_t first, float* to) const {
        for (size_t end = first + BLOCK; first < end; first += LANES, to += LANES) {
            size_t count = std::min(LANES, columns - std::min(first, columns));
            if (by_columns) {
                const Stored* lanes[LANES] = {};
                for (size_t i = 0; i < count; i++) lanes[i] = data + (first + i) * steps;
                transpose(lanes, count, steps, to);
            } else
                for (size_t s = 0; s < steps; s++)
                    store(to + s * BLOCK, widened(data + s * columns + first, count));
        }
    }
};

// out (rows, columns), `row` apart, = scale * x (rows, steps) times panels.
void multiply_panels(size_t rows, const float* x, size_t steps, const float* panels,
                     size_t columns, float scale, float* out, size_t row) {
    for (size_t c = 0; c < columns; c += BLOCK, panels += steps * BLOCK) {
        if (c + BLOCK <= columns) {
            multiply_rows<false>(rows, {x, steps, 1}, panels, BLOCK, steps, scale, out + c, row);
            continue;
        }
        float part[NEAR_ROWS * BLOCK];
        multiply_rows<false>(rows, {x, steps, 1}, panels, BLOCK, steps, scale, part, BLOCK);
        for (size_t i = 0; i < rows; i++)
            std::copy_n(part + i * BLOCK, columns - c, out + i * row + c);
    }
}

template <class Stored>
void multiply_adapted(const float* x, size_t rows, Matrix<Stored> W, Matrix<float> P,
                      Matrix<float> Q, float scale, float* low, float* out) {
    size_t steps = W.steps, columns = W.columns, rank = P.columns;
    size_t width = std::max(PANEL_NUMBERS / steps / BLOCK, size_t{1}) * BLOCK;
    static thread_local std::vector<float> kept;
    kept.resize((rounded_up(rank) + std::min(width, rounded_up(columns))) * steps);
    float *downs = kept.data(), *panels = downs + rounded_up(rank) * steps;
    Units down{P.data, P.by_columns ? 1 : rank, P.by_columns ? steps : 1};
#pragma omp parallel
    {
        std::vector<float> up(rank * BLOCK);
        for (size_t first = 0; first < columns; first += width) {
            size_t count = std::min(width, columns - first);
            if (!first)
#pragma omp for
                for (size_t c = 0; c < rank; c += BLOCK) P.pack(c, downs + c * steps);
#pragma omp for
            for (size_t c = 0; c < count; c += BLOCK) {
                float* panel = panels + c * steps;
                W.pack(first + c, panel);
                if (!rank) continue;
                Q.pack(first + c, up.data());
                multiply_rows<true>(steps, down, up.data(), BLOCK, rank, scale, panel, BLOCK);
            }
#pragma omp for schedule(dynamic)
            for (size_t i = 0; i < rows; i += NEAR_ROWS) {
                size_t some = std::min(rows - i, NEAR_ROWS);
                const float* from = x + i * steps;
                float *own = low + i * rank, *to = out + i * columns + first;
                if (!first) multiply_panels(some, from, steps, downs, rank, scale, own, rank);
                multiply_panels(some, from, steps, panels, count, 1, to, columns);
            }
        }
    }
}

}  // namespace

// x (rows, steps), low (rows, rank), out (rows, columns). The weight is float32 or, where
// `is_brief`, bfloat16; of a `rank` of 0 there is no adapter.
extern "C" void product(const float* x, size_t rows, size_t steps, const void* weight,
                        size_t is_brief, size_t columns, size_t by_columns, const float* down,
                        const float* up, size_t rank, float scale, float* low, float* out) {
    auto run = [&]<class Stored>(const Stored* stored) {
        bool each = by_columns;
        multiply_adapted<Stored>(x, rows, {stored, steps, columns, each}, {down, steps, rank, each},
                                 {up, rank, columns, each}, scale, low, out);
    };
    is_brief ? run((const uint16_t*)weight) : run((const float*)weight);
}

// sums (rank, columns) += low (rows, rank) transposed times y (rows, columns), as an adapter's
// gradients are. Each thread has columns of its own.
extern "C" void transposed_product(const float* low, size_t rows, size_t rank, const float* y,
                                   size_t columns, float* sums) {
#pragma omp parallel
    for (size_t first = 0; first < rows; first += SUMMED_ROWS) {
        size_t end = std::min(rows, first + SUMMED_ROWS);
#pragma omp for schedule(static) nowait
        for (size_t c = 0; c < columns; c += BLOCK) {
            if (c + BLOCK <= columns) {
                multiply_rows<true>(rank, {low + first * rank, 1, rank}, y + first * columns + c,
                                    columns, end - first, 1, sums + c, columns);
                continue;
            }
            for (size_t i = first; i < end; i++)
                for (size_t r = 0; r < rank; r++)
                    for (size_t j = c; j < columns; j++)
                        sums[r * columns + j] += low[i * rank + r] * y[i * columns + j];
        }
    }
}

#endif
