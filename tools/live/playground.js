// The kernel playground: nine weights, a photograph, its response and the pooled response.
import {convolution, pool} from './network.js';
import {brightness, own} from './own.js';
import {gray, limit, maps, signed} from './paint.js';

/** Photographs by name from gray bytes: {name: [base64, shape]}. */
export function pictures(stored) {
  return Object.fromEntries(Object.entries(stored).map(([name, [bytes, shape]]) =>
    [name, {data: Float32Array.from(atob(bytes), letter => letter.charCodeAt(0) / 255), shape}]));
}

/** Connect the page's elements. `photographs` are {name: {data, shape: [1, h, w]}}, `presets` are {name: nine numbers}. */
export function start(page, photographs, presets, palettes) {
  const element = name => page.getElementById(name);
  const fields = Array.from({length: 9}, (_, i) => element('w' + i));
  let image = Object.values(photographs)[0], shown = null, waiting = false;

  function look() {
    waiting = false;
    const weights = fields.map(field => Number(field.value) || 0);
    const response = convolution(image, {data: weights, shape: [1, 1, 3, 3]}, {data: [0]});
    const half = pool({...response, data: response.data.map(Math.abs)}), end = limit(response.data);
    if (shown !== image) maps(element('photo'), image, 1, gray);
    shown = image;
    maps(element('response'), response, 1, signed(palettes.response, end));
    maps(element('pooled'), half, 1, value => gray(value / (end || 1)));
    const sum = weights.reduce((a, b) => a + b, 0);
    element('sum').textContent = `The weights add up to ${Number(sum.toFixed(2))}; responses from ${
      Math.min(...response.data).toFixed(2)} to ${Math.max(...response.data).toFixed(2)}.`;
  }

  function soon() {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  }

  const stop = own(page, 160, picture => { image = brightness(picture); soon(); });

  fields.forEach(field => field.addEventListener('input', soon));
  for (const name of Object.keys(presets)) element('preset').append(new Option(name));
  element('preset').addEventListener('change', event => {
    presets[event.target.value].forEach((weight, i) => { fields[i].value = Number(weight.toFixed(3)); });
    soon();
  });
  for (const name of Object.keys(photographs)) element('image').append(new Option(name));
  element('image').addEventListener('change', event => { stop(); image = photographs[event.target.value]; soon(); });
  element('preset').value = 'sobel x';
  element('preset').dispatchEvent(new Event('change'));
}
