// The tiles of tree attention, as fused.py passes them, and their keys as products read them.
//
// Shapes as in tiles.py: R queries and N keys of a tile, K head size. W is K, and M is N, rounded
// up to BLOCK.

#pragma once

#include <algorithm>
#include <vector>

#include "numbers.hpp"

namespace {

constexpr size_t OVER_KEYS = 512;  // steps of a product at a time: its B stays in a near cache

// Heads of tokens: (heads, tokens, K), the last one contiguous.
struct Heads {
    number* data;
    size_t head_stride, token_stride;
    number* at(size_t head, size_t token) const {
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
    int64_t first_run(size_t tile) const { return tile ? run_ends[tile - 1] : 0; }

    template <class Use>  // with the place in the tile, the first key, and their number
    void each_run(size_t tile, Use use) const {
        size_t place = 0;
        for (int64_t run = first_run(tile); run < run_ends[tile]; run++) {
            size_t first = runs[2 * run], count = runs[2 * run + 1] - first;
            use(place, first, count), place += count;
        }
    }
    template <class Use>  // with the place in the tile and the key
    void each_key(size_t tile, Use use) const {
        each_run(tile, [&](size_t place, size_t first, size_t count) {
            for (size_t i = 0; i < count; i++) use(place + i, first + i);
        });
    }
    // Keys that lead a tile as they lead the one before it, in whole blocks.
    size_t as_before(size_t tile) const {
        if (!tile) return 0;
        size_t same = 0;
        int64_t other = first_run(tile - 1), run = first_run(tile), end = run_ends[tile];
        for (; other < first_run(tile) && run < end; other++, run++) {
            if (runs[2 * other] != runs[2 * run]) break;
            int64_t other_end = runs[2 * other + 1], own_end = runs[2 * run + 1];
            same += std::min(other_end, own_end) - runs[2 * run];
            if (other_end != own_end) break;
        }
        return same / BLOCK * BLOCK;
    }
    size_t N(size_t tile) const {
        size_t keys = 0;
        each_run(tile, [&](size_t, size_t, size_t count) { keys += count; });
        return keys;
    }
    // Keys up to the last one that the tile's first `rows` see: rows are in order, and none sees
    // what is behind it.
    size_t N(size_t tile, size_t rows) const {
        size_t keys = N(tile);
        const float* row_end = hidden + hidden_starts[tile] + rows * hidden_keys[tile];
        for (int64_t i = 1; i <= hidden_keys[tile] && row_end[-i] < 0; i++) keys--;
        return keys;
    }
};

// A tile's keys as B of a product over channels: (M / BLOCK, K / UNIT, BLOCK), zero where there is
// none. The first `done` of them, whole blocks, are there.
void pack_over_channels(const Tiles& tiles, size_t tile, Heads x, size_t group, size_t done,
                        std::vector<unit>& out) {
    size_t steps = tiles.head_size / UNIT, N = tiles.N(tile);
    out.resize(done * steps), out.resize(rounded_up(N) * steps);
    const unit* rows[LANES] = {};
    tiles.each_key(tile, [&](size_t place, size_t key) {
        if (place < done) return;
        size_t row = place % LANES, first = place - row;
        rows[row] = (const unit*)x.at(group, key);
        if (row + 1 == LANES || place + 1 == N)
            transpose(rows, row + 1, steps, &out[first / BLOCK * steps * BLOCK + first % BLOCK]);
    });
}

// The same as B of a product over keys, OVER_KEYS units of them at a time: (.., W / BLOCK,
// OVER_KEYS, BLOCK).
void pack_over_keys(const Tiles& tiles, size_t tile, Heads x, size_t group, size_t done,
                    std::vector<unit>& out) {
    size_t N = tiles.N(tile), K = tiles.head_size, W = rounded_up(K);
    if (!done) out.clear();
    out.resize((steps_over(N) + OVER_KEYS - 1) / OVER_KEYS * OVER_KEYS * W);
    const number* rows[UNIT] = {};
    tiles.each_key(tile, [&](size_t place, size_t key) {
        if (place < done) return;
        size_t row = place % UNIT, step = place / UNIT, in_part = step % OVER_KEYS;
        rows[row] = x.at(group, key);
        if (row + 1 < UNIT && place + 1 < N) return;
        unit* to = &out[(step - in_part) * W + in_part * BLOCK];
        for (size_t c = 0; c < K; c += BLOCK, to += OVER_KEYS * BLOCK) {
            interleave(rows, row + 1, std::min(BLOCK, K - c), to);
            for (size_t i = 0; i <= row; i++) rows[i] += BLOCK;
        }
    });
}

}  // namespace
