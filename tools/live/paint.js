// Numbers as pixels.

/** One pixel, opaque. */
function dot(data, to, [red, green, blue]) {
  data[to] = red;
  data[to + 1] = green;
  data[to + 2] = blue;
  data[to + 3] = 255;
}

/** Give each pixel of a canvas its color: `color(row, column)` is [red, green, blue] from 0 to 255. */
export function pixels(canvas, height, width, color) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d'), picture = context.createImageData(width, height);
  for (let r = 0, to = 0; r < height; r++)
    for (let c = 0; c < width; c++, to += 4) {
      dot(picture.data, to, color(r, c));
    }
  context.putImageData(picture, 0, 0);
}

/** Draw maps of one size side by side; `color` gives [red, green, blue] for a value. */
export function maps(canvas, {data, shape: [count, height, width]}, columns, color, gap = 1) {
  const rows = Math.ceil(count / columns), over = width + gap, down = height + gap;
  canvas.width = columns * over - gap;
  canvas.height = rows * down - gap;
  const context = canvas.getContext('2d'), picture = context.createImageData(canvas.width, canvas.height);
  for (let k = 0; k < count; k++)
    for (let r = 0; r < height; r++)
      for (let c = 0; c < width; c++) {
        const to = 4 * ((Math.floor(k / columns) * down + r) * canvas.width + (k % columns) * over + c);
        dot(picture.data, to, color(data[(k * height + r) * width + c]));
      }
  context.putImageData(picture, 0, 0);
}

export const gray = value => { const g = Math.round(255 * Math.min(1, Math.max(0, value))); return [g, g, g]; };

/** Values from −limit to limit on the colors of a palette: a list of [red, green, blue] from lowest to highest. */
export function signed(palette, limit) {
  const last = palette.length - 1;
  return value => palette[Math.round(Math.min(1, Math.max(0, 0.5 + value / (2 * limit || 1))) * last)];
}

/** Values from 0 to limit. */
export function from0(palette, limit) {
  const last = palette.length - 1;
  return value => palette[Math.round(Math.min(1, Math.max(0, value / (limit || 1))) * last)];
}

export const largest = data => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Where a signed palette ends: 99 of 100 sizes are smaller. */
export function limit(data) {
  const sizes = Float32Array.from(data, Math.abs).sort();
  return sizes[Math.floor(0.99 * (sizes.length - 1))];
}
