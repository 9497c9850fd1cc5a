// The sellers grid: tools above, the rows below, what an edit told between them. Look, choice and
// edits are the kernel's; here is what is in sight, and what is being typed.

const TYPING_RESTS_MS = 180;

class SellersPanel {
  constructor(model, el) {
    this.model = model;
    this.version = -1;
    this.from = 0;
    this.form = null;
    this.typing = null;
    this.body = new GridBody(model.get("layout_of").columns, {
      ask: (first, last) => model.send({ type: "rows", first, last }),
      click: (place, event) => this.click(place, event),
      open: (place, onNote) => this.open(place, onNote),
    });
    this.build(el);
    this.renew({});
    this.listeners = {
      "change:state": () => {
        if (model.get("state").version === this.version) this.paintState();
        else this.renew(model.get("near"));
      },
      "change:note": () => this.paintNote(),
      "msg:custom": (message) => this.receive(message),
    };
    for (const [name, listener] of Object.entries(this.listeners)) model.on(name, listener);
  }

  destroy() {
    for (const [name, listener] of Object.entries(this.listeners)) this.model.off(name, listener);
    clearTimeout(this.typing);
    this.body.destroy();
  }

  receive(message) {
    if (message.type === "rows" && message.version === this.version) {
      this.body.give(message.first, message.rows);
    }
    if (message.type === "copy") this.copied(message);
    if (message.type === "done") {
      this.busy(false);
      if (message.ok && this.form) this.closeForm();
    }
  }

  // `near`: where the row that stood on top stands now, and the rows round it.
  renew({ at = null, first = 0, rows = [] }) {
    const state = this.model.get("state");
    this.version = state.version;
    this.body.renew(state.shown, this.model.get("first_rows"), at);
    if (rows.length) this.body.give(first, rows);
    this.paintState();
    this.paintNote();
  }

  // ---- what stands where, built once

  build(el) {
    const root = make("section", "clp clg clp-live");
    root.setAttribute("aria-label", "Sellers");
    this.root = root;
    root.append(this.buildHead(), this.buildTools(), this.buildForm(), this.buildNote(), this.buildTable());
    // JupyterLab's one-key commands look at the element in focus itself, not at what is round it.
    for (const node of root.querySelectorAll("button, input, [tabindex]")) {
      node.setAttribute("data-lm-suppress-shortcuts", "true");
    }
    el.append(root);
  }

