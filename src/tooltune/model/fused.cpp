// Tree attention in tiles (see tiles.py), fused: the scores of one head and tile exist at a time,
// in the processor's cache. bfloat16 is multiplied and summed in float32 (AVX512-BF16), which
// PyTorch cannot ask for on a processor; scores, softmax and its gradient are float32 throughout.
//
// Called by fused.py, which has the same structs. Compiled at first use; without a compiler the
// kernel `tiles` computes the same.
//
// Shapes as in tiles.py: R queries and N keys of a tile, H query heads, G key/value heads, K head
// size. W is K, and M is N, rounded up to BLOCK. A `pair` is what one instruction multiplies with
// another pair and adds up: two bfloat16 that are neighbours in the dimension summed over.

#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using bf16 = uint16_t;
using pair = uint32_t;
using std::size_t;

constexpr size_t LANES = 16;  // float32 numbers of a register
constexpr size_t BLOCK = 64;  // columns of a product: four registers
constexpr size_t ROWS = 6;    // of a product, whose sums then fill 24 of 32 registers

// Heads of tokens: (heads, tokens, K), the last one contiguous.
struct Heads {
    bf16* data;
    size_t head_stride, token_stride;
    bf16* at(size_t head, size_t token) const {
        return data + head * head_stride + token * token_stride;
    }
};

struct Tiles {
    size_t count, queries, keys, heads, groups, head_size;
    float scale;
    const int64_t* rows;           // (count, 2): first query, end
    const int64_t* run_ends;       // (count): of each tile's runs of keys
    const int64_t* runs;           // (runs, 2): first key, end
    const float* hidden;           // each tile's (R, hidden keys), one after another
    const int64_t* hidden_starts;  // (count)
    const int64_t* hidden_keys;    // (count): the last keys of the tile

    size_t first(size_t tile) const { return rows[2 * tile]; }
    size_t R(size_t tile) const { return rows[2 * tile + 1] - rows[2 * tile]; }

    template <class Use>  // with the place in the tile and the key
    void each_key(size_t tile, Use use) const {
        size_t place = 0;
        for (int64_t run = tile ? run_ends[tile - 1] : 0; run < run_ends[tile]; run++)
            for (int64_t key = runs[2 * run]; key < runs[2 * run + 1]; key++) use(place++, key);
    }
    size_t N(size_t tile) const {
        size_t keys = 0;
        for (int64_t run = tile ? run_ends[tile - 1] : 0; run < run_ends[tile]; run++)
            keys += runs[2 * run + 1] - runs[2 * run];
        return keys;
    }
};

size_t rounded_up(size_t n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

// The lanes of 16 that lie before `n`.
__mmask16 lanes_before(size_t n) { return n >= LANES ? 0xffff : (1 << n) - 1; }

void store_rounded(bf16* to, __m512 x, __mmask16 lanes = 0xffff) {
    _mm256_mask_storeu_epi16(to, lanes, (__m256i)_mm512_cvtneps_pbh(x));
}

void store_rounded(bf16* to, const float* from, size_t n) {
    for (size_t i = 0; i < n; i += LANES)
        store_rounded(to + i, _mm512_loadu_ps(from + i), lanes_before(n - i));
}

// exp(x) to 2e-7, and 0 for -infinity: 2^n times the series of what is left of x / ln 2.
__m512 exp(__m512 x) {
    x = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f));
    x = _mm512_max_ps(_mm512_set1_ps(-1000), x);  // in this order not-a-number stays what it is
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 rest = _mm512_sub_ps(x, n), y = _mm512_set1_ps(1.5403530e-4f);
    for (float factor : {1.3333558e-3f, 9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f,
                         6.9314718e-1f, 1.0f})
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
            for (int j = 0; j < 4; j++) sums[4 * i + j] = _mm512_dpbf16_ps(sums[4 * i + j], a, b[j]);
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

// Rows of n numbers as B of a product over them: (ceil(rows / 2), to_stride).
void pair_rows(size_t rows, const bf16* x, size_t stride, size_t n, pair* to, size_t to_stride) {
    for (size_t i = 0; i < rows; i += 2, x += 2 * stride, to += to_stride)
        interleave(x, i + 1 < rows ? x + stride : nullptr, n, to);
}

