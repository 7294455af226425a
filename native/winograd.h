// Convolution with windows of 3 x 3 at every position, by fewer multiplications.
//
// Four results of 2 x 2 positions take 16 products instead of 36 when tiles of 4 x 4 of the source
// and the kernel are transformed first (Winograd, 1980; Lavin and Gray, 2015, F(2x2, 3x3)). Sums
// over channels then are 16 products of matrices. The gradient for the source is the same with
// the kernel turned round; that for the kernel runs the transforms backwards.
#pragma once

#include <algorithm>
#include <vector>

#include "across.h"
#include "finish.h"
#include "handler.h"

namespace slipstream {

constexpr int kPoints = 16;  // of a transformed tile

// y[n, p, o] = sum over windows k, channels c of x[n, p + k - low, c] * w[k, c, o]
struct Plane {
  int64_t batch, height, width, channels;
  int64_t out_height, out_width, filters;
  int64_t low_y, low_x;

  int64_t across() const { return (out_width + 1) / 2; }
  int64_t down() const { return (out_height + 1) / 2; }
  int64_t tiles() const { return batch * down() * across(); }
};

// Where tiles lie, one after the other.
struct TilePlace {
  int64_t image, y, x;  // of the tile's results, in pairs

  TilePlace(const Plane& p, int64_t index)
      : image(index / (p.down() * p.across())),
        y(index / p.across() % p.down()),
        x(index % p.across()) {}
  void next(const Plane& p) {
    if (++x < p.across()) return;
    x = 0;
    if (++y < p.down()) return;
    y = 0;
    ++image;
  }
};

inline int64_t whole_lanes(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// Numbers from a point's tiles to the next point's. A line more than there are: at a multiple of a
// page's size the 16 places that a tile goes to would share one set of the cache.
inline int64_t apart(int64_t count, int64_t step) { return count * step + 16; }

// The source's tiles [first, first + count), transformed: to[point][tile][channel], `step` a tile.
template <class T>
void transform_source(const Plane& p, const T* source, int64_t first, int64_t count, int64_t step,
                      float* to) {
  static thread_local Scratch scratch;
  float* const nothing = scratch.get(step);
  std::fill(nothing, nothing + step, 0.0f);
  const int64_t next = apart(count, step);
  TilePlace place(p, first);
  for (int64_t t = 0; t < count; ++t, place.next(p)) {
    const int64_t top = 2 * place.y - p.low_y, left = 2 * place.x - p.low_x;
    const T* const corner =
        source + ((place.image * p.height + top) * p.width + left) * p.channels;
    const bool inside = top >= 0 && top + 4 <= p.height && left >= 0 && left + 4 <= p.width;
    const T* at[4][4];
    SLIPSTREAM_UNROLL for (int i = 0; i < 4; ++i)
      SLIPSTREAM_UNROLL for (int j = 0; j < 4; ++j) {
        const bool here = inside || (top + i >= 0 && top + i < p.height && left + j >= 0 &&
                                     left + j < p.width);
        at[i][j] = here ? corner + (i * p.width + j) * p.channels
                        : reinterpret_cast<const T*>(nothing);
      }
    const auto work = [&](int64_t c, const auto& read) {
      Wide d[4][4];
      SLIPSTREAM_UNROLL for (int j = 0; j < 4; ++j) {
        Wide column[4];
        SLIPSTREAM_UNROLL for (int i = 0; i < 4; ++i) column[i] = read(at[i][j] + c);
        d[0][j] = column[0] - column[2];
        d[1][j] = column[1] + column[2];
        d[2][j] = column[2] - column[1];
        d[3][j] = column[1] - column[3];
      }
      SLIPSTREAM_UNROLL for (int i = 0; i < 4; ++i) {
        float* const row = to + 4 * i * next + t * step + c;
        store(row, d[i][0] - d[i][2]);
        store(row + next, d[i][1] + d[i][2]);
        store(row + 2 * next, d[i][2] - d[i][1]);
        store(row + 3 * next, d[i][1] - d[i][3]);
      }
    };
    int64_t c = 0;
    for (; c + kLanes <= p.channels; c += kLanes)
      work(c, [](const T* from) { return load<Wide>(from); });
    if (c < p.channels)
      work(c, [&](const T* from) { return load_first<Wide>(from, p.channels - c); });
  }
}

// Results of tiles from their products: from[point][tile][filter], `step` a tile.
template <class T>
void transform_products(const Plane& p, const float* from, int64_t first, int64_t count,
                        int64_t step, const Finish& finish, T* target) {
  const int64_t next = apart(count, step);
  TilePlace place(p, first);
  for (int64_t t = 0; t < count; ++t, place.next(p)) {
    T* const corner = target + ((place.image * p.out_height + 2 * place.y) * p.out_width +
                                2 * place.x) * p.filters;
    const bool below = 2 * place.y + 1 < p.out_height, beside = 2 * place.x + 1 < p.out_width;
    const auto work = [&](int64_t o, const auto& write) {
      Wide rows[2][4];
      SLIPSTREAM_UNROLL for (int j = 0; j < 4; ++j) {
        Wide m[4];
        SLIPSTREAM_UNROLL for (int i = 0; i < 4; ++i)
          m[i] = load<Wide>(from + (4 * i + j) * next + t * step + o);
        rows[0][j] = m[0] + m[1] + m[2];
        rows[1][j] = m[1] - m[2] - m[3];
      }
      const Ending<Wide> ending = finish.at<Wide>(o);
      for (int i = 0; i < (below ? 2 : 1); ++i) {
        T* const at = corner + i * p.out_width * p.filters + o;
        write(at, ending(rows[i][0] + rows[i][1] + rows[i][2]));
        if (beside) write(at + p.filters, ending(rows[i][1] - rows[i][2] - rows[i][3]));
      }
    };
    int64_t o = 0;
    for (; o + kLanes <= p.filters; o += kLanes) work(o, [](T* at, Wide v) { store(at, v); });
    if (o < p.filters) work(o, [&](T* at, Wide v) { store_first(at, v, p.filters - o); });
  }
}

// The transpose of `transform_products`: to[point][tile][filter] from gradients of results.
template <class T>
void transform_gradients(const Plane& p, const T* dy, int64_t first, int64_t count, int64_t step,
                         float* to) {
  const int64_t next = apart(count, step);
  TilePlace place(p, first);
  for (int64_t t = 0; t < count; ++t, place.next(p)) {
    const T* const corner = dy + ((place.image * p.out_height + 2 * place.y) * p.out_width +
                                  2 * place.x) * p.filters;
    const bool below = 2 * place.y + 1 < p.out_height, beside = 2 * place.x + 1 < p.out_width;
    const int64_t line = p.out_width * p.filters;
    const auto work = [&](int64_t o, const auto& read) {
      const Wide none = {};
      const Wide y[2][2] = {{read(corner + o), beside ? read(corner + p.filters + o) : none},
                            {below ? read(corner + line + o) : none,
                             below && beside ? read(corner + line + p.filters + o) : none}};
      Wide rows[4][2];
      SLIPSTREAM_UNROLL for (int j = 0; j < 2; ++j) {
        rows[0][j] = y[0][j];
        rows[1][j] = y[0][j] + y[1][j];
        rows[2][j] = y[0][j] - y[1][j];
        rows[3][j] = -y[1][j];
      }
      SLIPSTREAM_UNROLL for (int i = 0; i < 4; ++i) {
        float* const row = to + 4 * i * next + t * step + o;
        store(row, rows[i][0]);
        store(row + next, rows[i][0] + rows[i][1]);
        store(row + 2 * next, rows[i][0] - rows[i][1]);
        store(row + 3 * next, -rows[i][1]);
      }
    };
    int64_t o = 0;
    for (; o + kLanes <= p.filters; o += kLanes)
      work(o, [](const T* from) { return load<Wide>(from); });
    if (o < p.filters)
      work(o, [&](const T* from) { return load_first<Wide>(from, p.filters - o); });
  }
}

// The kernel transformed and packed: 16 matrices in panels. at(i, j, c, o) is a number of it.
template <class At>
void transform_kernel(Threads& threads, const Plane& p, const std::vector<Panel>& panels,
                      float* to, const At& at) {
  typedef Vector<4> Some;
  const int64_t matrix = p.channels * packed_columns(panels);
  parallel_ranges(threads, p.channels, 2048 / p.filters + 1, [&](int64_t begin, int64_t end) {
    for (const Panel& panel : panels)
      for (int64_t c = begin; c < end; ++c)
        for (int64_t o = 0; o < panel.width; o += 4) {
          Some half[4][3];
          SLIPSTREAM_UNROLL for (int j = 0; j < 3; ++j) {
            Some g[3];
            SLIPSTREAM_UNROLL for (int i = 0; i < 3; ++i) {
              float four[4];
              SLIPSTREAM_UNROLL for (int l = 0; l < 4; ++l)
                four[l] = o + l < panel.count ? at(i, j, c, panel.first + o + l) : 0.0f;
              g[i] = load<Some>(four);
            }
            half[0][j] = g[0];
            half[1][j] = 0.5f * (g[0] + g[1] + g[2]);
            half[2][j] = 0.5f * (g[0] - g[1] + g[2]);
            half[3][j] = g[2];
          }
          float* const place = to + panel.packed * p.channels + c * panel.width + o;
          SLIPSTREAM_UNROLL for (int i = 0; i < 4; ++i) {
            store(place + (4 * i) * matrix, half[i][0]);
            store(place + (4 * i + 1) * matrix, 0.5f * (half[i][0] + half[i][1] + half[i][2]));
            store(place + (4 * i + 2) * matrix, 0.5f * (half[i][0] - half[i][1] + half[i][2]));
            store(place + (4 * i + 3) * matrix, half[i][2]);
          }
        }
  });
}

// Tiles of a block, whose transforms stay in the second cache.
inline int64_t tiles_of_block(const Plane& p, int64_t step, int64_t width, int64_t threads) {
  const int64_t most = std::clamp<int64_t>(6144 / (step + width) / 12 * 12, 12, 192);
  const int64_t fair = (p.tiles() + 2 * threads - 1) / (2 * threads);
  return std::min(most, std::max<int64_t>(12, (fair + 11) / 12 * 12));
}

inline std::vector<Panel> whole_panels(int64_t columns) {
  std::vector<Panel> panels = panels_of(columns);
  for (Panel& panel : panels) panel.count = panel.width;
  return panels;
}

template <class T, class At>
void winograd(Threads& threads, const Plane& p, const T* source, const Finish& finish, T* target,
              const At& at) {
  const std::vector<Panel> panels = panels_of(p.filters), whole = whole_panels(p.filters);
  const int64_t step = whole_lanes(p.channels), width = whole_lanes(packed_columns(panels));
  const int64_t matrix = p.channels * packed_columns(panels);
  static thread_local Scratch kernels;
  float* const kernel = kernels.get(kPoints * matrix);
  transform_kernel(threads, p, panels, kernel, at);
  const int64_t block = tiles_of_block(p, step, width, thread_count(threads));
  const int64_t blocks = (p.tiles() + block - 1) / block;
  parallel_for(threads, blocks, [&](int64_t index) {
    static thread_local Scratch spreading, multiplying;
    static thread_local std::vector<int64_t> from, to;
    const int64_t first = index * block, count = std::min(block, p.tiles() - first);
    float* const tiles = spreading.get(kPoints * apart(count, step));
    float* const products = multiplying.get(kPoints * apart(count, width));
    transform_source(p, source, first, count, step, tiles);
    from.resize(count);
    to.resize(count);
    for (int64_t t = 0; t < count; ++t) {
      from[t] = t * step;
      to[t] = t * width;
    }
    const std::vector<Run> runs = {{0, p.channels}};
    for (int point = 0; point < kPoints; ++point) {
      const Rows<float> rows{tiles + point * apart(count, step), from.data(),
                             products + point * apart(count, width), to.data(), count};
      multiply(rows, runs, p.channels, whole, kernel + point * matrix);
    }
    transform_products(p, products, first, count, width, finish, target);
  });
}

// dw[i, j, c, o], the gradient of the kernel.
template <class T>
void winograd_kernel_gradient(Threads& threads, const Plane& p, const T* x, const T* dy, T* dw) {
  const std::vector<Panel> whole = whole_panels(p.filters);
  const int64_t step = whole_lanes(p.channels), width = whole_lanes(packed_columns(whole));
  const int64_t matrix = p.channels * width;
  const int64_t block = tiles_of_block(p, step, width, 1);
  const int64_t blocks = (p.tiles() + block - 1) / block;
  // Each part sums apart; what is in it depends on the shape alone.
  const int64_t most = std::clamp<int64_t>(16384 / (p.channels * p.filters), 4, 16);
  const int64_t parts = std::min(most, blocks);
  static thread_local Scratch summing;
  float* const sums = summing.get(parts * kPoints * matrix);
  parallel_for(threads, parts, [&](int64_t part) {
    static thread_local Scratch spreading, sloping;
    float* const own = sums + part * kPoints * matrix;
    const int64_t begin = part * blocks / parts, end = (part + 1) * blocks / parts;
    for (int64_t index = begin; index < end; ++index) {
      const int64_t first = index * block, count = std::min(block, p.tiles() - first);
      float* const tiles = spreading.get(kPoints * apart(count, step));
      float* const slopes = sloping.get(kPoints * apart(count, width));
      transform_source(p, x, first, count, step, tiles);
      transform_gradients(p, dy, first, count, width, slopes);
      for (int point = 0; point < kPoints; ++point)
        for (const Panel& panel : whole)
          across(tiles + point * apart(count, step), step, p.channels, panel,
                 slopes + point * apart(count, width) + panel.first, width, count,
                 own + point * matrix + panel.first, width, index == begin);
    }
  });
  parallel_ranges(threads, p.channels, 512 / p.filters + 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      for (int64_t o = 0; o < p.filters; o += kLanes) {
        Wide u[4][4] = {};
        for (int64_t part = 0; part < parts; ++part)
          for (int point = 0; point < kPoints; ++point)
            u[point / 4][point % 4] +=
                load<Wide>(sums + (part * kPoints + point) * matrix + c * width + o);
        const int64_t left = std::min<int64_t>(kLanes, p.filters - o);
        SLIPSTREAM_UNROLL for (int i = 0; i < 3; ++i) {
          Wide row[4];
          SLIPSTREAM_UNROLL for (int j = 0; j < 4; ++j) {
            const Wide plus = 0.5f * (u[1][j] + u[2][j]), minus = 0.5f * (u[1][j] - u[2][j]);
            row[j] = i == 0 ? u[0][j] + plus : i == 1 ? minus : plus + u[3][j];
          }
          const Wide plus = 0.5f * (row[1] + row[2]), minus = 0.5f * (row[1] - row[2]);
          T* const at = dw + (3 * i * p.channels + c) * p.filters + o;
          const int64_t tap = p.channels * p.filters;
          store_first(at, row[0] + plus, left);
          store_first(at + tap, minus, left);
          store_first(at + 2 * tap, plus + row[3], left);
        }
      }
  });
}

}  // namespace slipstream