  buildHead() {
    const head = make("div", "clp-head");
    const name = make("div", "clp-name", "Sellers");
    name.setAttribute("role", "heading");
    name.setAttribute("aria-level", "3");
    this.figures = make("span", "clp-times");
    this.search = make("input", "clg-field clg-search");
    this.search.type = "search";
    this.search.placeholder = "Search names and notes";
    this.search.setAttribute("aria-label", "Search names and notes");
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.look({}), TYPING_RESTS_MS);
    });
    this.chips = make("div", "clp-chips");
    this.chips.setAttribute("role", "group");
    this.chips.setAttribute("aria-label", "Which sellers to show");
    for (const [key, label] of this.model.get("layout_of").filters) {
      const chip = makeButton("clp-chip", label, () => this.look({ filter: key }));
      chip.dataset.filter = key;
      this.chips.append(chip);
    }
    head.append(name, this.figures, this.search, this.chips);
    return head;
  }

  buildTools() {
    const tools = make("div", "clg-tools");
    tools.setAttribute("role", "toolbar");
    tools.setAttribute("aria-label", "Edits");
    const tool = (verb, label, act, title) => {
      const button = makeButton(`clp-button clg-do-${verb}`, label, act);
      if (title) button.title = title;
      this.tool[verb] = button;
      return button;
    };
    this.tool = {};
    this.count = make("span", "clg-count");
    this.count.setAttribute("role", "status");
    tools.append(
      tool("add", "+ Add…", () => this.openForm("add")),
      make("span", "clg-gap"),
      tool("rename", "Rename…", () => this.openForm("rename"), "F2"),
      tool("flag", "⚑ Flag…", () => this.openForm("flag")),
      tool("unflag", "⚐ Unflag", () => this.act("unflag")),
      tool("remove", "Remove…", () => this.openForm("remove"), "Delete"),
      tool("put_back", "Put back", () => this.act("put_back")),
      tool("copy", "Copy names", () => this.model.send({ type: "copy" }), "Ctrl+C"),
      this.count,
      make("span", "clg-gap clg-far"),
      tool("undo", "↶ Undo", () => this.act("undo"), "Ctrl+Z: undo the latest edit, whoever made it"),
      tool("redo", "↷ Redo", () => this.act("redo"), "Ctrl+Shift+Z"),
      tool("refresh", "↻", () => this.refresh(), "Read the list again")
    );
    this.tool.refresh.setAttribute("aria-label", "Refresh");
    return tools;
  }

  buildForm() {
    this.formBox = make("form", "clg-form");
    this.formBox.hidden = true;
    this.formLabel = make("label", "clg-formlabel");
    this.formField = make("input", "clg-field");
    this.formField.type = "text";
    this.formField.autocomplete = "off";
    this.formField.id = `clg-field-${Math.random().toString(36).slice(2)}`;
    this.formLabel.htmlFor = this.formField.id;
    this.formYes = make("button", "clp-button clg-yes");
    this.formYes.type = "submit";
    const no = makeButton("clp-button", "Close", () => this.closeForm());
    this.formBox.append(this.formLabel, this.formField, this.formYes, no);
    this.formBox.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.formBox.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.closeForm();
      // JupyterLab takes Enter for the cell, and no form would be submitted.
      else if (event.key === "Enter" && event.target === this.formField) this.submit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return this.formBox;
  }

  buildNote() {
    this.note = make("div", "clp-note");
    this.note.setAttribute("role", "status");
    this.noteMark = make("span", "clp-notemark");
    this.noteWords = make("div", "clp-notewords");
    this.note.append(this.noteMark, this.noteWords);
    return this.note;
  }

  buildTable() {
    this.heads = make("div", "clg-heads");
    this.heads.setAttribute("role", "row");
    this.all = make("input", "clg-tick");
    this.all.type = "checkbox";
    this.all.setAttribute("aria-label", "Choose all that are shown");
    this.all.addEventListener("change", () => this.model.send({ type: "choose_all", on: this.all.checked }));
    this.heads.append(this.all);
    for (const [key, label, right] of this.model.get("layout_of").columns) {
      const head = make("div", `clg-headcell clg-${key}${right ? " clg-right" : ""}`);
      head.setAttribute("role", "columnheader");
      head.dataset.sort = key;
      const button = makeButton("clg-sort", label, () => this.look({ sort: key }));
      head.append(button);
      this.heads.append(head);
    }
    const { box } = this.body;
    box.setAttribute("role", "grid");
    box.setAttribute("aria-label", "Sellers");
    box.setAttribute("aria-multiselectable", "true");
    box.setAttribute("aria-colcount", String(this.model.get("layout_of").columns.length));
    box.addEventListener("keydown", (event) => this.key(event));
    this.empty = make("p", "clp-empty");
    const frame = make("div", "clg-frame");
    box.prepend(this.heads);
    frame.append(box, this.empty);
    return frame;
  }

  // ---- painting

  paintState() {
    const state = this.model.get("state");
    const shown = state.shown === state.listed ? "" : ` · ${whole(state.shown)} shown`;
    setText(this.figures, `${whole(state.listed)} on the list${shown}`);
    if (!this.typing && document.activeElement !== this.search) {
      this.search.value = state.search;
    }
    for (const chip of this.chips.children) {
      chip.setAttribute("aria-pressed", String(chip.dataset.filter === state.filter));
    }
    for (const head of this.heads.querySelectorAll("[data-sort]")) {
      const is = head.dataset.sort === state.sort;
      head.setAttribute("aria-sort", is ? (state.descending ? "descending" : "ascending") : "none");
    }
    this.all.checked = state.chosen > 0 && state.chosen === state.shown;
    this.all.indeterminate = state.chosen > 0 && state.chosen < state.shown;
    setText(this.count, state.chosen ? `${whole(state.chosen)} selected` : "");
    const removed = state.filter === "removed";
    for (const verb of ["flag", "unflag", "copy", "remove", "put_back"]) this.tool[verb].disabled = !state.chosen;
    this.tool.rename.disabled = state.chosen > 1 || !state.shown;
    for (const verb of ["rename", "flag", "unflag", "remove"]) toggle(this.tool[verb], removed);
    toggle(this.tool.put_back, !removed);
    this.body.box.setAttribute("aria-rowcount", String(state.shown + 1));
    const none = state.search ? `Nobody’s name or note holds “${state.search}”.` : "Nobody is here.";
    setText(this.empty, state.listed || state.search || state.filter !== "all" ? none : "No sellers yet. Runs will add them, and “Add…” does.");
    toggle(this.empty, state.shown > 0);
    this.paintLabel();
    this.body.schedule();
  }

  paintNote() {
    const note = this.model.get("note");
    const words = note.text ?? "";
    this.note.className = `clp-note clp-n-${note.tone ?? "calm"}`;
    setText(this.noteMark, { ok: "✓", warn: "!", bad: "✕" }[words ? note.tone : ""] ?? "");
    setText(this.noteWords, words || "Click a row to select it, Shift-click a range; double-click a name to rename it.");
  }

  busy(is) {
    for (const button of Object.values(this.tool)) button.toggleAttribute("data-busy", is);
    this.formYes.disabled = is;
    this.root.setAttribute("aria-busy", String(is));
  }

  // ---- looking

  // Only what changes is sent: the kernel knows how the list is looked at, also between two clicks.
  look(change) {
    this.body.scrollTo(0);
    if (this.typing) {
      clearTimeout(this.typing);
      this.typing = null;
      this.model.send({ type: "look", search: this.search.value });
    }
    if (Object.keys(change).length) this.model.send({ type: "look", ...change });
  }

  refresh() {
    this.model.send({ type: "refresh", anchor: this.anchor() });
  }

  anchor() {
    return this.body.row(Math.floor(this.body.firstInSight()))?.[0] ?? null;
  }

  // ---- choosing

  click(place, event) {
    const row = this.body.row(place);
    if (!row) return;
    const toggles = event.target.classList.contains("clg-tick") || event.ctrlKey || event.metaKey;
    if (event.shiftKey) this.choose(this.from, place, true);
    else if (toggles) this.choose(place, place, !row[1]);
    else this.chooseOnly(place);
    if (!event.shiftKey) this.from = place;
    this.body.active = place;
    this.body.schedule();
  }

  chooseOnly(place) {
    const state = this.model.get("state");
    const alone = this.body.row(place)?.[1] && state.chosen === 1;
    for (const block of this.body.blocks.values()) for (const row of block) if (row) row[1] = false;
    if (state.chosen) this.model.send({ type: "choose", first: 0, last: state.shown, on: false });
    if (!alone) this.choose(place, place, true);
    this.body.schedule();
  }

  choose(first, last, on) {
    const [low, high] = [Math.min(first, last), Math.max(first, last)];
    for (const [number, block] of this.body.blocks) {
      block.forEach((row, at) => {
        const place = number * BLOCK + at;
        if (row && place >= low && place <= high) row[1] = on;
      });
    }
    this.model.send({ type: "choose", first: low, last: high, on });
    this.body.schedule();
  }

  key(event) {
    const { body } = this;
    const page = Math.max(1, Math.floor(body.perView) - 1);
    const control = event.ctrlKey || event.metaKey;
    const to = {
      ArrowDown: body.active + 1,
      ArrowUp: body.active - 1,
      PageDown: body.active + page,
      PageUp: body.active - page,
      Home: 0,
      End: body.total - 1,
    }[event.key];
    if (to !== undefined) this.move(Math.max(0, Math.min(body.total - 1, to)), event.shiftKey);
    else if (event.key === " ") this.choose(body.active, body.active, !body.row(body.active)?.[1]);
    else if (control && event.key === "a") this.model.send({ type: "choose_all", on: true });
    else if (control && event.key === "c" && !String(document.getSelection())) this.model.send({ type: "copy" });
    else if (control && event.key.toLowerCase() === "z") this.act(event.shiftKey ? "redo" : "undo");
    else if (control && event.key === "y") this.act("redo");
    else if (event.key === "F2") this.open(body.active, false);
    else if (event.key === "Delete" && this.model.get("state").chosen) this.openForm("remove");
    else if (event.key === "Escape") this.model.send({ type: "choose_all", on: false });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  move(place, extend) {
    if (extend) this.choose(this.from, place, true);
    else this.from = place;
    this.body.active = place;
    this.body.show(place);
  }

  // ---- editing

  open(place, onNote) {
    const row = this.body.row(place);
    if (!row || row[10]) return;
    this.body.active = place;
    if (onNote) {
      if (!row[1]) this.chooseOnly(place);
      this.openForm("flag");
    } else this.openForm("rename", row);
  }

  openForm(verb, row = null) {
    let subject = row;
    if (verb === "rename" && !subject) subject = this.chosenRow() ?? this.body.row(this.body.active);
    if (verb === "rename" && !subject) return;
    const [yes, value, hint] = {
      add: ["Add", "", "One or several, a blank or comma between"],
      rename: ["Rename", subject?.[3], ""],
      flag: ["Flag", "", "A note, if you like; empty keeps theirs"],
      remove: ["Yes, remove", null, ""],
    }[verb];
    this.form = { verb, seller: subject?.[0], name: subject?.[3] };
    this.paintLabel();
    setText(this.formYes, yes);
    this.formYes.className = `clp-button clg-yes${verb === "remove" ? " clp-do-cancel" : ""}`;
    toggle(this.formField, value === null);
    this.formField.value = value ?? "";
    this.formField.placeholder = hint;
    toggle(this.formBox, false);
    if (value === null) this.formYes.focus();
    else {
      this.formField.focus();
      this.formField.select();
    }
  }

  // Again whenever the kernel has counted those who are chosen.
  paintLabel() {
    if (!this.form) return;
    const { chosen } = this.model.get("state");
    const many = `${whole(chosen)} ${chosen === 1 ? "seller" : "sellers"}`;
    const label = {
      add: "Names to add",
      rename: `New name of ${this.form.name}`,
      flag: `Flag ${many}`,
      remove: `Take ${many} off the list? Runs will not put them back.`,
    }[this.form.verb];
    setText(this.formLabel, label);
  }

  chosenRow() {
    for (const block of this.body.blocks.values()) for (const row of block) if (row?.[1]) return row;
    return null;
  }

  closeForm() {
    this.form = null;
    toggle(this.formBox, true);
    this.body.box.focus({ preventScroll: true });
  }

  submit() {
    const { verb, seller } = this.form;
    const text = this.formField.value;
    const given = { add: { names: text }, rename: { seller, name: text }, flag: { note: text }, remove: {} };
    this.act(verb, given[verb]);
  }

  act(verb, given = {}) {
    this.busy(true);
    this.model.send({ type: "do", verb, anchor: this.anchor(), ...given });
  }

  // ---- the clipboard

  async copied({ text, count }) {
    let ok = false;
    try {
      await navigator.clipboard.writeText(text);
      ok = true;
    } catch {
      ok = this.copyTheOldWay(text);
    }
    const many = `${whole(count)} ${count === 1 ? "name" : "names"}`;
    this.note.className = `clp-note clp-n-${ok ? "ok" : "bad"}`;
    setText(this.noteMark, ok ? "✓" : "✕");
    setText(this.noteWords, ok ? `${many} copied.` : "The browser does not let the page copy: allow it, or use .selected in a cell.");
  }

  // Pages that are not served over https have no clipboard of the new kind.
  copyTheOldWay(text) {
    const field = make("textarea", "clp-hidden");
    field.value = text;
    this.root.append(field);
    field.select();
    const ok = document.execCommand("copy");
    field.remove();
    this.body.box.focus({ preventScroll: true });
    return ok;
  }
}

export default {
  render({ model, el }) {
    const panel = new SellersPanel(model, el);
    return () => panel.destroy();
  },
};
