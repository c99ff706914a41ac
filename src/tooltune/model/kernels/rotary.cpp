// Rotary positions, as model/layers.py does them in PyTorch, in one pass over memory; nothing is
// rounded on the way.

#include "numbers.hpp"

// Of x (tokens, heads, K) each head's halves, as coordinates, are turned by its token's angles: cos
// and sin (angles, K), which repeat one in both halves. Where there are more tokens than angles,
// these begin again.
extern "C" void rotary(const number* x, const number* cos, const number* sin, size_t tokens,
                       size_t angles, size_t heads, size_t K, number* y) {
    size_t half = K / 2;
#pragma omp parallel for schedule(static)
    for (size_t token = 0; token < tokens; token++) {
        size_t angle = token % angles * K;
        for (size_t head = 0; head < heads; head++) {
            const number* from = x + (token * heads + head) * K;
            number* to = y + (token * heads + head) * K;
            for (size_t i = 0; i < half; i += LANES) {
                size_t n = half - i;
                floats c = widened(cos + angle + i, n), s = widened(sin + angle + i, n);
                floats x1 = widened(from + i, n), x2 = widened(from + half + i, n);
                store_rounded(to + i, x1 * c - x2 * s, n);
                store_rounded(to + half + i, x2 * c + x1 * s, n);
            }
        }
    }
}
