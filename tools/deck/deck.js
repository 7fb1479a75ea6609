// One slide at a time of a notebook that is open in JupyterLab. `win` is the window of JupyterLab's page.

const STYLE = `
  .deck { --jp-content-font-size1: 20px; --jp-code-font-size: 17px; --jp-ui-font-size1: 17px; --jp-ui-font-size2: 18px;
    --jp-widgets-font-size: 17px; --jp-widgets-inline-height: 34px; --jp-content-line-height: 1.45;
    --jp-cell-padding: 3px; --jp-notebook-padding: 0px; --jp-cell-prompt-width: 12px; }
  .deck .jp-NotebookPanel-toolbar, .deck .jp-Toolbar, .deck #jp-top-panel, .deck #jp-menu-panel, .deck #jp-bottom-panel,
  .deck .jp-Notebook-footer, .deck .jp-cell-menu, .deck .jp-cell-toolbar, .deck .jp-Collapser,
  .deck .jp-CellHeader, .deck .jp-CellFooter, .deck .jp-SideBar, .deck .jp-InputPrompt, .deck .jp-OutputPrompt { display: none !important; }
  .deck .jp-Notebook { position: fixed !important; inset: 0 !important; width: auto !important; height: auto !important;
    z-index: 900; background: var(--jp-layout-color0); overflow-y: auto !important; padding: 0 !important; }
  .deck .jp-WindowedPanel-outer { height: 100% !important; padding: 14px 30px 26px 26px !important; box-sizing: border-box; }
  .deck .deck-around { contain: none !important; transform: none !important; will-change: auto !important; }
  .deck .deck-question .jp-Cell-inputWrapper { display: none; }
  .deck .jp-Cell { display: none !important; box-shadow: none !important; }
  .deck .jp-Cell.deck-on { display: block !important; }
  .deck .jp-Cell .jp-Cell-inputWrapper { margin: 0; }
  .deck .jp-CodeCell.deck-on { border-left: 4px solid transparent; padding-left: 8px; }
  .deck .jp-CodeCell.deck-ran { border-left-color: #009E73; }
  .deck .jp-CodeCell.deck-busy { border-left-color: #E69F00; }
  .deck .jp-RenderedMarkdown { max-width: 1160px; padding: 0 0 0 12px !important; }
  .deck .jp-RenderedHTMLCommon h1 { font-size: 36px; margin: 0 0 .4em; }
  .deck .jp-RenderedHTMLCommon h2 { font-size: 30px; margin: 0 0 .4em; }
  .deck .jp-RenderedHTMLCommon h3 { font-size: 25px; margin: 0 0 .4em; }
  .deck .jp-RenderedHTMLCommon p, .deck .jp-RenderedHTMLCommon ul, .deck .jp-RenderedHTMLCommon ol { margin: 0 0 .5em; }
  .deck .jp-OutputArea-output pre, .deck .cm-content { font-size: 17px; line-height: 1.35 !important; }
  .deck .jp-RenderedImage img { max-height: 460px; width: auto !important; height: auto !important; max-width: 100%; }
  .deck .prediction, .deck .explorer, .deck .widget-label, .deck .widget-button, .deck select, .deck input
    { font-size: 17px !important; }
  .deck .deck-folded .jp-Cell-inputWrapper { max-height: 34px; overflow: hidden; position: relative; }
  .deck .deck-folded .jp-Cell-inputWrapper::after { content: '… code: press C'; position: absolute; right: 10px; top: 5px;
    font: 15px system-ui, sans-serif; color: #5d6b7a; background: var(--jp-cell-editor-background); padding: 0 6px; }
`;
// The smallest text that may reach the last row: slides shrink to fit, but not below this share of the full size.
const SMALLEST = 0.7;
const KEYS = {ArrowRight: 'on', ArrowDown: 'on', PageDown: 'on', ' ': 'on', ArrowLeft: 'back', ArrowUp: 'back',
  PageUp: 'back', Home: 'first', End: 'last', c: 'code', r: 'run', b: 'b', f: 'f', p: 'p', '?': '?'};

export const panelOf = win => win.jupyterapp && win.jupyterapp.shell.currentWidget;

