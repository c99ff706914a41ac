// RMSNorm of rows of bfloat16, as model/norm.py does it in PyTorch; what is squared and summed is
// float32 and never in memory.

#include <cmath>

#include "bfloat16.hpp"

// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps).
extern "C" void rms_norm(const bf16* x, const bf16* weight, float eps, size_t rows, size_t width,
                         bf16* y, float* rstd) {
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < rows; row++) {
        const bf16* from = x + row * width;
        __m512 sum = _mm512_setzero_ps();
        for (size_t i = 0; i < width; i += LANES) {
            __m512 wide = widened(from + i, lanes_before(width - i));
            sum = _mm512_fmadd_ps(wide, wide, sum);
        }
        rstd[row] = 1 / std::sqrt(_mm512_reduce_add_ps(sum) / width + eps);
        for (size_t i = 0; i < width; i += LANES) {
            __mmask16 lanes = lanes_before(width - i);
            __m512 scaled = _mm512_mul_ps(widened(from + i, lanes), _mm512_set1_ps(rstd[row]));
            store_rounded(y + row * width + i,
                          _mm512_mul_ps(scaled, widened(weight + i, lanes)), lanes);
        }
    }
}

// rstd * (grad * weight - x * rstd^2 * mean(grad * weight * x))
extern "C" void rms_norm_backward(const bf16* grad, const bf16* x, const bf16* weight,
                                  const float* rstd, size_t rows, size_t width, bf16* grad_x) {
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < rows; row++) {
        const bf16 *from = x + row * width, *grad_row = grad + row * width;
        auto weighted = [&](size_t i, __mmask16 lanes) {
            return _mm512_mul_ps(widened(grad_row + i, lanes), widened(weight + i, lanes));
        };
        __m512 sum = _mm512_setzero_ps();
        for (size_t i = 0; i < width; i += LANES) {
            __mmask16 lanes = lanes_before(width - i);
            sum = _mm512_fmadd_ps(weighted(i, lanes), widened(from + i, lanes), sum);
        }
        float factor = rstd[row];
        __m512 slope = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / width * factor * factor * factor);
        for (size_t i = 0; i < width; i += LANES) {
            __mmask16 lanes = lanes_before(width - i);
            __m512 along = _mm512_mul_ps(widened(from + i, lanes), slope);
            __m512 scaled = _mm512_mul_ps(weighted(i, lanes), _mm512_set1_ps(factor));
            store_rounded(grad_x + row * width + i, _mm512_sub_ps(scaled, along), lanes);
        }
    }
}
