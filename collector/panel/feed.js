// The feed: a store of entries merged by id, and one row for each of the newest hundred that the
// chosen filter lets through. Rows are reused, so that scrolling, selection and focus survive new
// entries. Everything that comes from outside is set as textContent, never as markup.

const ROWS = 100;

function paintColour(node, worker) {
  const colour = worker > 0 ? `var(--clp-w${((worker - 1) % 5) + 1})` : "var(--clp-soft)";
  node.style.setProperty("--clp-c", colour);
}

function clockTime(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

function duration(ms) {
  if (ms === null) return "";
  return ms < 99950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

class Feed {
  // look: { marks: {kind: [mark, spoken]}, filters: [[key, label, [kinds]]] }
  constructor(look, { onChoice }) {
    this.look = look;
    this.onChoice = onChoice;
    this.entries = new Map();
    this.rows = new Map();
    this.filter = look.filters[0][0];
    this.worker = null;
    this.scheduled = false;

    this.chips = make("div", "clp-chips");
    this.chips.setAttribute("role", "group");
    this.chips.setAttribute("aria-label", "Which entries to show");
    for (const [key, label] of look.filters) {
      const chip = make("button", "clp-chip", label);
      chip.type = "button";
      chip.dataset.filter = key;
      chip.addEventListener("click", () => this.choose(key, this.worker));
      this.chips.append(chip);
    }
    this.box = make("div", "clp-feedbox");
    this.list = make("ol", "clp-feed");
    this.list.setAttribute("role", "list");
    this.list.setAttribute("aria-label", "Activity, newest first");
    this.list.tabIndex = 0;
    this.empty = make("p", "clp-empty");
    this.newer = make("button", "clp-newer");
    this.newer.type = "button";
    this.newer.hidden = true;
    this.box.append(this.list, this.empty, this.newer);
    this.newer.addEventListener("click", () => {
      document.getSelection()?.removeAllRanges();
      this.list.scrollTop = 0;
      this.paint();
      this.list.focus();
    });
    this.onQuiet = () => {
      if (!this.newer.hidden && !this.isBeingRead()) this.schedule();
    };
    this.list.addEventListener("scroll", this.onQuiet, { passive: true });
    document.addEventListener("selectionchange", this.onQuiet);
    this.paintChips();
  }

  destroy() {
    document.removeEventListener("selectionchange", this.onQuiet);
  }

  kinds(filter) {
    return this.look.filters.find(([key]) => key === filter)[2];
  }

  choose(filter, worker) {
    this.filter = filter;
    this.worker = worker;
    this.list.scrollTop = 0;
    this.rows.clear();
    this.list.replaceChildren();
    this.paintChips();
    this.paint();
    this.onChoice(filter, worker);
  }

  paintChips() {
    for (const chip of this.chips.children) {
      chip.setAttribute("aria-pressed", String(chip.dataset.filter === this.filter));
    }
  }

  merge(rows) {
    for (const row of rows) this.entries.set(row[0], row);
    this.forget();
    this.schedule();
  }

  // The same hundred per filter and per worker that the kernel keeps.
  forget() {
    if (this.entries.size <= 4 * ROWS) return;
    const kept = new Map();
    const counts = new Map();
    const within = (key) => {
      const n = counts.get(key) ?? 0;
      counts.set(key, n + 1);
      return n < ROWS;
    };
    for (const id of [...this.entries.keys()].sort((a, b) => b - a)) {
      const row = this.entries.get(id);
      let keep = within(row[2]);
      for (const [key, , kinds] of this.look.filters) {
        if (kinds.includes(row[4]) && within(key)) keep = true;
      }
      if (keep) kept.set(id, row);
    }
    this.entries = kept;
  }

  isBeingRead() {
    if (this.list.scrollTop > 4) return true;
    const selection = document.getSelection();
    return Boolean(
      selection && !selection.isCollapsed && this.list.contains(selection.anchorNode)
    );
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  wanted() {
    const kinds = this.kinds(this.filter);
    const rows = [];
    for (const row of this.entries.values()) {
      const ofWorker = this.worker === null || row[2] === this.worker;
      if (ofWorker && kinds.includes(row[4])) rows.push(row);
    }
    return rows.sort((a, b) => b[0] - a[0]).slice(0, ROWS);
  }

  paint() {
    const wanted = this.wanted();
    if (this.rows.size && this.isBeingRead()) {
      const newest = Math.max(...this.rows.keys());
      const more = wanted.filter((row) => row[0] > newest).length;
      toggle(this.newer, more === 0);
      if (more) setText(this.newer, `↑ ${more < ROWS ? more : `${ROWS} or more`} newer`);
      return;
    }
    toggle(this.newer, true);
    const keep = new Set(wanted.map((row) => row[0]));
    for (const [id, node] of this.rows) {
      if (!keep.has(id)) {
        node.remove();
        this.rows.delete(id);
      }
    }
    let next = this.list.firstChild;
    for (const row of wanted) {
      let node = this.rows.get(row[0]);
      if (node === undefined) {
        node = this.row(row);
        this.rows.set(row[0], node);
        this.list.insertBefore(node, next);
      } else if (node === next) {
        next = next.nextSibling;
      } else {
        this.list.insertBefore(node, next);
      }
    }
    toggle(this.empty, wanted.length > 0);
    const none = this.entries.size ? "Nothing of this kind yet." : "Nothing has happened yet.";
    setText(this.empty, none);
  }

  row([id, ms, worker, place, kind, lead, rest, took]) {
    const [mark, spoken] = this.look.marks[kind];
    const node = make("li", `clp-row clp-is-${kind}`);
    node.dataset.id = String(id);
    paintColour(node, worker);
    const icon = make("span", "clp-mark", mark);
    icon.setAttribute("role", "img");
    icon.setAttribute("aria-label", spoken);
    const text = make("span", "clp-text");
    if (lead) text.append(make("b", "", lead));
    text.append(make("bdi", "", rest));
    text.title = `${lead}${rest}`;
    node.append(
      make("span", "clp-time", clockTime(ms)),
      make("span", "clp-who", worker > 0 ? `W${worker}` : "–"),
      make("span", "clp-place", place),
      icon,
      text,
      make("span", "clp-took", duration(took))
    );
    node.firstChild.title = new Date(ms).toLocaleString();
    return node;
  }
}
