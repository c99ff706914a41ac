// Tree attention in tiles (see tiles.py), fused: the scores of one head and tile exist at a time,
// in the processor's cache. What is multiplied is `number`s; scores, softmax, its gradient and all
// sums are float32. Called by fused.py.
//
// Shapes as in tiles.py: R queries and N keys of a tile, H query heads, G key/value heads, K head
// size. W is K, and M is N, rounded up to BLOCK.

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tiles.hpp"

namespace {

constexpr float HIDDEN = -1e30f;  // a score whose weight is 0

// Some rows of a tile in one head, and the keys up to the last one that they see.
struct Part {
    size_t head, query, R, N, M;  // query is the first one's
    const float* hidden;          // of the last `partly_seen` keys, as (R, hidden_row)
    size_t hidden_row, partly_seen;

    Part(const Tiles& tiles, size_t tile, size_t head, size_t first)
        : head(head), query(tiles.first(tile) + first) {
        R = std::min(tiles.R(tile) - first, SCORE_ROWS), N = tiles.N(tile, first + R);
        M = rounded_up(N), hidden_row = tiles.hidden_keys[tile];
        hidden = tiles.hidden + tiles.hidden_starts[tile] + first * hidden_row;
        partly_seen = hidden_row - (tiles.N(tile) - N);
    }
};

// What a thread works in, kept for the next tile.
struct Scratch {
    std::vector<unit> keys, values, keys_back, weight_units, slope_units, q_units, grad_units;
    std::vector<float> scores, grads, sums, mixed;
    std::vector<number> rows, weights, slopes;

    static Scratch& of_thread() {
        static thread_local Scratch scratch;
        return scratch;
    }
};

// (R, M): a part's rows of x with what is packed over channels.
void multiply_with_keys(const Tiles& tiles, const Part& part, Heads x,
                        const std::vector<unit>& packed, float scale, float* out) {
    size_t K = tiles.head_size, steps = K / UNIT;
    std::vector<number>& rows = Scratch::of_thread().rows;  // next to each other
    rows.resize(SCORE_ROWS * K);
    for (size_t i = 0; i < part.R; i++)
        std::copy_n(x.at(part.head, part.query + i), K, &rows[i * K]);
    for (size_t n = 0; n < part.M; n += BLOCK)
        multiply_rows<false>(part.R, {(const unit*)rows.data(), steps, 1}, &packed[n * steps],
                             BLOCK, steps, scale, out + n, part.M);
}

// (R, W): rows of N weights with what is packed over keys.
void multiply_over_keys(size_t R, Units weights, const std::vector<unit>& packed, size_t N,
                        size_t W, float scale, float* out) {
    std::fill_n(out, R * W, 0);
    for (size_t steps = steps_over(N), first = 0; first < steps; first += OVER_KEYS) {
        size_t count = std::min(OVER_KEYS, steps - first);
        for (size_t c = 0; c < W; c += BLOCK)
            multiply_rows<true>(R, {weights.data + first, weights.row, 1},
                                &packed[first * W + c * OVER_KEYS], BLOCK, count, scale, out + c,
                                W);
    }
}

// Scores (R, M) of a part, times log2(e), so that softmax is made of powers of 2; HIDDEN what its
// rows do not see.
void make_scores(const Tiles& tiles, const Part& part, Heads q, const std::vector<unit>& keys,
                 float* out) {
    multiply_with_keys(tiles, part, q, keys, tiles.scale * LOG2_E, out);
    const float* hidden = part.hidden;
    for (size_t i = 0; i < part.R; i++, out += part.M, hidden += part.hidden_row) {
        float* last = out + part.N - part.partly_seen;
        for (size_t j = 0; j < part.partly_seen; j++)
            last[j] = hidden[j] < 0 ? HIDDEN : last[j];
        std::fill(out + part.N, out + part.M, HIDDEN);
    }
}

// 2^(scores - most) of M scores, rounded; returns the sum of what is not rounded.
float exponentiate(const float* scores, size_t M, float most, number* weights) {
    floats sum = {};
    for (size_t n = 0; n < M; n += LANES) {
        floats weight = exp2(widened(scores + n) - most);
        sum += weight;
        store_rounded(weights + n, weight);
    }
    return sum_of(sum);
}

float greatest(const float* x, size_t n) {
    floats most = widened(x);
    for (size_t i = LANES; i < n; i += LANES) {
        floats other = widened(x + i);
        most = most > other ? most : other;
    }
    return *std::max_element((float*)&most, (float*)&most + LANES);
}

// Of UNIT rows of M scores: softmax in their place, as units of the rows, and from its gradient
// that of the scores, as rows and as units of rows.
void softmax_backward(float* scores, const float* grads, size_t M, const float* log_sums,
                      unit* weight_units, number* slopes, unit* slope_units) {
    floats weights[UNIT], sums[UNIT] = {};
    for (size_t n = 0; n < M; n += LANES) {
        for (size_t row = 0; row < UNIT; row++) {
            size_t at = row * M + n;
            weights[row] = exp2(widened(scores + at) - log_sums[row]);
            store(scores + at, weights[row]);
            sums[row] += weights[row] * widened(grads + at);
        }
        store_units(weight_units + n, weights);
    }
    float means[UNIT];
    for (size_t row = 0; row < UNIT; row++) means[row] = sum_of(sums[row]);
    for (size_t n = 0; n < M; n += LANES) {
        floats slope[UNIT];
        for (size_t row = 0; row < UNIT; row++) {
            size_t at = row * M + n;
            slope[row] = widened(scores + at) * (widened(grads + at) - means[row]);
            store_rounded(slopes + at, slope[row]);
        }
        store_units(slope_units + n, slope);
    }
}

// Pairs (group, tile), groups outermost, divided among threads by their multiplications. What a
// thread does depends on their number alone, so sums come out the same each time. The last number
// is that of leading keys which its work before has packed: neighbours share them.
template <class Work>
void in_parallel(const Tiles& tiles, Work work) {
    std::vector<size_t> cost{0};
    for (size_t item = 0; item < tiles.groups * tiles.count; item++)
        cost.push_back(cost.back() + tiles.R(item % tiles.count) * tiles.N(item % tiles.count));
#pragma omp parallel
    {
        size_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
        bool is_first = true;
        for (size_t item = 0; item + 1 < cost.size(); item++) {
            if (cost[item] * threads / cost.back() != thread) continue;
            size_t group = item / tiles.count, tile = item % tiles.count;
            work(thread, group, tile, is_first ? 0 : tiles.as_before(tile));
            is_first = false;
        }
    }
}

// A tile's rows in each head of a group, SCORE_ROWS at a time.
template <class Work>
void each_part(const Tiles& tiles, size_t tile, size_t group, Work work) {
    size_t shared = tiles.heads / tiles.groups;
    for (size_t head = group * shared; head < (group + 1) * shared; head++)
        for (size_t first = 0; first < tiles.R(tile); first += SCORE_ROWS)
            work(Part(tiles, tile, head, first));
}

// Gradients of keys and values, (groups, keys, W) each, of the groups that a thread has met.
struct Sums {
    size_t first_group = 0, groups = 0;
    std::vector<float> k, v;

