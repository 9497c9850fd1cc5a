// The history: a timeline to choose from on the left, what the chosen one changed on the right.
// The kernel sends words and numbers; all of them are set as textContent, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function whole(number) {
  return number === null || number === undefined ? "" : number.toLocaleString("en-US");
}

function signed(number) {
  if (number === 0) return "±0";
  return number > 0 ? `+${whole(number)}` : `−${whole(-number)}`;
}

function moment(ms) {
  const then = new Date(ms);
  const day = then.toLocaleDateString("en-GB", { day: "2-digit", month: "short", year: "numeric" });
  const clock = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return then.toDateString() === new Date().toDateString() ? `today, ${clock}` : `${day}, ${clock}`;
}

class HistoryPanel {
  constructor(model, el) {
    this.model = model;
    this.moments = [];
    this.chosen = model.get("detail")?.key ?? null;
    this.asked = null;
    this.build(el);
    this.paintAll();
    this.listeners = {
      "change:moments": () => this.paintAll(),
      "change:head": () => this.paintHead(),
      "change:detail": () => this.paintDetail(),
      "change:note": () => this.paintNote(),
      "msg:custom": (message) => this.receive(message),
    };
    for (const [name, listener] of Object.entries(this.listeners)) model.on(name, listener);
    if (this.chosen === null && this.moments.length) this.choose(this.moments[0].key);
  }

  destroy() {
    for (const [name, listener] of Object.entries(this.listeners)) this.model.off(name, listener);
  }

  receive(message) {
    if (message.type === "older" && message.after === this.moments.length) {
      this.moments.push(...message.moments);
      this.paintList();
    }
    if (["older", "failed"].includes(message.type)) this.older.disabled = false;
    if (["read", "failed", "started"].includes(message.type)) {
      this.refresh.disabled = false;
      this.asked = null;
      this.paintDetail();
    }
  }

  // ---- what stands where, built once

  build(el) {
    const root = make("section", "clp clh clp-live");
    root.setAttribute("aria-label", "History");
    this.head = make("div", "clp-head");
    const name = make("div", "clp-name", "History");
    name.setAttribute("role", "heading");
    name.setAttribute("aria-level", "3");
    this.sellers = make("span");
    this.times = make("span", "clp-times");
    this.curve = document.createElementNS(SVG, "svg");
    this.curve.setAttribute("class", "clh-curve");
    this.curve.setAttribute("role", "img");
    this.refresh = makeButton("clp-button", "↻ Refresh", () => {
      this.refresh.disabled = true;
      this.model.send({ type: "refresh", key: this.chosen });
    });
    this.head.append(name, this.sellers, this.times, this.curve, this.refresh);
    this.columns = make("div", "clh-columns");
    this.columns.append(this.buildSide(), this.buildDetail());
    this.note = make("div", "clp-note");
    this.note.setAttribute("role", "status");
    this.noteWords = make("div", "clp-notewords");
    this.note.append(this.noteWords);
    root.append(this.head, this.note, this.columns);
    // JupyterLab's one-key commands look at the element in focus itself, not at what is round it.
    for (const node of root.querySelectorAll("button, [tabindex]")) {
      node.setAttribute("data-lm-suppress-shortcuts", "true");
    }
    el.append(root);
  }

  buildSide() {
    const side = make("div", "clh-side");
    this.list = make("div", "clh-list");
    this.list.tabIndex = 0;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Runs and edits, newest first");
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.older = makeButton("clh-older", "", () => {
      this.older.disabled = true;
      this.model.send({ type: "older", after: this.moments.length });
    });
    this.empty = make("p", "clp-empty", "No runs yet. Launch one, or add sellers by hand: it will stand here.");
    side.append(this.list, this.older, this.empty);
    return side;
  }

  buildDetail() {
    this.detail = make("div", "clh-detail");
    this.detail.tabIndex = 0;
    this.detail.setAttribute("role", "region");
    this.detail.setAttribute("aria-label", "What it changed");
    return this.detail;
  }

  // ---- painting

  paintAll() {
    // Read anew, the timeline may have moved: older pages are asked for again.
    this.moments = [...this.model.get("moments")];
    this.paintHead();
    this.paintList();
    this.paintDetail();
    this.paintNote();
  }

  paintHead() {
    const head = this.model.get("head");
    const known = head.sellers !== null && head.sellers !== undefined;
    this.sellers.className = "clh-figure";
    setText(this.sellers, known ? whole(head.sellers) : "");
    const words = [head.runs, head.edits].filter(Boolean).join(" · ");
    setText(this.times, known ? `sellers on the list · ${words}` : words);
    this.paintCurve(head.curve ?? []);
  }

  paintCurve(counts) {
    this.curve.toggleAttribute("hidden", counts.length < 3);
    this.curve.replaceChildren();
    if (counts.length < 3) return;
    const least = Math.min(...counts);
    const width = Math.max(1, Math.max(...counts) - least);
    const points = counts.map((count, at) => {
      const x = (150 * at) / (counts.length - 1);
      return `${x.toFixed(1)},${(24 - (22 * (count - least)) / width).toFixed(1)}`;
    });
    this.curve.setAttribute("viewBox", "0 0 150 26");
    this.curve.setAttribute("aria-label", `Sellers on the list, from ${whole(counts[0])} to ${whole(counts.at(-1))}`);
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("points", points.join(" "));
    this.curve.append(line);
  }

