// silu(gate) * up and its gradients, as model/mlp.py does it in PyTorch, in one pass over memory
// each; nothing is rounded on the way.

#include "bfloat16.hpp"

namespace {

__m512 sigmoid(__m512 x) {
    __m512 one = _mm512_set1_ps(1);
    return _mm512_div_ps(one, _mm512_add_ps(one, exp2(_mm512_mul_ps(x, _mm512_set1_ps(-LOG2_E)))));
}

}  // namespace

extern "C" void swiglu(const bf16* gate, const bf16* up, size_t n, bf16* out) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_before(n - i);
        __m512 x = widened(gate + i, lanes), silu = _mm512_mul_ps(x, sigmoid(x));
        store_rounded(out + i, _mm512_mul_ps(silu, widened(up + i, lanes)), lanes);
    }
}

// `grad_up` may be `grad`.
extern "C" void swiglu_backward(const bf16* grad, const bf16* gate, const bf16* up, size_t n,
                                bf16* grad_gate, bf16* grad_up) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_before(n - i);
        __m512 g = widened(grad + i, lanes), x = widened(gate + i, lanes);
        __m512 sigma = sigmoid(x), silu = _mm512_mul_ps(x, sigma);
        // d silu / dx = sigma + x sigma (1 - sigma)
        __m512 slope = _mm512_fmadd_ps(silu, _mm512_sub_ps(_mm512_set1_ps(1), sigma), sigma);
        __m512 grad_silu = _mm512_mul_ps(g, widened(up + i, lanes));
        store_rounded(grad_gate + i, _mm512_mul_ps(grad_silu, slope), lanes);
        store_rounded(grad_up + i, _mm512_mul_ps(g, silu), lanes);
    }
}
