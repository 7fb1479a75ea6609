// The photograph's class maps: a worker runs the network, the page shows its maps.
import {softmax} from './network.js';
import {colors, own, square} from './own.js';

/** How much of a photograph is left where the map of a class is 0. */
const FAINT = 0.15;
/** The first place of the maps looks at pixels around this one, and each further one so many pixels on. */
const FIRST = 1, JUMP = 16;

/**
 * Map number `number` of {data, shape: [classes, rows, columns]} at the size of an image: each value at the middle of
 * the pixels that it has seen, and linear in between.
 */
export function placed({data, shape: [, rows, columns]}, number, height, width) {
  const near = (length, units) => Array.from({length}, (_, pixel) => {
    const position = Math.min(units - 1, Math.max(0, (pixel - FIRST) / JUMP)), low = Math.min(units - 2, Math.floor(position));
    return [low, position - low];
  });
  const across = near(width, columns), spot = new Float32Array(height * width);
  let to = 0;
  for (const [row, down] of near(height, rows))
    for (const [column, right] of across) {
      const at = (number * rows + row) * columns + column;
      spot[to++] = (1 - down) * ((1 - right) * data[at] + right * data[at + 1]) +
        down * ((1 - right) * data[at + columns] + right * data[at + columns + 1]);
    }
  return spot;
}

/** A photograph [3, height, width], nearly white where a map is 0, and as it is where the map is highest; as pixels. */
export function lit({data, shape: [, height, width]}, spot) {
  const size = height * width, top = spot.reduce((most, value) => Math.max(most, value), 0);
  const picture = new ImageData(width, height);
  for (let p = 0; p < size; p++) {
    const left = FAINT + (1 - FAINT) * (top ? spot[p] / top : 0);
    for (let channel = 0; channel < 3; channel++)
      picture.data[4 * p + channel] = 255 * (1 - (1 - data[channel * size + p]) * left);
    picture.data[4 * p + 3] = 255;
  }
  return picture;
}

/** A worker that has read the file of the network; its program is a text. */
function networkBeside(program, file) {
  const address = URL.createObjectURL(new Blob([program.replace(/^import .*|^export /gm, '')], {type: 'text/javascript'}));
  const worker = new Worker(address);
  worker.postMessage(file);
  return worker;
}

const percent = share => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;

/** Connect the page's elements. `stored` holds addresses of pictures by name, `names` the names of the classes. */
export async function start(page, file, stored, names) {
  const element = name => page.getElementById(name);
  const worker = networkBeside(element('code').textContent, file);
  let asked = null, next = null, seen = null, chosen = null, waiting = false;

  /** Show a picture at once; the network takes it as soon as it is done with the one before. */
  function show(image, film = false) {
    if (!film) chosen = null;
    draw(element('shown'), lit(image, new Float32Array(image.data.length / 3).fill(1)));
    next = image;
    if (!asked) ask();
  }

  function ask() {
    [asked, next] = [next, null];
    if (asked) worker.postMessage(asked);
  }

  worker.onmessage = ({data}) => {
    element('bar').value = data.share ?? 1;
    if (!data.maps) return;
    const chances = softmax(data.logits), order = [...chances.keys()].sort((a, b) => chances[b] - chances[a]);
    seen = {image: asked, chances, order, ...data};
    ask();
    answers();
    soon();
  };
  worker.onerror = event => { element('error').textContent = `The network does not run here: ${event.message}`; };

  /** The five best answers as small pictures. */
  function answers() {
    const {image, maps, chances, order} = seen, best = order.slice(0, 5);
    element('answer').textContent = `It says ${names[best[0]]}, ${percent(chances[best[0]])}.`;
    best.forEach((number, i) => {
      const button = element('best').children[i];
      draw(button.querySelector('canvas'), lit(image, placed(maps, number, 227, 227)));
      button.querySelector('span').textContent = `${names[number]} ${percent(chances[number])}`;
      button.dataset.number = number;
    });
  }

  /** The photograph in the light of one class. */
  function look() {
    waiting = false;
    if (!seen) return;
    const {image, maps, logits, chances, order} = seen, number = chosen ?? order[0], size = maps.shape[1] * maps.shape[2];
    draw(element('lit'), lit(image, placed(maps, number, 227, 227)));
    for (const button of element('best').children)
      button.setAttribute('aria-pressed', String(Number(button.dataset.number) === number));
    const highest = Math.max(...maps.data.subarray(number * size, (number + 1) * size));
    element('caption').textContent = `${names[number]}, ${percent(chances[number])}: its map reaches ${
      highest.toFixed(0)}, its mean is ${logits[number].toFixed(1)}, the logit`;
  }

  function soon() {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  }

  function choose(number) {
    chosen = Number(number);
    soon();
  }

  function search() {
    const words = element('search').value.toLowerCase().trim();
    const rank = name => (name.toLowerCase().startsWith(words) ? 0 : 1);
    const hits = words ? names.map((name, number) => [name, number]).filter(([name]) => name.toLowerCase().includes(words)) : [];
    hits.sort((a, b) => rank(a[0]) - rank(b[0]));
    element('found').replaceChildren(...hits.slice(0, 10).map(([name, number]) => {
      const button = page.createElement('button');
      button.textContent = name;
      button.addEventListener('click', () => choose(number));
      return button;
    }));
    if (words && !hits.length) element('found').textContent = 'It knows no class of this name.';
  }
  element('search').addEventListener('input', search);
  element('search').addEventListener('keydown', event => {
    if (event.key === 'Enter') element('found').querySelector('button')?.click();
  });
  for (let i = 0; i < 5; i++) {
    const button = page.createElement('button');
    button.innerHTML = `<canvas width="227" height="227" role="img" aria-label="Its map over the photograph"></canvas><span></span>`;
    button.addEventListener('click', () => choose(button.dataset.number));
    element('best').append(button);
  }
  const stop = own(page, 227, show);
  for (const [name, address] of Object.entries(stored)) {
    const button = page.createElement('button'), picture = page.createElement('img');
    picture.src = address;
    picture.alt = name;
    button.append(picture);
    button.addEventListener('click', async () => {
      await picture.decode();
      stop();
      show(colors(square(page, picture, picture.naturalWidth, picture.naturalHeight, 227)));
    });
    element('stored').append(button);
  }
  element('stored').firstChild.click();
}

function draw(canvas, picture) {
  canvas.getContext('2d').putImageData(picture, 0, 0);
}