export async function whenReady(frame) {
  for (;;) {
    const panel = frame.contentWindow && panelOf(frame.contentWindow);
    if (panel && panel.content && panel.content.widgets && panel.content.widgets.length && panel.isVisible
      && panel.sessionContext.isReady) return;
    await new Promise(done => setTimeout(done, 100));
  }
}

export class Deck {
  constructor(win, slides) {
    this.win = win;
    this.slides = slides;
    this.cells = panelOf(win).content.widgets;
    this.notebook = panelOf(win).content;
    // JupyterLab takes cells out of the page that are out of sight; here each slide is measured.
    this.config = this.notebook.notebookConfig;
    this.notebook.notebookConfig = {...this.config, windowingMode: 'none'};
    this.ran = new Set();
    this.slide = this.step = 0;
    this.shown = [];  // the cells on the screen, by index
    this.unfolded = false;
    this.onmove = this.onkey = () => {};
    const style = win.document.createElement('style');
    style.textContent = STYLE;
    win.document.head.append(style);
    win.document.body.classList.add('deck');
    // JupyterLab's panels contain what they hold; the slide is to fill the window.
    for (let e = this.notebook.node.parentElement; e; e = e.parentElement) e.classList.add('deck-around');
    for (const cell of this.cells) {
      cell.node.classList.toggle('deck-question', /^predict\(/.test(cell.model.sharedModel.getSource()));
    }
    this.keydown = event => this.key(event);
    win.addEventListener('keydown', this.keydown, true);
    this.fitting = () => this.fit();
    win.addEventListener('resize', this.fitting);
    this.watcher = new win.ResizeObserver(() => win.requestAnimationFrame(this.fitting));
    this.style = style;
  }

  close() {
    this.win.removeEventListener('keydown', this.keydown, true);
    this.win.removeEventListener('resize', this.fitting);
    this.watcher.disconnect();
    this.style.remove();
    for (const e of this.win.document.querySelectorAll('.deck, .deck-around')) e.classList.remove('deck', 'deck-around');
    for (const cell of this.cells) cell.node.classList.remove('deck-on', 'deck-folded', 'deck-question', 'deck-ran');
    this.notebook.notebookConfig = this.config;
    this.box.style.zoom = '';
  }

  get box() { return this.notebook.node.querySelector('.jp-WindowedPanel-outer') || this.notebook.node; }

  show(slide, step, byRemote = false) {
    this.slide = Math.max(0, Math.min(slide, this.slides.length - 1));
    this.step = Math.max(0, Math.min(step, this.slides[this.slide].steps.length - 1));
    this.unfolded = false;
    this.watcher.disconnect();
    const shown = new Set(this.slides[this.slide].steps.slice(0, this.step + 1).flat());
    this.cells.forEach((cell, index) => {
      cell.node.classList.toggle('deck-on', shown.has(index));
      if (shown.has(index)) this.watcher.observe(cell.node);
    });
    this.win.document.activeElement && this.win.document.activeElement.blur();
    this.fit();
    this.notebook.node.scrollTop = 0;
    this.onmove(byRemote);
  }

  // Pixels by which the cells shown, at this share of the full size, are taller than the window.
  excess(share) {
    const size = share * Math.min(this.win.innerWidth / 1280, this.win.innerHeight / 720);
    this.box.style.zoom = size;
    const heights = this.shown.map(index => this.cells[index].node.getBoundingClientRect().height);
    return Math.round(heights.reduce((sum, height) => sum + height, 42 * size) - this.win.innerHeight);
  }

  // Large enough for the last row, small enough for the screen. Where a slide is too tall, long code is folded, then
  // the cells of earlier steps leave, and only then the text becomes smaller.
  fit() {
    const all = this.slides[this.slide].steps.slice(0, this.step + 1).flat();
    const now = this.slides[this.slide].steps[this.step];
    const node = index => this.cells[index].node;
    all.forEach(index => { node(index).classList.add('deck-on'); node(index).classList.remove('deck-folded'); });
    this.shown = all;
    const lines = index => this.cells[index].model.sharedModel.getSource().split('\n').length;
    const foldable = this.unfolded ? [] : all.map(index => [index, this.cells[index].model])
      .filter(([index, model]) => model.type === 'code' && lines(index) > 2 && model.outputs.length
        && !(model.getMetadata('tags') || []).includes('exercise'))
      .map(([index]) => index).sort((a, b) => lines(b) - lines(a));
    while (foldable.length && this.excess(0.9) > 0) node(foldable.shift()).classList.add('deck-folded');
    const asks = index => node(index).classList.contains('deck-question');
    const earlier = all.filter(index => !now.includes(index));
    const order = [...earlier.slice(1).filter(i => !asks(i)), ...earlier.slice(0, 1), ...earlier.slice(1).filter(asks)];
    while (order.length && this.excess(0.85) > 0) {
      const gone = order.shift();
      node(gone).classList.remove('deck-on');
      this.shown = this.shown.filter(index => index !== gone);
    }
    this.share = 1;
    while ((this.overflow = this.excess(this.share)) > 0 && this.share > SMALLEST) {
      this.share = Math.max(SMALLEST, this.share - 0.03);
    }
  }

  on() {
    if (this.step + 1 < this.slides[this.slide].steps.length) this.show(this.slide, this.step + 1);
    else if (this.slide + 1 < this.slides.length) this.show(this.slide + 1, 0);
  }

  back() {
    if (this.step > 0) this.show(this.slide, this.step - 1);
    else if (this.slide > 0) this.show(this.slide - 1, this.slides[this.slide - 1].steps.length - 1);
  }

  // Runs the code of this step, and first every cell above it that has not run yet; the slide stays.
  async run() {
    const last = Math.max(...this.shown);
    const step = this.slides[this.slide].steps[this.step];
    for (let i = 0; i <= last; i++) {
      const cell = this.cells[i];
      if (cell.model.type !== 'code' || (this.ran.has(i) && !step.includes(i))) continue;
      cell.node.classList.add('deck-busy');
      this.notebook.activeCellIndex = i;
      this.notebook.deselectAll();
      const good = await this.win.jupyterapp.commands.execute('notebook:run-cell');
      cell.node.classList.remove('deck-busy');
      cell.node.classList.add('deck-ran');
      this.ran.add(i);
      if (good === false) break;
    }
    this.notebook.mode = 'command';
    this.fit();
  }

  press(key) {
    const what = KEYS[key];
    if (what === 'on') this.on();
    else if (what === 'back') this.back();
    else if (what === 'first') this.show(0, 0);
    else if (what === 'last') this.show(this.slides.length - 1, Infinity);
    else if (what === 'run') this.run();
    else if (what === 'code') { this.unfolded = !this.unfolded; this.fit(); }
    else if (what) this.onkey(key);
    return !!what;
  }

  // Keys turn slides unless something is being edited or moved; PageUp and PageDown (every clicker) always do.
  key(event) {
    const {key, target} = event;
    const own = () => { event.preventDefault(); event.stopImmediatePropagation(); };
    const within = selector => target.closest && target.closest(selector);
    const editing = within('.cm-content, textarea, input:not([type=checkbox]):not([type=radio]), [contenteditable=true]');
    const native = within('select, button, summary, a, input[type=checkbox], input[type=radio]');
    const slider = within('[role=slider]');
    if (key === 'Enter' && (event.ctrlKey || event.shiftKey || event.metaKey)) { own(); this.run(); return; }
    if (key === 'Escape') {
      own();
      target.blur && target.blur();
      this.notebook.mode = 'command';
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === 'PageDown' || key === 'PageUp') { own(); this.press(key); return; }
    if (editing || slider) return;
    // What the browser does with a key here is right; what JupyterLab would do (move to another cell) is not.
    if (native && (key.startsWith('Arrow') || [' ', 'Enter', 'Home', 'End', 'Tab'].includes(key))) {
      event.stopImmediatePropagation();
      return;
    }
    if (key === ' ' && event.shiftKey) { own(); this.back(); return; }
    if (key === 'Tab') { event.stopImmediatePropagation(); return; }
    if (this.press(key.length === 1 ? key.toLowerCase() : key)) own();
    else if (key === 'Enter' || key.length === 1) own();  // JupyterLab's one-letter commands would change the notebook
  }
}
