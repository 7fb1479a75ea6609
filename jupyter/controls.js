// An extension of JupyterLab and Notebook 7, without a build step: tools/setup.py copies it into the environment.
//
// 1. ipywidgets gives the handle of a slider no name, so a screen reader says only "slider, 3"; a number without words
//    beside it has none either. Here they get the words that stand beside them, or else the tooltip.
// 2. The arrow keys belong to the control that has the focus. Without this, ArrowDown on a menu (in Notebook 7 also
//    ArrowRight on a slider) goes to the next cell instead.

const CONTROL = '.jupyter-widgets select, .jupyter-widgets .noUi-handle, .jupyter-widgets input[type=radio]';
const NAMELESS = ['.noUi-handle', 'input[type=number]', 'input[type=text]', 'select']
  .map(kind => `.jupyter-widgets ${kind}:not([aria-label])`).join();
const KEYS = new Set(['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown']);
const PASS = 'data-lm-suppress-shortcuts';  // JupyterLab looks for no shortcut where this stands

function name(field) {
  const widget = field.closest('.jupyter-widgets');
  const label = widget.querySelector('.widget-label');
  const words = label?.textContent.trim() || label?.title || widget.title;
  const handles = [...widget.querySelectorAll('.noUi-handle')];
  const end = handles.length < 2 ? '' : handles.indexOf(field) ? ', to' : ', from';
  if (words) field.setAttribute('aria-label', words + end);
}

function activate() {
  const look = () => document.querySelectorAll(NAMELESS).forEach(name);
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;  // at most once a frame: a training run writes all the time
    waiting = true;
    requestAnimationFrame(() => { waiting = false; look(); });
  }).observe(document.body, {childList: true, subtree: true});
  look();

  window.addEventListener('keydown', event => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!plain || !KEYS.has(event.key) || !event.target.matches?.(CONTROL)) return;
    event.target.setAttribute(PASS, 'true');
    setTimeout(() => event.target.removeAttribute(PASS));
  }, true);
}

// What JupyterLab expects of an extension that was built with webpack.
window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB['by-eye-controls'] = {
  init() {},
  get: async () => () => ({__esModule: true, default: {id: 'by-eye-controls:plugin', autoStart: true, activate}}),
};
