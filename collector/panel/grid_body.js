// The grid's body: only the rows in sight are elements, and they are used again as one scrolls.
// Rows come from the kernel in blocks; what has not come yet is drawn as a bar. All text from
// outside is set as textContent, never as markup.

const ROW = 28;
const HEAD = 32;
const BLOCK = 100;
const BLOCKS_KEPT = 60;
// Browsers cut elements off at some tens of millions of pixels: longer lists scroll in proportion.
const TALLEST = 8_000_000;

class GridBody {
  // columns: [[key, heading, stands right]]; calls: ask(first, last), open(place, row, event) …
  constructor(columns, calls) {
    this.columns = columns;
    this.calls = calls;
    this.total = 0;
    this.active = 0;
    this.blocks = new Map();
    this.asked = new Map();
    this.pool = [];
    this.box = make("div", "clg-body");
    this.box.tabIndex = 0;
    this.space = make("div", "clg-space");
    this.window = make("div", "clg-window");
    this.space.append(this.window);
    this.box.append(this.space);
    this.box.addEventListener("scroll", () => this.schedule(), { passive: true });
    this.tall = 0;
    // While JupyterLab changes its theme the page has no layout for a moment: the height is kept.
    this.sizes = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.height) this.tall = contentRect.height;
      this.schedule();
    });
    this.sizes.observe(this.box);
  }

  destroy() {
    this.sizes.disconnect();
    clearTimeout(this.timer);
    if (this.frame) cancelAnimationFrame(this.frame);
  }

  // ---- rows from the kernel

  renew(total, rows, at) {
    const first = this.firstInSight();
    this.total = total;
    this.blocks.clear();
    this.asked.clear();
    this.give(0, rows);
    this.space.style.height = `${Math.min(TALLEST, total * ROW)}px`;
    this.active = Math.max(0, Math.min(this.active, total - 1));
    // The row that stood on top stays there, wherever it is in the new order.
    if (at !== null && at !== undefined && at !== Math.floor(first)) this.scrollTo(at + (first % 1));
    this.schedule();
  }

  give(first, rows) {
    rows.forEach((row, at) => {
      const place = first + at;
      const block = Math.floor(place / BLOCK);
      if (!this.blocks.has(block)) this.blocks.set(block, []);
      this.blocks.get(block)[place % BLOCK] = row;
    });
    this.asked.delete(Math.floor(first / BLOCK));
    for (const block of this.blocks.keys()) {
      if (this.blocks.size <= BLOCKS_KEPT) break;
      this.blocks.delete(block);
    }
    this.schedule();
  }

  row(place) {
    return this.blocks.get(Math.floor(place / BLOCK))?.[place % BLOCK];
  }

  // ---- where one is

  get height() {
    return Math.max(1, this.tall - HEAD);
  }

  get perView() {
    return this.height / ROW;
  }

  firstInSight() {
    const most = Math.max(0, this.total - this.perView);
    const run = this.space.offsetHeight - this.height;
    if (this.total * ROW <= TALLEST || run <= 0) return Math.min(most, this.box.scrollTop / ROW);
    return (this.box.scrollTop / run) * most;
  }

  scrollTo(first) {
    const most = Math.max(0, this.total - this.perView);
    const to = Math.max(0, Math.min(most, first));
    const run = this.space.offsetHeight - this.height;
    const exact = this.total * ROW <= TALLEST;
    this.box.scrollTop = exact ? to * ROW : (to / Math.max(1, most)) * run;
  }

  show(place) {
    const first = this.firstInSight();
    if (place < first) this.scrollTo(place);
    else if (place + 1 > first + this.perView) this.scrollTo(place + 1 - this.perView);
    this.schedule();
  }

  // ---- drawing, at most once a frame

  schedule() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    const first = this.firstInSight();
    const from = Math.max(0, Math.floor(first));
    const to = Math.min(this.total, Math.ceil(first + this.perView) + 1);
    while (this.pool.length < to - from) this.pool.push(this.newRow());
    let missing = false;
    this.pool.forEach((line, at) => {
      const place = from + at;
      const outside = place >= to;
      toggle(line.node, outside);
      if (outside) return;
      const row = this.row(place);
      missing ||= !row;
      line.node.style.transform = `translateY(${Math.round((place - first) * ROW)}px)`;
      this.fill(line, place, row);
    });
    if (missing) this.askSoon();
    const active = this.pool[this.active - from];
    if (active && !active.node.hidden) this.box.setAttribute("aria-activedescendant", active.node.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  newRow() {
    const node = make("div", "clg-row");
    node.id = `clg-${Math.random().toString(36).slice(2)}`;
    node.setAttribute("role", "row");
    const tick = make("input", "clg-tick");
    tick.type = "checkbox";
    tick.tabIndex = -1;
    tick.setAttribute("aria-label", "Choose");
    const flag = make("span", "clg-flag");
    const cells = this.columns.map(([key, , right]) => {
      const cell = make("div", `clg-cell clg-${key}${right ? " clg-right" : ""}`);
      cell.setAttribute("role", "gridcell");
      const text = make("bdi");
      if (key === "name") cell.append(flag);
      cell.append(text);
      node.append(cell);
      return text;
    });
    node.prepend(tick);
    const line = { node, tick, flag, cells, place: -1 };
    node.addEventListener("mousedown", (event) => {
      // Shift-click would mark text; the list keeps the keyboard.
      if (event.shiftKey) event.preventDefault();
    });
    node.addEventListener("click", (event) => this.calls.click(line.place, event));
    node.addEventListener("dblclick", (event) => {
      if (event.target !== tick) this.calls.open(line.place, event.target.closest(".clg-note") !== null);
    });
    this.window.append(node);
    return line;
  }

  fill(line, place, row) {
    const { node } = line;
    line.place = place;
    node.setAttribute("aria-rowindex", String(place + 2));
    node.classList.toggle("clg-active", place === this.active);
    node.classList.toggle("clg-waits", !row);
    node.setAttribute("aria-selected", String(Boolean(row?.[1])));
    node.classList.toggle("clg-gone", Boolean(row?.[10]));
    if (line.tick.checked !== Boolean(row?.[1])) line.tick.checked = Boolean(row?.[1]);
    setText(line.flag, row?.[2] ? "⚑ " : "");
    if (row?.[2]) {
      line.flag.setAttribute("role", "img");
      line.flag.setAttribute("aria-label", "flagged");
    } else line.flag.removeAttribute("role");
    const words = row ? inWords(row) : [];
    line.cells.forEach((cell, at) => setText(cell, words[at] ?? ""));
    const name = words[0] ?? "";
    if (line.cells[0].title !== name) line.cells[0].title = name;
    const note = words[6] ?? "";
    if (line.cells[6].title !== note) line.cells[6].title = note;
  }

  askSoon() {
    if (this.timer) return;
    // Fast scrolling passes many blocks: only those that stay in sight are asked for.
    this.timer = setTimeout(() => {
      this.timer = null;
      const first = this.firstInSight();
      const last = Math.min(this.total - 1, Math.ceil(first + this.perView));
      for (let block = Math.floor(first / BLOCK); block <= Math.floor(last / BLOCK); block += 1) {
        const since = Date.now() - (this.asked.get(block) ?? 0);
        const whole = this.blocks.get(block);
        const most = Math.min(BLOCK, this.total - block * BLOCK);
        const lacks = !whole || whole.length < most || whole.includes(undefined);
        if (!lacks || since < 2000) continue;
        this.asked.set(block, Date.now());
        this.calls.ask(block * BLOCK, (block + 1) * BLOCK);
      }
      if (this.asked.size) this.schedule();
    }, 50);
  }
}

function day(ms) {
  if (ms === null) return "";
  return new Date(ms).toLocaleDateString("en-GB", { day: "2-digit", month: "short", year: "numeric" });
}

function whole(number) {
  return number === null || number === undefined ? "" : number.toLocaleString("en-US");
}

function inWords(row) {
  const [, , , name, percent, feedback, seen, first, last, note] = row;
  const positive = percent === null ? "" : `${percent.toFixed(1)} %`;
  return [name, positive, whole(feedback), whole(seen), day(first), day(last), note];
}
