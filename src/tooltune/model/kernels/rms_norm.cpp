// RMSNorm of rows, as model/norm.py does it in PyTorch; what is squared and summed is float32 and,
// where it is wider than what comes in, never in memory.

#include <cmath>

#include "numbers.hpp"

// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps).
extern "C" void rms_norm(const number* x, const number* weight, float eps, size_t rows,
                         size_t width, number* y, float* rstd) {
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < rows; row++) {
        const number* from = x + row * width;
        floats sum = {};
        for (size_t i = 0; i < width; i += LANES) {
            floats wide = widened(from + i, width - i);
            sum += wide * wide;
        }
        rstd[row] = 1 / std::sqrt(sum_of(sum) / width + eps);
        for (size_t i = 0; i < width; i += LANES) {
            floats scaled = widened(from + i, width - i) * rstd[row];
            store_rounded(y + row * width + i, scaled * widened(weight + i, width - i), width - i);
        }
    }
}

// rstd * (grad * weight - x * rstd^2 * mean(grad * weight * x))
extern "C" void rms_norm_backward(const number* grad, const number* x, const number* weight,
                                  const float* rstd, size_t rows, size_t width, number* grad_x) {
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < rows; row++) {
        const number *from = x + row * width, *grad_row = grad + row * width;
        auto weighted = [&](size_t i) {
            return widened(grad_row + i, width - i) * widened(weight + i, width - i);
        };
        floats sum = {};
        for (size_t i = 0; i < width; i += LANES)
            sum += weighted(i) * widened(from + i, width - i);
        float factor = rstd[row];
        float slope = sum_of(sum) / width * factor * factor * factor;
        for (size_t i = 0; i < width; i += LANES) {
            floats along = widened(from + i, width - i) * slope;
            store_rounded(grad_x + row * width + i, weighted(i) * factor - along, width - i);
        }
    }
}