// A tile's keys as B of a product over channels: (M / BLOCK, K / 2, BLOCK), zero where there is
// none.
void pack_over_channels(const Tiles& tiles, size_t tile, Heads x, size_t group,
                        std::vector<pair>& out) {
    size_t steps = tiles.head_size / 2;
    out.assign(rounded_up(tiles.N(tile)) * steps, 0);
    tiles.each_key(tile, [&](size_t place, size_t key) {
        auto from = (const pair*)x.at(group, key);
        pair* to = out.data() + place / BLOCK * steps * BLOCK + place % BLOCK;
        for (size_t s = 0; s < steps; s++) to[s * BLOCK] = from[s];
    });
}

// As B of a product over keys: (ceil(N / 2), W), zero where there is none.
void pack_over_keys(const Tiles& tiles, size_t tile, Heads x, size_t group,
                    std::vector<pair>& out) {
    size_t N = tiles.N(tile), W = rounded_up(tiles.head_size);
    out.assign((N + 1) / 2 * W, 0);
    const bf16* even = nullptr;
    tiles.each_key(tile, [&](size_t place, size_t key) {
        const bf16* row = x.at(group, key);
        bool is_even = place % 2 == 0;
        if (is_even) even = row;
        if (!is_even || place + 1 == N)
            interleave(even, is_even ? nullptr : row, tiles.head_size, &out[place / 2 * W]);
    });
}

// (R, M): a tile's rows of one head with what is packed over channels.
void multiply_with_keys(const Tiles& tiles, size_t tile, Heads x, size_t head,
                        const std::vector<pair>& packed, float scale, float* out) {
    size_t steps = tiles.head_size / 2, M = rounded_up(tiles.N(tile));
    Pairs rows{(const pair*)x.at(head, tiles.first(tile)), x.token_stride / 2, 1};
    for (size_t n = 0; n < M; n += BLOCK)
        multiply<false>(tiles.R(tile), rows, &packed[n * steps], BLOCK, steps, scale, out + n, M);
}

// Scores (R, M) of a tile's queries in one head; -infinity what they do not see.
void make_scores(const Tiles& tiles, size_t tile, Heads q, size_t head,
                 const std::vector<pair>& keys, float* out) {
    size_t N = tiles.N(tile), M = rounded_up(N), hidden_keys = tiles.hidden_keys[tile];
    multiply_with_keys(tiles, tile, q, head, keys, tiles.scale, out);
    const float* hidden = tiles.hidden + tiles.hidden_starts[tile];
    for (size_t i = 0; i < tiles.R(tile); i++, out += M, hidden += hidden_keys) {
        for (size_t j = 0; j < hidden_keys; j++) out[N - hidden_keys + j] += hidden[j];
        std::fill(out + N, out + M, -INFINITY);
    }
}

// exp(scores - log_sum) of M scores in place and rounded to `weights`; returns their sum.
float exponentiate(float* scores, size_t M, float log_sum, bf16* weights) {
    __m512 shift = _mm512_set1_ps(log_sum), sum = _mm512_setzero_ps();
    for (size_t n = 0; n < M; n += LANES) {
        __m512 weight = exp(_mm512_sub_ps(_mm512_loadu_ps(scores + n), shift));
        sum = _mm512_add_ps(sum, weight);
        _mm512_storeu_ps(scores + n, weight);
        store_rounded(weights + n, weight);
    }
    return _mm512_reduce_add_ps(sum);
}

float greatest(const float* x, size_t n) {
    __m512 most = _mm512_set1_ps(-INFINITY);
    for (size_t i = 0; i < n; i += LANES) most = _mm512_max_ps(most, _mm512_loadu_ps(x + i));
    return _mm512_reduce_max_ps(most);
}

