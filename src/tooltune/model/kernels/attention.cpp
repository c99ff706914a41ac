// Tree attention in tiles (see tiles.py), fused: the scores of one head and tile exist at a time,
// in the processor's cache. What is multiplied is bfloat16; scores, softmax, its gradient and all
// sums are float32.
//
// Called by fused.py, which has the same structs.
//
// Shapes as in tiles.py: R queries and N keys of a tile, H query heads, G key/value heads, K head
// size. W is K, and M is N, rounded up to BLOCK.

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bfloat16.hpp"

namespace {

constexpr float HIDDEN = -1e30f;  // a score whose weight is 0

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

// A tile's keys as B of a product over channels: (M / BLOCK, K / 2, BLOCK), zero where there is
// none.
void pack_over_channels(const Tiles& tiles, size_t tile, Heads x, size_t group,
                        std::vector<pair>& out) {
    size_t steps = tiles.head_size / 2, N = tiles.N(tile);
    out.assign(rounded_up(N) * steps, 0);
    const bf16* rows[LANES] = {};
    tiles.each_key(tile, [&](size_t place, size_t key) {
        size_t row = place % LANES, first = place - row;
        rows[row] = x.at(group, key);
        if (row + 1 < LANES && place + 1 < N) return;
        pair* to = out.data() + first / BLOCK * steps * BLOCK + first % BLOCK;
        for (size_t s = 0; s < steps; s += LANES) {
            __m512i square[LANES];
            for (size_t i = 0; i < LANES; i++)
                square[i] = _mm512_maskz_loadu_epi32(i <= row ? lanes_before(steps - s) : 0,
                                                     rows[i] + 2 * s);
            transpose(square, to + s * BLOCK, BLOCK, std::min(LANES, steps - s));
        }
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

// Scores (R, M) of a tile's queries in one head, times log2(e), so that softmax is made of powers
// of 2; HIDDEN what they do not see.
void make_scores(const Tiles& tiles, size_t tile, Heads q, size_t head,
                 const std::vector<pair>& keys, float* out) {
    size_t N = tiles.N(tile), M = rounded_up(N), hidden_keys = tiles.hidden_keys[tile];
    multiply_with_keys(tiles, tile, q, head, keys, tiles.scale * LOG2_E, out);
    const float* hidden = tiles.hidden + tiles.hidden_starts[tile];
    for (size_t i = 0; i < tiles.R(tile); i++, out += M, hidden += hidden_keys) {
        float* last = out + N - hidden_keys;
        for (size_t j = 0; j < hidden_keys; j++) last[j] = hidden[j] < 0 ? HIDDEN : last[j];
        std::fill(out + N, out + M, HIDDEN);
    }
}

// 2^(scores - most) of M scores, rounded; returns the sum of what is not rounded.
float exponentiate(const float* scores, size_t M, float most, bf16* weights) {
    __m512 shift = _mm512_set1_ps(most), sum = _mm512_setzero_ps();
    for (size_t n = 0; n < M; n += LANES) {
        __m512 weight = exp2(_mm512_sub_ps(_mm512_loadu_ps(scores + n), shift));
        sum = _mm512_add_ps(sum, weight);
        store_rounded(weights + n, weight);
    }
    return _mm512_reduce_add_ps(sum);
}

float greatest(const float* x, size_t n) {
    __m512 most = _mm512_set1_ps(-INFINITY);
    for (size_t i = 0; i < n; i += LANES) most = _mm512_max_ps(most, _mm512_loadu_ps(x + i));
    return _mm512_reduce_max_ps(most);
}

// Of two rows of M scores: softmax in their place, as pairs of the rows, and from its gradient that
// of the scores, as rows and as pairs of rows.
void softmax_backward(float* scores, const float* grads, size_t M, const float* log_sums,
                      pair* weight_pairs, bf16* slopes, pair* slope_pairs) {
    __m512 weights[2], sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (size_t n = 0; n < M; n += LANES) {
        for (int row = 0; row < 2; row++) {
            float* at = scores + row * M + n;
            __m512 shift = _mm512_set1_ps(log_sums[row]);
            weights[row] = exp2(_mm512_sub_ps(_mm512_loadu_ps(at), shift));
            _mm512_storeu_ps(at, weights[row]);
            __m512 grad = _mm512_loadu_ps(grads + row * M + n);
            sums[row] = _mm512_fmadd_ps(weights[row], grad, sums[row]);
        }
        _mm512_storeu_si512(weight_pairs + n, rounded_pairs(weights[0], weights[1]));
    }
    for (auto& sum : sums) sum = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
    for (size_t n = 0; n < M; n += LANES) {
        __m512 slope[2];
        for (int row = 0; row < 2; row++) {
            size_t at = row * M + n;
            __m512 grad = _mm512_sub_ps(_mm512_loadu_ps(grads + at), sums[row]);
            slope[row] = _mm512_mul_ps(_mm512_loadu_ps(scores + at), grad);
            store_rounded(slopes + at, slope[row]);
        }
        _mm512_storeu_si512(slope_pairs + n, rounded_pairs(slope[0], slope[1]));
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

// What a thread works in, kept for the next tile.
struct Scratch {
    std::vector<pair> keys, values, keys_back, weight_pairs, slope_pairs, q_pairs, grad_pairs;
    std::vector<float> scores, grads, sums, mixed, tile_k, tile_v;
    std::vector<bf16> weights, slopes;

    static Scratch& of_thread() {
        static thread_local Scratch scratch;
        return scratch;
    }
};

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

// `log_sums` (H, queries): the logarithm to base 2 of each softmax's sum, for the backward pass.
extern "C" void attention(const Tiles& tiles, Heads q, Heads k, Heads v, Heads out,
                          float* log_sums) {
    size_t K = tiles.head_size, W = rounded_up(K), shared = tiles.heads / tiles.groups;
    in_parallel(tiles, [&](size_t, size_t group, size_t tile) {
        Scratch& own = Scratch::of_thread();
        size_t first = tiles.first(tile), R = tiles.R(tile), N = tiles.N(tile), M = rounded_up(N);
        pack_over_channels(tiles, tile, k, group, own.keys);
        pack_over_keys(tiles, tile, v, group, own.values);
        own.scores.resize(R * M), own.weights.resize(R * M);
        own.mixed.resize(R * W), own.sums.resize(R);
        for (size_t head = group * shared; head < (group + 1) * shared; head++) {
            make_scores(tiles, tile, q, head, own.keys, own.scores.data());
            for (size_t i = 0; i < R; i++) {
                float most = greatest(&own.scores[i * M], M);
                if (most == HIDDEN) most = NAN;  // what it sees overflowed: the run must stop
                own.sums[i] = exponentiate(&own.scores[i * M], M, most, &own.weights[i * M]);
                log_sums[head * tiles.queries + first + i] = most + std::log2(own.sums[i]);
            }
            Pairs weights{(const pair*)own.weights.data(), M / 2, 1};
            for (size_t c = 0; c < W; c += BLOCK)
                multiply<false>(R, weights, &own.values[c], W, (N + 1) / 2, 1, &own.mixed[c], W);
            for (size_t i = 0; i < R; i++) {
                for (size_t c = 0; c < K; c++) own.mixed[i * W + c] /= own.sums[i];
                store_rounded(out.at(head, first + i), &own.mixed[i * W], K);
            }
        }
    });
}

extern "C" void attention_backward(const Tiles& tiles, Heads q, Heads k, Heads v, Heads grad_out,
                                   const float* log_sums, Heads grad_q, Heads grad_k,
                                   Heads grad_v) {
    size_t K = tiles.head_size, W = rounded_up(K), shared = tiles.heads / tiles.groups;
    std::vector<Sums> sums(omp_get_max_threads());
    in_parallel(tiles, [&](size_t thread, size_t group, size_t tile) {
        Scratch& own = Scratch::of_thread();
        size_t first = tiles.first(tile), R = tiles.R(tile), N = tiles.N(tile), M = rounded_up(N);
        size_t row_pairs = (R + 1) / 2;
        pack_over_channels(tiles, tile, k, group, own.keys);
        pack_over_channels(tiles, tile, v, group, own.values);
        pack_over_keys(tiles, tile, k, group, own.keys_back);
        for (auto* x : {&own.scores, &own.grads}) x->resize(2 * row_pairs * M);
        for (auto* x : {&own.weight_pairs, &own.slope_pairs}) x->resize(row_pairs * M);
        for (auto* x : {&own.q_pairs, &own.grad_pairs}) x->assign(row_pairs * W, 0);
        for (auto* x : {&own.tile_k, &own.tile_v}) x->assign(N * W, 0);
        own.slopes.resize(2 * row_pairs * M), own.mixed.resize(R * W);
        own.sums.assign(2 * row_pairs, 0);
        for (size_t head = group * shared; head < (group + 1) * shared; head++) {
            make_scores(tiles, tile, q, head, own.keys, own.scores.data());
            multiply_with_keys(tiles, tile, grad_out, head, own.values, 1, own.grads.data());
            // Of an odd number of rows the last one's partner has weights of 0.
            std::fill(own.scores.begin() + R * M, own.scores.end(), HIDDEN);
            std::fill(own.grads.begin() + R * M, own.grads.end(), 0);
            std::copy_n(log_sums + head * tiles.queries + first, R, own.sums.begin());
            for (size_t i = 0; i < R; i += 2)
                softmax_backward(&own.scores[i * M], &own.grads[i * M], M, &own.sums[i],
                                 &own.weight_pairs[i / 2 * M], &own.slopes[i * M],
                                 &own.slope_pairs[i / 2 * M]);
            pair_rows(R, q.at(head, first), q.token_stride, K, own.q_pairs.data(), W);
            pair_rows(R, grad_out.at(head, first), grad_out.token_stride, K,
                      own.grad_pairs.data(), W);
            Pairs slopes{(const pair*)own.slopes.data(), M / 2, 1};
            Pairs slope_pairs{own.slope_pairs.data(), 1, M};
            Pairs weight_pairs{own.weight_pairs.data(), 1, M};
            for (size_t c = 0; c < W; c += BLOCK) {
                multiply<false>(R, slopes, &own.keys_back[c], W, (N + 1) / 2, tiles.scale,
                                &own.mixed[c], W);
                multiply<true>(N, slope_pairs, &own.q_pairs[c], W, row_pairs, tiles.scale,
                               &own.tile_k[c], W);
                multiply<true>(N, weight_pairs, &own.grad_pairs[c], W, row_pairs, 1,
                               &own.tile_v[c], W);
            }
            for (size_t i = 0; i < R; i++)
                store_rounded(grad_q.at(head, first + i), &own.mixed[i * W], K);
        }
        sums[thread].add(tiles, tile, group, &Sums::k, own.tile_k);
        sums[thread].add(tiles, tile, group, &Sums::v, own.tile_v);
    });
    store_totals(tiles, sums, &Sums::k, grad_k);
    store_totals(tiles, sums, &Sums::v, grad_v);
}