    Sums& with(const Tiles& tiles, size_t group) {
        if (!groups) first_group = group;
        groups = group + 1 - first_group;
        for (auto* x : {&k, &v}) x->resize(groups * tiles.keys * rounded_up(tiles.head_size));
        return *this;
    }
    // To one of them, of a part's keys, weights (R units, M) transposed times B (R units, W).
    void add(const Tiles& tiles, size_t tile, size_t group, const Part& part,
             std::vector<float> Sums::*which, const unit* weights, const unit* B, float scale) {
        size_t W = rounded_up(tiles.head_size), M = part.M, rows = steps_over(part.R);
        tiles.each_run(tile, [&](size_t place, size_t key, size_t count) {
            if (place >= part.N) return;
            float* to = row(tiles, group, key, which);
            count = std::min(count, part.N - place);
            for (size_t c = 0; c < W; c += BLOCK)
                multiply_rows<true>(count, {weights + place, 1, M}, B + c, W, rows, scale, to + c,
                                    W);
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
    size_t K = tiles.head_size, W = rounded_up(K);
    in_parallel(tiles, [&](size_t, size_t group, size_t tile, size_t done) {
        Scratch& own = Scratch::of_thread();
        size_t M = rounded_up(tiles.N(tile));  // at most
        pack_over_channels(tiles, tile, k, group, done, own.keys);
        pack_over_keys(tiles, tile, v, group, done, own.values);
        own.scores.resize(SCORE_ROWS * M), own.weights.resize(SCORE_ROWS * M);
        own.mixed.resize(SCORE_ROWS * W), own.sums.resize(SCORE_ROWS);
        each_part(tiles, tile, group, [&](const Part& part) {
            size_t R = part.R, M = part.M;
            make_scores(tiles, part, q, own.keys, own.scores.data());
            for (size_t i = 0; i < R; i++) {
                float most = greatest(&own.scores[i * M], M);
                if (most == HIDDEN) most = NAN;  // what it sees overflowed: the run must stop
                own.sums[i] = exponentiate(&own.scores[i * M], M, most, &own.weights[i * M]);
                log_sums[part.head * tiles.queries + part.query + i] =
                    most + std::log2(own.sums[i]);
            }
            multiply_over_keys(R, {(const unit*)own.weights.data(), M / UNIT, 1}, own.values,
                               part.N, W, 1, own.mixed.data());
            for (size_t i = 0; i < R; i++) {
                for (size_t c = 0; c < K; c++) own.mixed[i * W + c] /= own.sums[i];
                store_rounded(out.at(part.head, part.query + i), &own.mixed[i * W], K);
            }
        });
    });
}

extern "C" void attention_backward(const Tiles& tiles, Heads q, Heads k, Heads v, Heads grad_out,
                                   const float* log_sums, Heads grad_q, Heads grad_k,
                                   Heads grad_v) {
    size_t K = tiles.head_size, W = rounded_up(K);
    std::vector<Sums> sums(omp_get_max_threads());
    in_parallel(tiles, [&](size_t thread, size_t group, size_t tile, size_t done) {
        Scratch& own = Scratch::of_thread();
        size_t M = rounded_up(tiles.N(tile));  // at most
        pack_over_channels(tiles, tile, k, group, done, own.keys);
        pack_over_channels(tiles, tile, v, group, done, own.values);
        pack_over_keys(tiles, tile, k, group, done, own.keys_back);
        for (auto* x : {&own.scores, &own.grads}) x->resize(SCORE_ROWS * M);
        // Where a unit is one float32, weights and slopes stand in place of scores and gradients.
        auto *weights = (unit*)own.scores.data(), *slope_units = (unit*)own.grads.data();
        auto* slopes = (number*)own.grads.data();
        if (UNIT > 1) {
            for (auto* x : {&own.weight_units, &own.slope_units}) x->resize(SCORE_ROWS / UNIT * M);
            own.slopes.resize(SCORE_ROWS * M);
            weights = own.weight_units.data(), slope_units = own.slope_units.data();
            slopes = own.slopes.data();
        }
        for (auto* x : {&own.q_units, &own.grad_units}) x->assign(SCORE_ROWS / UNIT * W, 0);
        Sums& totals = sums[thread].with(tiles, group);
        own.mixed.resize(SCORE_ROWS * W), own.sums.assign(SCORE_ROWS, 0);
        each_part(tiles, tile, group, [&](const Part& part) {
            size_t R = part.R, M = part.M, head = part.head, row_units = steps_over(R);
            make_scores(tiles, part, q, own.keys, own.scores.data());
            multiply_with_keys(tiles, part, grad_out, own.values, 1, own.grads.data());
            // Of an odd number of rows the last one's partner has weights of 0.
            std::fill_n(own.scores.data() + R * M, (UNIT * row_units - R) * M, HIDDEN);
            std::fill_n(own.grads.data() + R * M, (UNIT * row_units - R) * M, 0);
            std::copy_n(log_sums + head * tiles.queries + part.query, R, own.sums.begin());
            for (size_t i = 0; i < R; i += UNIT)
                softmax_backward(&own.scores[i * M], &own.grads[i * M], M, &own.sums[i],
                                 &weights[i / UNIT * M], &slopes[i * M],
                                 &slope_units[i / UNIT * M]);
            interleave_rows(R, q.at(head, part.query), q.token_stride, K, own.q_units.data(), W);
            interleave_rows(R, grad_out.at(head, part.query), grad_out.token_stride, K,
                            own.grad_units.data(), W);
            totals.add(tiles, tile, group, part, &Sums::k, slope_units, own.q_units.data(),
                       tiles.scale);
            totals.add(tiles, tile, group, part, &Sums::v, weights, own.grad_units.data(), 1);
            multiply_over_keys(R, {(const unit*)slopes, M / UNIT, 1}, own.keys_back, part.N, W,
                               tiles.scale, own.mixed.data());
            for (size_t i = 0; i < R; i++)
                store_rounded(grad_q.at(head, part.query + i), &own.mixed[i * W], K);
        });
    });
    store_totals(tiles, sums, &Sums::k, grad_k);
    store_totals(tiles, sums, &Sums::v, grad_v);
}