  paintList() {
    const top = this.list.scrollTop;
    this.list.replaceChildren(...this.moments.map((m) => this.row(m)));
    this.list.scrollTop = top;
    const total = this.model.get("head").total ?? this.moments.length;
    const left = total - this.moments.length;
    toggle(this.older, left <= 0);
    setText(this.older, `Show ${whole(Math.min(200, left))} older of ${whole(left)}`);
    toggle(this.empty, this.moments.length > 0);
    toggle(this.list, this.moments.length === 0);
    toggle(this.detail, this.moments.length === 0);
    this.columns.classList.toggle("clh-alone", this.moments.length === 0);
    this.paintChosen();
  }

  row(m) {
    const row = make("div", "clh-row");
    row.id = `clh-${Math.random().toString(36).slice(2)}`;
    row.dataset.key = m.key;
    row.setAttribute("role", "option");
    const what = make("span", "clh-what");
    what.append(make("bdi", "", m.title));
    const mark = make("span", "clh-mark", m.mark);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", m.kind === "run" ? "Run" : "Edit");
    const tone = m.delta > 0 ? "ok" : m.delta < 0 ? "bad" : "calm";
    const when = make("span", "clh-when", `${m.open ? "since " : ""}${moment(m.at)} · `);
    when.append(make("span", `clp-t-${m.tone}`, m.aside));
    if (m.sandbox) when.append(make("span", "clp-tag clp-t-warn", "SANDBOX"));
    row.append(
      mark,
      what,
      make("span", `clh-delta clp-t-${tone}`, signed(m.delta)),
      make("span", "clh-count", whole(m.count)),
      when,
      make("span", "clh-took", m.took)
    );
    row.addEventListener("click", () => this.choose(m.key));
    return row;
  }

  paintChosen() {
    let active = null;
    for (const row of this.list.children) {
      const chosen = row.dataset.key === this.chosen;
      row.setAttribute("aria-selected", String(chosen));
      if (chosen) active = row;
    }
    if (active) this.list.setAttribute("aria-activedescendant", active.id);
    else this.list.removeAttribute("aria-activedescendant");
    return active;
  }

  paintNote() {
    const note = this.model.get("note");
    toggle(this.note, !note.text);
    this.note.className = `clp-note clp-n-${note.tone ?? "calm"}`;
    setText(this.noteWords, note.text ?? "");
  }

  paintDetail() {
    const detail = this.model.get("detail");
    const waits = this.chosen !== null && detail?.key !== this.chosen;
    this.detail.setAttribute("aria-busy", String(waits));
    if (!detail) {
      this.detail.replaceChildren(make("p", "clh-hold", waits ? "Reading…" : "Choose a run or an edit."));
      return;
    }
    if (waits) return;
    const head = make("div", "clh-detailhead");
    const title = make("div", "clh-title");
    title.append(make("bdi", "", detail.title));
    head.append(title, make("span", `clp-badge clp-t-${detail.tone}`, detail.badge));
    if (detail.sandbox) head.append(make("span", "clp-badge clp-t-warn", "SANDBOX"));
    if (detail.again) head.append(this.againButton(detail.again));
    const facts = make("dl", "clh-facts");
    for (const [label, value] of detail.facts) {
      facts.append(make("dt", "", label), make("dd", "", typeof value === "number" ? moment(value) : value));
    }
    const notes = detail.notes.map((note) => make("p", "clh-note", note));
    const shown = detail.sections.map((section) => this.section(section, detail.more));
    this.detail.replaceChildren(head, facts, ...notes, ...shown);
  }

  againButton(run) {
    const button = makeButton("clp-button", "▶ Start again", () => {
      button.disabled = true;
      setText(button, "Starting…");
      this.asked = run;
      this.model.send({ type: "again", run });
    });
    button.title = "Launch a new run with the same categories, options and budget";
    if (this.asked === run) {
      button.disabled = true;
      setText(button, "Starting…");
    }
    return button;
  }

  section(section, more) {
    const box = make("section", `clh-section clp-t-${section.tone}`);
    const title = make("h4", "", `${section.title} `);
    title.append(make("b", "", whole(section.total)));
    box.append(title);
    if (section.hint) box.append(make("p", "clh-hint", section.hint));
    const names = make("ul", "clh-names");
    for (const name of section.names) {
      const item = make("li");
      item.title = name;
      item.append(make("span", "clh-sign", section.sign), make("bdi", "", name));
      names.append(item);
    }
    box.append(names);
    const left = section.total - section.names.length;
    if (left > 0) box.append(make("p", "clh-rest", `and ${whole(left)} more; ${more}`));
    if (!section.total) names.append(make("li", "clp-t-calm", "Nobody."));
    return box;
  }

  // ---- choosing

  choose(key) {
    this.chosen = key;
    this.paintChosen()?.scrollIntoView({ block: "nearest" });
    this.paintDetail();
    this.model.send({ type: "choose", key });
  }

  key(event) {
    const at = this.moments.findIndex((m) => m.key === this.chosen);
    const last = this.moments.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = Math.max(0, Math.min(last, to));
    if (next !== at) this.choose(this.moments[next].key);
  }
}

export default {
  render({ model, el }) {
    const panel = new HistoryPanel(model, el);
    return () => panel.destroy();
  },
};