// Gradient of M scores from softmax (float32) and its gradient.
void softmax_backward(const float* weights, const float* grads, size_t M, bf16* out) {
    __m512 sum = _mm512_setzero_ps();
    for (size_t n = 0; n < M; n += LANES)
        sum = _mm512_fmadd_ps(_mm512_loadu_ps(weights + n), _mm512_loadu_ps(grads + n), sum);
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
    for (size_t n = 0; n < M; n += LANES) {
        __m512 slope = _mm512_sub_ps(_mm512_loadu_ps(grads + n), mean);
        store_rounded(out + n, _mm512_mul_ps(_mm512_loadu_ps(weights + n), slope));
    }
}

// Pairs (group, tile), groups outermost, divided among threads by their multiplications. What a
// thread does depends on their number alone, so sums come out the same each time.
template <class Work>
void in_parallel(const Tiles& tiles, Work work) {
    std::vector<size_t> cost{0};
    for (size_t item = 0; item < tiles.groups * tiles.count; item++)
        cost.push_back(cost.back() + tiles.R(item % tiles.count) * tiles.N(item % tiles.count));
#pragma omp parallel
    {
        size_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
        for (size_t item = 0; item + 1 < cost.size(); item++)
            if (cost[item] * threads / cost.back() == thread)
                work(thread, item / tiles.count, item % tiles.count);
    }
}

// The query heads of one key/value head.
template <class Work>
void each_head(const Tiles& tiles, size_t group, Work work) {
    size_t shared = tiles.heads / tiles.groups;
    for (size_t head = group * shared; head < (group + 1) * shared; head++) work(head);
}

// Gradients of keys and values, (groups, keys, W) each, of the groups that a thread has met.
struct Sums {
    size_t first_group = 0, groups = 0;
    std::vector<float> k, v;

    // Of one of them, a tile's (N, W).
    void add(const Tiles& tiles, size_t tile, size_t group, std::vector<float> Sums::*which,
             const std::vector<float>& x) {
        size_t W = rounded_up(tiles.head_size);
        if (!groups) first_group = group;
        groups = group + 1 - first_group;
        (this->*which).resize(groups * tiles.keys * W);
        tiles.each_key(tile, [&](size_t place, size_t key) {
            float* to = row(tiles, group, key, which);
            for (size_t c = 0; c < W; c++) to[c] += x[place * W + c];
        });
    }
    float* row(const Tiles& tiles, size_t group, size_t key, std::vector<float> Sums::*which) {
        size_t place = (group - first_group) * tiles.keys + key;
        return (this->*which).data() + place * rounded_up(tiles.head_size);
    }
};

// Adds up what all threads have of each key, in the first one's place.
void store_totals(const Tiles& tiles, std::vector<Sums>& sums, std::vector<float> Sums::*which,
                  Heads to) {
#pragma omp parallel for collapse(2) schedule(static)
    for (size_t group = 0; group < tiles.groups; group++)
        for (size_t key = 0; key < tiles.keys; key++) {
            float* total = nullptr;
            for (Sums& part : sums) {
                if (group < part.first_group || group >= part.first_group + part.groups) continue;
                float* row = part.row(tiles, group, key, which);
                if (!total) total = row;
                else
                    for (size_t c = 0; c < tiles.head_size; c++) total[c] += row[c];
            }
            store_rounded(to.at(group, key), total, tiles.head_size);
        }
}

}  // namespace

// `log_sums` (H, queries): of each softmax, for the backward pass.
extern "C" void forward(const Tiles& tiles, Heads q, Heads k, Heads v, Heads out,
                        float* log_sums) {
    size_t K = tiles.head_size, W = rounded_up(K);
    in_parallel(tiles, [&](size_t, size_t group, size_t tile) {
        thread_local std::vector<pair> keys, values;
        thread_local std::vector<float> scores, mixed, sums;
        thread_local std::vector<bf16> weights;
        size_t first = tiles.first(tile), R = tiles.R(tile), N = tiles.N(tile), M = rounded_up(N);
        pack_over_channels(tiles, tile, k, group, keys);
        pack_over_keys(tiles, tile, v, group, values);
        scores.resize(R * M), weights.resize(R * M), mixed.resize(R * W), sums.resize(R);
        each_head(tiles, group, [&](size_t head) {
            make_scores(tiles, tile, q, head, keys, scores.data());
            for (size_t i = 0; i < R; i++) {
                float most = greatest(&scores[i * M], M);
                sums[i] = exponentiate(&scores[i * M], M, most, &weights[i * M]);
                log_sums[head * tiles.queries + first + i] = most + std::log(sums[i]);
            }
            for (size_t c = 0; c < W; c += BLOCK)
                multiply<false>(R, {(const pair*)weights.data(), M / 2, 1}, &values[c], W,
                                (N + 1) / 2, 1, &mixed[c], W);
            for (size_t i = 0; i < R; i++) {
                for (size_t c = 0; c < K; c++) mixed[i * W + c] /= sums[i];
                store_rounded(out.at(head, first + i), &mixed[i * W], K);
            }
        });
    });
}

