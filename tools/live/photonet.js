// SqueezeNet in plain JavaScript, from the file in which its authors compressed it. Maps are
// {data, shape: [channels, height, width]}; data is a Float32Array, row by row, channel after channel.
import {im2col} from './im2col.js';

/** [filters, channels, side of the window] of each convolution, in the order of the file. */
const fire = (channels, few, many) => [[few, channels, 1], [many, few, 1], [many, few, 3]];
export const SHAPES = [
  [96, 3, 7], ...fire(96, 16, 64), ...fire(128, 16, 64), ...fire(128, 32, 128), ...fire(256, 32, 128),
  ...fire(256, 48, 192), ...fire(384, 48, 192), ...fire(384, 64, 256), ...fire(512, 64, 256), [1000, 512, 1],
];
/** The mean color of the photographs that it was trained on, red, green, blue: what the network takes for 0. */
const MEAN = [123, 117, 104];

/**
 * Read the file: how many weights of each layer are stored, then layer by layer its 256 different values, its biases,
 * the number of the value of each stored weight (a byte), and how many weights are left out before it (half a byte).
 * Two of three weights are 0: they are left out here too, so that nobody has to multiply by them.
 *
 * A layer is {filters, channels, size, bias, first, inputs, values}: the weights of filter f are those from first[f] to
 * first[f + 1], and weight number k meets what place inputs[k] of the window sees.
 */
export function decode(bytes) {
  let at = 0;
  const take = (Kind, count) => {
    const size = count * Kind.BYTES_PER_ELEMENT, taken = bytes.slice(at, at + size);
    if (taken.length < size) throw new Error(`The file of the network ends after ${bytes.length} bytes.`);
    at += size;
    return new Kind(taken.buffer);
  };
  const counts = take(Uint32Array, SHAPES.length);
  const layers = SHAPES.map(([filters, channels, size], number) => {
    const count = counts[number], length = channels * size * size;
    const book = take(Float32Array, 256), bias = take(Float32Array, filters);
    const codes = take(Uint8Array, count), gaps = take(Uint8Array, Math.ceil(count / 2));
    const first = new Int32Array(filters + 1), inputs = [], values = [];
    for (let k = 0, place = -1; k < count; k++) {
      place += 1 + (k % 2 ? gaps[k >> 1] >> 4 : gaps[k >> 1] & 15);
      const value = book[codes[k]];
      if (value === 0) continue;
      const input = place % length, window = size * size;
      // The authors' images were blue, green, red; ours are red, green, blue.
      inputs.push(number ? input : (2 - Math.floor(input / window)) * window + input % window);
      values.push(value);
      first[Math.floor(place / length) + 1]++;
    }
    for (let f = 0; f < filters; f++) first[f + 1] += first[f];
    return {filters, channels, size, bias, first, inputs: Int32Array.from(inputs), values: Float32Array.from(values)};
  });
  if (at !== bytes.length) throw new Error(`The file of the network has ${bytes.length - at} bytes too many.`);
  return layers;
}

/** Places that are computed at a time: what their windows meet stays in the processor's cache. */
const TILE = 512;

/** A convolution and its ReLU: each filter adds up what its weights meet, four weights at a time, at every place. */
export function convolution(x, layer, stride = 1, padding = 0) {
  const {met, rows, columns} = im2col(x, layer.size, stride, padding), places = rows * columns;
  const {filters, bias, first, inputs, values} = layer, data = new Float32Array(filters * places);
  for (let from = 0; from < places; from += TILE) {
    const length = Math.min(TILE, places - from);
    for (let f = 0; f < filters; f++) {
      const sum = data.subarray(f * places + from, f * places + from + length).fill(bias[f]);
      const last = first[f + 1];
      let k = first[f];
      for (; k + 3 < last; k += 4) {
        const v0 = values[k], v1 = values[k + 1], v2 = values[k + 2], v3 = values[k + 3];
        const i0 = inputs[k] * places + from, i1 = inputs[k + 1] * places + from;
        const i2 = inputs[k + 2] * places + from, i3 = inputs[k + 3] * places + from;
        for (let p = 0; p < length; p++)
          sum[p] += v0 * met[i0 + p] + v1 * met[i1 + p] + v2 * met[i2 + p] + v3 * met[i3 + p];
      }
      for (; k < last; k++) {
        const v = values[k], i = inputs[k] * places + from;
        for (let p = 0; p < length; p++) sum[p] += v * met[i + p];
      }
      for (let p = 0; p < length; p++) if (sum[p] < 0) sum[p] = 0;
    }
  }
  return {data, shape: [filters, rows, columns]};
}

/** The largest of each 3×3, two pixels apart; the last window may hang over the edge. */
export function pool({data, shape: [channels, height, width]}) {
  const rows = Math.ceil((height - 3) / 2) + 1, columns = Math.ceil((width - 3) / 2) + 1;
  const largest = new Float32Array(channels * rows * columns);
  let to = 0;
  for (let k = 0; k < channels; k++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++, to++) {
        let most = -Infinity;
        for (let y = 2 * r; y < Math.min(2 * r + 3, height); y++)
          for (let x = 2 * c; x < Math.min(2 * c + 3, width); x++)
            most = Math.max(most, data[(k * height + y) * width + x]);
        largest[to] = most;
      }
  return {data: largest, shape: [channels, rows, columns]};
}

/** A fire module: few maps by 1×1 windows, from them many by 1×1 and many by 3×3 windows, one after the other. */
function burn(x, [squeeze, expand1, expand3]) {
  const few = convolution(x, squeeze), a = convolution(few, expand1), b = convolution(few, expand3, 1, 1);
  const data = new Float32Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return {data, shape: [a.shape[0] + b.shape[0], ...a.shape.slice(1)]};
}

/**
 * The network, layer by layer: a generator, so that a page can show how far it is. The image is red, green, blue from 0
 * to 1, [3, height, width]. Each step returns the share that is done; the last one returns the map of each of the 1,000
 * classes, and the logits, which are the means of the maps.
 */
export function* run(layers, image) {
  const [, height, width] = image.shape, of = number => layers.slice(3 * number - 5, 3 * number - 2);
  let x = {data: image.data.map((v, i) => 255 * v - MEAN[Math.floor(i / (height * width))]), shape: image.shape};
  const steps = [
    () => pool(convolution(x, layers[0], 2)),
    ...[2, 3].map(number => () => burn(x, of(number))),
    () => pool(burn(x, of(4))),
    ...[5, 6, 7].map(number => () => burn(x, of(number))),
    () => pool(burn(x, of(8))),
    () => burn(x, of(9)),
    () => convolution(x, layers.at(-1), 1, 1),
  ];
  for (const [i, step] of steps.entries()) {
    x = step();
    yield (i + 1) / steps.length;
  }
  const [classes, rows, columns] = x.shape, size = rows * columns;
  const logits = Float32Array.from({length: classes}, (_, k) => {
    let sum = 0;
    for (let p = 0; p < size; p++) sum += x.data[k * size + p];
    return sum / size;
  });
  return {maps: x, logits};
}
