// The window stepper: what lies under the window, times the weights, added up, becomes one cell of the map.
import {gray, largest, pixels, signed} from './paint.js';
import {patch, places, response, span} from './window.js';

const PADDING = [41, 64, 92], UNREACHED = [214, 94, 0], UNKNOWN = [230, 234, 238];
/** The largest kernel whose numbers are written into its cells. */
const NUMBERED = 5;

/** A number with at most so many decimals, as it would be written by hand. */
function short(value, decimals) {
  const said = String(Number(value.toFixed(decimals)));
  return said === '-0' ? '0' : said.replace('-', '−');
}

/** Black or white, whichever can be read better on a color (the contrast of WCAG: equal at a brightness of 0.179). */
function legible(color) {
  const linear = color.map(c => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? 'black' : 'white';
}

/** Cells of rows × columns with a color each, and their numbers where there is room. */
function fill(box, data, [rows, columns], color) {
  box.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
  while (box.children.length > rows * columns) box.lastChild.remove();
  while (box.children.length < rows * columns) box.append(box.ownerDocument.createElement('div'));
  const side = Math.max(rows, columns);
  box.style.fontSize = `${Math.min(15, 37 / side)}px`;
  data.forEach((value, i) => {
    const cell = box.children[i], shade = color(value);
    cell.style.background = `rgb(${shade})`;
    cell.style.color = legible(shade);
    cell.textContent = side <= NUMBERED ? short(value, side <= 3 ? 2 : 1) : '';
  });
}

/** Connect the page's elements. `images` and `kernels` are {name: {data, shape: [rows, columns]}}. */
export function start(page, images, kernels, first, palettes) {
  const element = name => page.getElementById(name);
  const position = element('position'), numbers = ['stride', 'padding', 'dilation'];
  let image, kernel, settings, rows, columns, map, end, top, playing = null, waiting = false;

  /** Everything that stays while the window walks. */
  function prepare() {
    stop();
    image = images[element('image').value];
    kernel = kernels[element('kernel').value];
    settings = Object.fromEntries(numbers.map(name => [name, Number(element(name).value)]));
    numbers.forEach(name => { element(name).nextElementSibling.textContent = element(name).value; });
    const [down, across] = [0, 1].map(axis => places(image.shape[axis], kernel.shape[axis], settings));
    const fits = down.places > 0 && across.places > 0;
    [rows, columns] = fits ? [down.places, across.places] : [0, 0];
    position.max = Math.max(0, rows * columns - 1);
    position.value = 0;
    for (const name of ['position', 'play', 'back', 'forward']) element(name).disabled = rows * columns < 2;

    const {stride, padding, dilation} = settings, [height, width] = image.shape;
    const padded = [height + 2 * padding, width + 2 * padding];
    const need = kernel.shape.map(side => span(side, dilation));
    // A window that sticks out is seen to stick out.
    const [tall, wide] = padded.map((side, axis) => Math.max(side, need[axis] + (fits ? 0 : 1)));
    pixels(element('input'), tall, wide, (r, c) => {
      const [y, x] = [r - padding, c - padding];
      if (r >= padded[0] || c >= padded[1]) return [255, 255, 255];
      const inside = y >= 0 && y < height && x >= 0 && x < width;
      const color = inside ? gray(image.data[y * width + x]) : PADDING;
      const unseen = fits && (r >= padded[0] - down.lost || c >= padded[1] - across.lost);
      return unseen ? color.map((value, i) => 0.45 * value + 0.55 * UNREACHED[i]) : color;
    });
    element('window').setAttribute('viewBox', `0 0 ${wide} ${tall}`);
    element('size').textContent = `image ${height}×${width}` + (padding ? `, padding ${padding}` : '');
    element('formula').textContent = inWords(width, kernel.shape[1], across, settings);
    for (const name of ['place', 'output', 'goal']) element(name).style.visibility = fits ? '' : 'hidden';
    element('patch').closest('.sum').style.visibility = fits ? '' : 'hidden';
    if (fits) {
      map = response(image, kernel, settings);
      end = largest(map.data) || 1;
      top = largest(kernel.data) || 1;
      element('filled').textContent = `feature map ${rows}×${columns}`;
      element('goal').setAttribute('viewBox', `0 0 ${columns} ${rows}`);
    } else {
      element('filled').textContent = '';
      element('sum').textContent = `Does not fit: the window spans ${need.join('×')} pixels, the image with its padding has ${
        padded.join('×')}. Take a smaller kernel or dilation, or more padding.`;
    }
  }

  function look() {
    waiting = false;
    const at = Number(position.value), row = Math.floor(at / (columns || 1)), column = at % (columns || 1);
    const {stride, dilation} = settings, [tall, wide] = kernel.shape;
    const dots = dilation > 1 ? Array.from({length: tall * wide}, (_, i) => [
      column * stride + dilation * (i % wide) + 0.5, row * stride + dilation * Math.floor(i / wide) + 0.5]) : [];
    outline(element('window'), column * stride, row * stride, span(wide, dilation), span(tall, dilation), dots);
    if (!columns) return;
    const seen = patch(image, kernel, row, column, settings), products = seen.map((value, i) => value * kernel.data[i]);
    const sum = products.reduce((a, b) => a + b, 0), color = signed(palettes.response, end);
    fill(element('patch'), seen, kernel.shape, gray);
    fill(element('weights'), kernel.data, kernel.shape, signed(palettes.weights, top));
    fill(element('products'), products, kernel.shape, signed(palettes.response, top));
    pixels(element('output'), rows, columns, (r, c) => (r * columns + c <= at ? color(map.data[r * columns + c]) : UNKNOWN));
    outline(element('goal'), column, row, 1, 1, []);
    const said = sum.toFixed(2);
    element('sum').textContent = `sum ${Number(said) > 0 ? '+' : ''}${Number(said) ? said.replace('-', '−') : 0}`;
    element('place').textContent = `goes to row ${row}, column ${column} of the map`;
    position.setAttribute('aria-valuetext', `row ${row}, column ${column}`);
  }

  function soon() {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  }

  function go(at) {
    position.value = at;
    soon();
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    element('play').textContent = 'play';
  }

  element('play').addEventListener('click', () => {
    if (playing) { stop(); return; }
    if (position.value === position.max) go(0);
    element('play').textContent = 'pause';
    playing = setInterval(() => {
      if (position.value === position.max) stop();
      else go(Number(position.value) + 1);
    }, Number(element('pace').value));
  });
  element('pace').addEventListener('change', () => { if (playing) { stop(); element('play').click(); } });
  for (const [name, by] of [['back', -1], ['forward', 1]])
    element(name).addEventListener('click', () => { stop(); go(Number(position.value) + by); });
  position.addEventListener('input', () => { stop(); soon(); });
  /** The cell of a picture under the mouse, [row, column]. */
  const cell = (event, [down, across]) => {
    const box = event.currentTarget.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height * down, (event.clientX - box.left) / box.width * across];
  };
  const within = (value, count) => Math.min(count - 1, Math.max(0, value));
  element('goal').addEventListener('click', event => {
    const [row, column] = cell(event, [rows, columns]).map(Math.floor);
    stop();
    go(within(row, rows) * columns + within(column, columns));
  });
  element('window').addEventListener('click', event => {
    if (!columns) return;
    const middle = cell(event, [element('input').height, element('input').width]);
    const [row, column] = middle.map((at, axis) =>
      Math.round((at - span(kernel.shape[axis], settings.dilation) / 2) / settings.stride));
    stop();
    go(within(row, rows) * columns + within(column, columns));
  });
  for (const [name, choices] of [['image', images], ['kernel', kernels]]) {
    element(name).append(...Object.keys(choices).map(each => new Option(each)));
    element(name).value = first[name];
  }
  for (const name of ['image', 'kernel', ...numbers])
    element(name).addEventListener('input', () => { prepare(); soon(); });
  prepare();
  position.value = Math.round(0.55 * position.max);
  look();
}

/** A frame around some cells, and a dot on each pixel that a window with gaps looks at. */
function outline(svg, x, y, width, height, dots) {
  const box = look => `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="none" ${look}/>`;
  const dot = ([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r=".25" fill="#ffd400" stroke="black" stroke-width=".08"/>`;
  const thin = 'vector-effect="non-scaling-stroke"';
  svg.innerHTML = box(`stroke="black" stroke-width="5" ${thin}`) + box(`stroke="#ffd400" stroke-width="2.5" ${thin}`) +
    dots.map(dot).join('');
}

/** The formula of the size of the map, with its numbers. */
function inWords(width, kernel, {room, places: size, lost}, {stride, padding, dilation}) {
  const terms = `(${width} + 2·${padding} − ${dilation}·(${kernel}−1) − 1) / ${stride}`;
  if (room < 0) return `columns: ${terms} is negative: no window fits`;
  const said = `columns: ⌊${terms}⌋ + 1 = ⌊${Number((room / stride).toPrecision(3))}⌋ + 1 = ${size}`;
  return said + (lost ? `; ${lost} ${lost === 1 ? 'pixel is' : 'pixels are'} left over (orange): one more step would run off` : '');
}
