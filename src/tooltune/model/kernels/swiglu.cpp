// silu(gate) * up and its gradients, as model/mlp.py does it in PyTorch, in one pass over memory
// each; nothing is rounded on the way.

#include "numbers.hpp"

namespace {

floats sigmoid(floats x) { return 1 / (1 + exp2(x * -LOG2_E)); }

}  // namespace

extern "C" void swiglu(const number* gate, const number* up, size_t n, number* out) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += LANES) {
        floats x = widened(gate + i, n - i), silu = x * sigmoid(x);
        store_rounded(out + i, silu * widened(up + i, n - i), n - i);
    }
}

// `grad_up` may be `grad`.
extern "C" void swiglu_backward(const number* grad, const number* gate, const number* up, size_t n,
                                number* grad_gate, number* grad_up) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += LANES) {
        floats g = widened(grad + i, n - i), x = widened(gate + i, n - i);
        floats sigma = sigmoid(x), silu = x * sigma;
        // d silu / dx = sigma + x sigma (1 - sigma)
        floats slope = silu * (1 - sigma) + sigma;
        floats grad_silu = g * widened(up + i, n - i);
        store_rounded(grad_gate + i, grad_silu * slope, n - i);
        store_rounded(grad_up + i, g * silu, n - i);
    }
}
