// The kernel playground: nine weights, a photograph, its response and the pooled response.
import {convolution, pool} from './network.js';
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
  let image = Object.values(photographs)[0], camera = null, waiting = false;

  function look() {
    waiting = false;
    const weights = fields.map(field => Number(field.value) || 0);
    const response = convolution(image, {data: weights, shape: [1, 1, 3, 3]}, {data: [0]});
    const half = pool({...response, data: response.data.map(Math.abs)}), end = limit(response.data);
    maps(element('photo'), image, 1, gray);
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

  /** The middle square of a picture or a frame, gray, 160 pixels wide. */
  function square(source, width, height) {
    const side = 160, least = Math.min(width, height), sheet = page.createElement('canvas');
    sheet.width = sheet.height = side;
    const context = sheet.getContext('2d', {willReadFrequently: true});
    context.drawImage(source, (width - least) / 2, (height - least) / 2, least, least, 0, 0, side, side);
    const pixels = context.getImageData(0, 0, side, side).data;
    const data = Float32Array.from({length: side * side}, (_, i) =>
      (0.299 * pixels[4 * i] + 0.587 * pixels[4 * i + 1] + 0.114 * pixels[4 * i + 2]) / 255);
    return {data, shape: [1, side, side]};
  }

  function say(words) { element('error').textContent = words; }

  function stop() {
    if (camera) camera.getTracks().forEach(track => track.stop());
    camera = null;
    element('camera').textContent = 'camera';
  }

  fields.forEach(field => field.addEventListener('input', soon));
  for (const name of Object.keys(presets)) element('preset').append(new Option(name));
  element('preset').addEventListener('change', event => {
    presets[event.target.value].forEach((weight, i) => { fields[i].value = Number(weight.toFixed(3)); });
    soon();
  });
  for (const name of Object.keys(photographs)) element('image').append(new Option(name));
  element('image').addEventListener('change', event => { stop(); image = photographs[event.target.value]; soon(); });
  element('file').addEventListener('change', async event => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      stop();
      image = square(picture, picture.width, picture.height);
      say('');
      soon();
    } catch {
      say(`${file.name} is not a picture that this browser can open: try a JPEG or a PNG.`);
    }
  });
  element('camera').addEventListener('click', async () => {
    if (camera) { stop(); return; }
    try {
      camera = await navigator.mediaDevices.getUserMedia({video: {width: 320}});
    } catch {
      say('There is no camera, or this page may not use it.');
      return;
    }
    say('');
    element('camera').textContent = 'stop the camera';
    const film = page.createElement('video');
    film.srcObject = camera;
    film.muted = true;
    await film.play();
    const frame = () => {
      if (!camera) return;
      image = square(film, film.videoWidth, film.videoHeight);
      look();
      requestAnimationFrame(frame);
    };
    frame();
  });
  element('preset').value = 'sobel x';
  element('preset').dispatchEvent(new Event('change'));
}
