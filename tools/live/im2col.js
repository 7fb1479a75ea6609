// What windows see, as a matrix: a convolution is then a product of two matrices. Maps are
// {data, shape: [channels, height, width]}; data is a Float32Array, row by row, channel after channel.

/**
 * One row for each weight of a window, one column for each of its places: the pixel which this weight meets there. A
 * window of one pixel, without padding, meets the maps as they are.
 */
export function im2col({data, shape: [channels, height, width]}, size, stride = 1, padding = 0) {
  const rows = Math.floor((height + 2 * padding - size) / stride) + 1;
  const columns = Math.floor((width + 2 * padding - size) / stride) + 1;
  if (size === 1 && stride === 1 && padding === 0) return {met: data, rows, columns};
  const met = new Float32Array(channels * size * size * rows * columns);
  let to = 0;
  for (let i = 0; i < channels; i++)
    for (let a = 0; a < size; a++)
      for (let b = 0; b < size; b++)
        for (let r = 0; r < rows; r++) {
          const y = r * stride + a - padding;
          for (let c = 0; c < columns; c++, to++) {
            const x = c * stride + b - padding;
            if (y >= 0 && y < height && x >= 0 && x < width) met[to] = data[(i * height + y) * width + x];
          }
        }
  return {met, rows, columns};
}
