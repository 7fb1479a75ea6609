// A window that slides over one gray image. Images, kernels and maps are {data, shape: [rows, columns]}, row by row.

/** How many pixels a window of so many samples covers, when they lie `dilation` apart. */
export const span = (kernel, dilation) => dilation * (kernel - 1) + 1;

/**
 * Where a window can go along one side of an image, n pixels long: `places` of them, 0 where it does not fit, and
 * `lost` pixels at the far edge which no window reaches.
 */
export function places(n, kernel, {stride, padding, dilation}) {
  const room = n + 2 * padding - span(kernel, dilation);
  return room < 0 ? {room, places: 0, lost: 0} : {room, places: Math.floor(room / stride) + 1, lost: room % stride};
}

/** What the window sees at a place of the map, row by row: pixels, and zeros where it looks at the padding. */
export function patch(image, kernel, row, column, {stride, padding, dilation}) {
  const [height, width] = image.shape, [tall, wide] = kernel.shape;
  return Array.from({length: tall * wide}, (_, i) => {
    const y = row * stride - padding + dilation * Math.floor(i / wide);
    const x = column * stride - padding + dilation * (i % wide);
    return y >= 0 && y < height && x >= 0 && x < width ? image.data[y * width + x] : 0;
  });
}

/** The feature map: at every place, the patch times the kernel, added up. */
export function response(image, kernel, settings) {
  const [rows, columns] = [0, 1].map(axis => places(image.shape[axis], kernel.shape[axis], settings).places);
  const data = Array.from({length: rows * columns}, (_, i) => {
    const seen = patch(image, kernel, Math.floor(i / columns), i % columns, settings);
    return seen.reduce((sum, value, k) => sum + value * kernel.data[k], 0);
  });
  return {data, shape: [rows, columns]};
}
