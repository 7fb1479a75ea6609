// Draw a digit: the network of the series answers while the pen moves.
import {occlusion, run, softmax} from './network.js';
import {place} from './strokes.js';
import {from0, gray, largest, maps, signed} from './paint.js';

/** Connect the page's elements to a network. `stored` holds strokes by name, points (x, y) from 0 to 1. */
export function start(page, weights, stored, palettes) {
  const element = name => page.getElementById(name);
  const sheet = element('sheet'), pen = sheet.getContext('2d', {willReadFrequently: true});
  const side = sheet.width, past = [];
  let strokes = [], waiting = false, covering = null;

  function ink() {
    pen.fillStyle = 'black';
    pen.fillRect(0, 0, side, side);
    pen.strokeStyle = pen.fillStyle = 'white';
    pen.lineWidth = 0.16 * side;
    pen.lineCap = pen.lineJoin = 'round';
    for (const stroke of strokes) {
      pen.beginPath();
      pen.moveTo(stroke[0][0] * side, stroke[0][1] * side);
      for (const [x, y] of [...stroke.slice(1), stroke.at(-1)]) pen.lineTo(x * side, y * side);
      pen.stroke();
    }
    const pixels = pen.getImageData(0, 0, side, side).data;
    return new Float32Array(side * side).map((_, i) => pixels[4 * i] / 255);
  }

  function look() {
    waiting = false;
    const image = place(ink(), side, side) || new Float32Array(784);
    const {logits, first, second} = run(weights, image), chances = softmax(logits);
    const says = chances.indexOf(Math.max(...chances));
    maps(element('seen'), {data: image, shape: [1, 28, 28]}, 1, gray);
    maps(element('first'), first, 8, from0(palettes.activation, largest(first.data)));
    maps(element('second'), second, 16, from0(palettes.activation, largest(second.data)));
    chances.forEach((chance, digit) => {
      element('bar' + digit).style.width = 100 * chance + '%';
      element('bar' + digit).className = digit === says ? 'says' : '';
      element('chance' + digit).textContent = (100 * chance).toFixed(1) + '%';
    });
    element('answer').textContent = strokes.length ? `It says ${says}, ${(100 * chances[says]).toFixed(1)}%.` : 'Draw a digit.';
    element('covered').dataset.done = 'no';
    const mine = covering = occlusion(weights, image, says);
    setTimeout(() => cover(mine), 150);  // when the pen rests
  }

  /** A few places for each picture of the screen, so that the pen never waits. */
  function cover(mine) {
    if (mine !== covering || waiting) return;  // the pen has moved on
    const until = performance.now() + 10;
    for (;;) {
      const {value, done} = mine.next();
      if (done) {
        maps(element('covered'), {data: value, shape: [1, 28, 28]}, 1, signed(palettes.response, largest(value)));
        element('covered').dataset.done = 'yes';
        return;
      }
      if (performance.now() > until) break;
    }
    requestAnimationFrame(() => cover(mine));
  }

  function soon() {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  }

  function show(drawing) {
    past.push(strokes);
    strokes = drawing;
    soon();
  }

  const point = event => {
    const box = sheet.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  sheet.addEventListener('pointerdown', event => {
    sheet.setPointerCapture(event.pointerId);
    show([...(sheet.dataset.own ? strokes : []), [point(event)]]);
    sheet.dataset.own = 'yes';
  });
  sheet.addEventListener('pointermove', event => {
    if (!event.buttons || !strokes.length) return;
    strokes.at(-1).push(point(event));
    soon();
  });
  element('clear').addEventListener('click', () => { sheet.dataset.own = 'yes'; show([]); });
  element('undo').addEventListener('click', () => { if (past.length) { strokes = past.pop(); soon(); } });
  for (const name of Object.keys(stored)) {
    const button = page.createElement('button');
    button.textContent = name;
    button.setAttribute('aria-label', 'a stored ' + name);
    button.addEventListener('click', () => { delete sheet.dataset.own; show(stored[name]); });
    element('stored').append(button);
  }
  strokes = stored[4];
  look();
}
