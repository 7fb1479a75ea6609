// A convolutional network in plain JavaScript, one image at a time. Maps are {data, shape: [channels, height, width]};
// data is a Float32Array, row by row, channel after channel. Sums are taken in double precision.

import {im2col} from './im2col.js';

/**
 * y[o][r][c] = bias[o] + the sum over i, a, b of weight[o][i][a][b] * x[i][r + a][c + b]. Four weights at a time are
 * added up at all places: that is quicker than all weights at one place after the other.
 */
export function convolution(x, weight, bias) {
  const [outputs, inputs, size] = weight.shape, values = weight.data, length = inputs * size * size;
  const {met, rows, columns} = im2col(x, size), places = rows * columns;
  const data = new Float32Array(outputs * places), sums = new Float64Array(places);
  for (let o = 0; o < outputs; o++) {
    const first = o * length;
    let k = 0;
    sums.fill(bias.data[o]);
    for (; k + 3 < length; k += 4) {
      const v0 = values[first + k], v1 = values[first + k + 1], v2 = values[first + k + 2], v3 = values[first + k + 3];
      const i0 = k * places, i1 = i0 + places, i2 = i1 + places, i3 = i2 + places;
      for (let p = 0; p < places; p++)
        sums[p] += v0 * met[i0 + p] + v1 * met[i1 + p] + v2 * met[i2 + p] + v3 * met[i3 + p];
    }
    for (; k < length; k++)
      for (let p = 0; p < places; p++) sums[p] += values[first + k] * met[k * places + p];
    data.set(sums, o * places);
  }
  return {data, shape: [outputs, rows, columns]};
}

export function relu(x) {
  return {data: x.data.map(value => Math.max(0, value)), shape: x.shape};
}

/** The largest of each 2×2; an odd last row or column is left out. */
export function pool(x) {
  const [channels, height, width] = x.shape, rows = height >> 1, columns = width >> 1;
  const data = new Float32Array(channels * rows * columns);
  let place = 0;
  for (let k = 0; k < channels; k++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const from = (k * height + 2 * r) * width + 2 * c;
        data[place++] = Math.max(x.data[from], x.data[from + 1], x.data[from + width], x.data[from + width + 1]);
      }
  return {data, shape: [channels, rows, columns]};
}

/** Every output sees every number of the input. */
export function dense(x, weight, bias) {
  const [outputs, inputs] = weight.shape, data = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    let sum = bias.data[o];
    for (let i = 0, w = o * inputs; i < inputs; i++) sum += weight.data[w++] * x.data[i];
    data[o] = sum;
  }
  return {data, shape: [outputs]};
}

/** Probabilities of logits; the largest is subtracted first, so that nothing overflows. */
export function softmax(logits) {
  const largest = Math.max(...logits), powers = [...logits].map(z => Math.exp(z - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map(power => power / sum);
}

/** The network of the series: an image of 28×28 pixels in, ten logits out, and the maps of both layers. */
export function run(weights, image) {
  const first = relu(convolution({data: image, shape: [1, 28, 28]}, weights['conv1.weight'], weights['conv1.bias']));
  const second = relu(convolution(pool(first), weights['conv2.weight'], weights['conv2.bias']));
  const hidden = relu(dense(pool(second), weights['hidden.weight'], weights['hidden.bias']));
  return {logits: dense(hidden, weights['output.weight'], weights['output.bias']).data, first, second};
}

/**
 * What covering does, place after place: a generator, so that a page can draw between two steps. Each step covers one
 * place and returns how many of all are done; the last one returns the map, one number for each pixel: the mean drop of
 * the logit over the masks that cover it.
 */
export function* occlusion(weights, image, target, size = 7, stride = 2) {
  const starts = [], side = 28;
  for (let s = 0; ; s += stride) {
    starts.push(s);
    if (s + size >= side) break;
  }
  const total = new Float64Array(side * side), count = new Float64Array(side * side);
  const whole = run(weights, image).logits[target];
  let done = 0;
  for (const top of starts)
    for (const left of starts) {
      const covered = image.slice();
      let ink = false;
      const inside = [];
      for (let r = top; r < Math.min(top + size, side); r++)
        for (let c = left; c < Math.min(left + size, side); c++) {
          inside.push(r * side + c);
          ink ||= covered[r * side + c] !== 0;
          covered[r * side + c] = 0;
        }
      // Black on black changes no pixel, so there is nothing to ask.
      const drop = ink ? whole - run(weights, covered).logits[target] : 0;
      for (const p of inside) { total[p] += drop; count[p] += 1; }
      yield ++done / starts.length ** 2;
    }
  return Float32Array.from(total, (sum, p) => sum / count[p]);
}

/** Weights by name from half-precision numbers, as `tools/live.py` writes them: [[name, shape], ...] and the bytes. */
export function unpack(names, bytes) {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2), weights = {};
  let from = 0;
  for (const [name, shape] of names) {
    const length = shape.reduce((a, b) => a * b);
    weights[name] = {data: Float32Array.from(halves.subarray(from, from + length), half), shape};
    from += length;
  }
  return weights;
}

/** A half-precision number: a sign, 5 bits of exponent, 10 bits of fraction. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