extern "C" void backward(const Tiles& tiles, Heads q, Heads k, Heads v, Heads grad_out,
                         const float* log_sums, Heads grad_q, Heads grad_k, Heads grad_v) {
    size_t K = tiles.head_size, W = rounded_up(K);
    std::vector<Sums> sums(omp_get_max_threads());
    in_parallel(tiles, [&](size_t thread, size_t group, size_t tile) {
        thread_local std::vector<pair> keys, values, keys_back, weight_pairs, slope_pairs, q_pairs,
            grad_pairs;
        thread_local std::vector<float> scores, grads, mixed, tile_k, tile_v;
        thread_local std::vector<bf16> weights, slopes;
        size_t first = tiles.first(tile), R = tiles.R(tile), N = tiles.N(tile), M = rounded_up(N);
        pack_over_channels(tiles, tile, k, group, keys);
        pack_over_channels(tiles, tile, v, group, values);
        pack_over_keys(tiles, tile, k, group, keys_back);
        size_t row_pairs = (R + 1) / 2;
        for (auto* x : {&scores, &grads}) x->resize(R * M);
        for (auto* x : {&weights, &slopes}) x->resize(R * M);
        for (auto* x : {&weight_pairs, &slope_pairs}) x->resize(row_pairs * M);
        for (auto* x : {&q_pairs, &grad_pairs}) x->assign(row_pairs * W, 0);
        for (auto* x : {&tile_k, &tile_v}) x->assign(N * W, 0);
        mixed.resize(R * W);
        each_head(tiles, group, [&](size_t head) {
            make_scores(tiles, tile, q, head, keys, scores.data());
            multiply_with_keys(tiles, tile, grad_out, head, values, 1, grads.data());
            for (size_t i = 0; i < R; i++) {
                float log_sum = log_sums[head * tiles.queries + first + i];
                exponentiate(&scores[i * M], M, log_sum, &weights[i * M]);
                softmax_backward(&scores[i * M], &grads[i * M], M, &slopes[i * M]);
            }
            pair_rows(R, weights.data(), M, M, weight_pairs.data(), M);
            pair_rows(R, slopes.data(), M, M, slope_pairs.data(), M);
            pair_rows(R, q.at(head, first), q.token_stride, K, q_pairs.data(), W);
            pair_rows(R, grad_out.at(head, first), grad_out.token_stride, K, grad_pairs.data(), W);
            for (size_t c = 0; c < W; c += BLOCK) {
                multiply<false>(R, {(const pair*)slopes.data(), M / 2, 1}, &keys_back[c], W,
                                (N + 1) / 2, tiles.scale, &mixed[c], W);
                multiply<true>(N, {slope_pairs.data(), 1, M}, &q_pairs[c], W, row_pairs,
                               tiles.scale, &tile_k[c], W);
                multiply<true>(N, {weight_pairs.data(), 1, M}, &grad_pairs[c], W, row_pairs, 1,
                               &tile_v[c], W);
            }
            for (size_t i = 0; i < R; i++)
                store_rounded(grad_q.at(head, first + i), &mixed[i * W], K);
        });
        sums[thread].add(tiles, tile, group, &Sums::k, tile_k);
        sums[thread].add(tiles, tile, group, &Sums::v, tile_v);
    });
    store_totals(tiles, sums, &Sums::k, grad_k);
    store_totals(tiles, sums, &Sums::v, grad_v);
}
