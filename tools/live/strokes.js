// From ink on a sheet to an image such as MNIST's: into a box of 20×20 pixels, its center of mass in the middle of 28×28.

/** For one axis: which cells of the old one each new cell averages, as Pillow's BOX filter does. */
function boxes(from, to) {
  const scale = from / to, support = Math.max(0.5, scale / 2);
  return Array.from({length: to}, (_, i) => {
    const middle = (i + 0.5) * scale, cells = [];
    for (let x = Math.max(0, Math.trunc(middle - support + 0.5)); x < Math.min(from, Math.trunc(middle + support + 0.5)); x++) {
      const away = (x - middle + 0.5) / Math.max(1, scale);
      if (away > -0.5 && away <= 0.5) cells.push(x);
    }
    return cells;
  });
}

/** Half to even, as Python rounds. */
const round = x => { const near = Math.round(x); return near - x === 0.5 && near % 2 ? near - 1 : near; };

/**
 * Scale ink (Float32Array, rows × columns, 0 for paper) into the box and center it by mass: 28×28 pixels, or null where
 * there is no ink.
 */
export function place(ink, rows, columns, box = 20, side = 28) {
  let top = rows, bottom = -1, left = columns, right = -1;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      if (ink[r * columns + c] > 0) {
        top = Math.min(top, r); bottom = Math.max(bottom, r);
        left = Math.min(left, c); right = Math.max(right, c);
      }
  if (bottom < 0) return null;
  const tall = bottom - top + 1, wide = right - left + 1, longest = Math.max(tall, wide);
  const height = Math.max(1, round(tall * box / longest)), width = Math.max(1, round(wide * box / longest));
  const down = boxes(tall, height), across = boxes(wide, width), small = [];
  let mass = 0, rowMass = 0, columnMass = 0;
  for (let r = 0; r < height; r++)
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (const y of down[r]) for (const x of across[c]) sum += ink[(top + y) * columns + left + x];
      const value = sum / (down[r].length * across[c].length);
      small.push(value);
      mass += value; rowMass += value * (r + 0.5); columnMass += value * (c + 0.5);
    }
  const image = new Float32Array(side * side);
  const start = (center, size) => Math.min(Math.max(round(side / 2 - center), 0), side - size);
  const y = start(rowMass / mass, height), x = start(columnMass / mass, width);
  for (let r = 0; r < height; r++)
    for (let c = 0; c < width; c++) image[(y + r) * side + x + c] = Math.min(1, small[r * width + c]);
  return image;
}
