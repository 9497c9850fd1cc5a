// The live panel. State comes as traits (`view`, `entries`: what a page that is loaded later sees)
// and as batches of what changed since; time is counted here, from the kernel's clock.

const HEARD_WITHIN_MS = 4500;
const CLICK_WAITS_MS = 1500;
const CLICK_GIVES_UP_MS = 20000;
const DOING = {
  pause: ["❚❚ Pause", "Pausing…"],
  resume: ["▶ Resume", "Resuming…"],
  retry: ["↻ Retry failed", "Sending again…"],
  cancel: ["Cancel", "Cancelling…"],
};

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function about(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 10) return "a few seconds left";
  if (s < 90) return `about ${Math.round(s / 10) * 10} s left`;
  if (s < 5400) return `about ${Math.round(s / 60)} min left`;
  return `about ${(s / 3600).toFixed(1)} h left`;
}

function moment(ms) {
  const then = new Date(ms);
  const clock = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (then.toDateString() === new Date().toDateString()) return clock;
  return `${then.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${clock}`;
}

class Panel {
  constructor(model, el) {
    this.model = model;
    this.view = { ...model.get("view") };
    this.skew = 0;
    this.seen = Date.now();
    this.heard = null;
    this.pending = null;
    this.asking = false;
    this.build(el);
    this.feed.merge(model.get("entries"));
    this.paintSections(Object.keys(this.view));
    this.listeners = {
      "change:view": () => this.replace(),
      "change:entries": () => this.feed.merge(model.get("entries")),
      "msg:custom": (message) => this.receive(message),
    };
    for (const [name, listener] of Object.entries(this.listeners)) model.on(name, listener);
    this.timer = setInterval(() => this.tick(), 1000);
    this.send({ type: "hello" });
  }

  destroy() {
    clearInterval(this.timer);
    for (const [name, listener] of Object.entries(this.listeners)) this.model.off(name, listener);
    this.feed.destroy();
  }

  // ---- to and from the kernel

  send(message) {
    this.model.send(message);
  }

  receive(message) {
    this.heard = this.seen = Date.now();
    if (message.now !== undefined) this.skew = Date.now() - message.now;
    if (message.entries?.length) this.feed.merge(message.entries);
    if (message.view) {
      Object.assign(this.view, message.view);
      this.paintSections(Object.keys(message.view));
    }
    if (message.type === "ack") this.acknowledged(message);
    this.tick();
  }

  replace() {
    this.heard = this.seen = Date.now();
    this.view = { ...this.model.get("view") };
    this.paintSections(Object.keys(this.view));
  }

  now() {
    return Date.now() - this.skew;
  }

  // ---- what stands where, built once

  build(el) {
    const root = make("section", "clp clp-live");
    root.setAttribute("aria-label", "Collection run");
    this.root = root;
    this.spoken = make("div", "clp-hidden");
    this.spoken.setAttribute("aria-live", "polite");
    root.append(
      this.spoken,
      this.buildHead(),
      this.buildFigures(),
      this.buildBars(),
      this.buildNote(),
      this.buildColumns(),
      this.buildFoot()
    );
    el.append(root);
  }

  buildHead() {
    const head = make("div", "clp-head");
    this.name = make("div", "clp-name");
    this.name.setAttribute("role", "heading");
    this.name.setAttribute("aria-level", "3");
    this.badge = make("span", "clp-badge");
    this.source = make("span", "clp-badge");
    this.times = make("span", "clp-times");
    this.buttons = make("div", "clp-buttons");
    this.button = {};
    for (const verb of ["resume", "pause", "retry", "cancel"]) {
      const button = make("button", `clp-button clp-do-${verb}`, DOING[verb][0]);
      button.type = "button";
      button.hidden = true;
      button.addEventListener("click", () => {
        if (verb === "cancel") this.ask(true);
        else this.act(verb);
      });
      this.button[verb] = button;
      this.buttons.append(button);
    }
    this.buttons.append(this.buildQuestion());
    head.append(this.name, this.badge, this.source, this.times, this.buttons);
    return head;
  }

  buildQuestion() {
    this.question = make("span", "clp-question");
    this.question.setAttribute("role", "group");
    this.question.setAttribute("aria-label", "Cancel this run?");
    this.question.hidden = true;
    const yes = make("button", "clp-button clp-do-cancel", "Yes, cancel");
    const no = make("button", "clp-button", "No, keep it");
    yes.type = no.type = "button";
    yes.addEventListener("click", () => {
      this.ask(false);
      this.act("cancel");
    });
    no.addEventListener("click", () => this.ask(false));
    this.question.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.ask(false);
    });
    this.question.append(make("span", "", "Cancel for good?"), yes, no);
    this.no = no;
    return this.question;
  }

  buildFigures() {
    this.figures = make("div", "clp-figures");
    return this.figures;
  }

  buildBars() {
    this.bars = make("div", "clp-bars");
    return this.bars;
  }

  buildNote() {
    this.note = make("div", "clp-note");
    this.noteMark = make("span", "clp-notemark");
    this.noteMark.setAttribute("aria-hidden", "true");
    this.noteHead = make("b", "");
    this.noteText = make("bdi", "");
    this.noteAside = make("span", "clp-aside");
    const words = make("div", "clp-notewords");
    words.append(this.noteHead, this.noteText);
    this.note.append(this.noteMark, words, this.noteAside);
    return this.note;
  }

  buildColumns() {
    const columns = make("div", "clp-columns");
    this.workers = new Workers((id) => {
      const worker = this.feed.worker === id ? null : id;
      this.feed.choose(worker === null ? this.feed.look.filters[0][0] : "steps", worker);
    });
    this.feed = new Feed(this.model.get("look"), {
      onChoice: (filter, worker) => this.chosen(filter, worker),
    });
    const right = make("div", "clp-main");
    const rightTitle = make("div", "clp-title", "Activity");
    rightTitle.append(make("em", "", "newest first"), this.feed.chips);
    this.strip = make("div", "clp-strip");
    this.strip.hidden = true;
    right.append(rightTitle, this.strip, this.feed.box);
    columns.append(this.workers.box, right);
    return columns;
  }

  buildFoot() {
    const foot = make("div", "clp-foot");
    this.errors = make("button", "clp-errors");
    this.errors.type = "button";
    this.errors.addEventListener("click", () => this.feed.choose("errors", null));
    this.median = make("span", "");
    this.plan = make("span", "");
    this.free = make("span", "");
    this.hint = make("span", "clp-hint");
    this.hint.append(make("span", ""), make("span", "clp-hintmore", " shows this anywhere"));
    foot.append(this.errors, this.median, this.plan, this.free, this.hint);
    return foot;
  }

  // ---- painting what changed

  paintSections(keys) {
    let cards = false;
    for (const key of keys) {
      if (key === "head") this.paintHead();
      else if (key === "can") this.paintButtons();
      else if (key === "figures") this.paintFigures();
      else if (key === "bars") this.paintBars();
      else if (key === "foot") this.paintFoot();
      else if (key.startsWith("worker:")) {
        this.workers.paint(this.view[key]);
        cards = true;
      }
    }
    if (cards) this.workers.paintTitle();
    if (cards || keys.includes("foot")) this.paintStrip();
    this.tick();
  }

  paintHead() {
    const head = this.view.head;
    setText(this.name, head.name);
    this.name.title = head.name;
    const words = `${head.mark} ${head.words}`;
    if (this.badge.textContent && this.badge.textContent !== words) {
      setText(this.spoken, `The run is now: ${head.words}`);
      this.settle();
    }
    setText(this.badge, words);
    this.badge.className = `clp-badge clp-status clp-t-${head.tone}`;
    setText(this.source, head.source);
    this.source.className = `clp-badge clp-t-${head.sandbox ? "warn" : "calm"}`;
    this.source.title = head.sandbox
      ? "An invented market: nothing here is real, and none of it reaches the real list"
      : "Answers come from the Oxylabs Web Scraper API";
    this.root.dataset.status = head.status;
  }

  paintButtons() {
    const can = this.view.can ?? [];
    if (this.pending && !can.includes(this.pending.verb)) this.settle();
    if (this.asking && !can.includes("cancel")) this.asking = false;
    const silent = this.heard === null && Date.now() - this.seen > HEARD_WITHIN_MS;
    for (const [verb, button] of Object.entries(this.button)) {
      const waiting = this.pending?.verb === verb;
      toggle(button, this.asking || !(can.includes(verb) || waiting));
      setText(button, DOING[verb][waiting ? 1 : 0]);
      button.disabled = Boolean(this.pending) || silent;
    }
    toggle(this.question, !this.asking);
  }

  paintFigures() {
    const figures = this.view.figures;
    while (this.figures.children.length < figures.length) {
      const box = make("div", "clp-figure");
      box.append(make("div", "clp-value"), make("div", "clp-label"));
      box.firstChild.append(make("b", ""), make("span", ""));
      this.figures.append(box);
    }
    figures.forEach((figure, index) => {
      const box = this.figures.children[index];
      const [value, extra] = box.firstChild.children;
      box.dataset.key = figure.key;
      setText(value, figure.value);
      setText(extra, figure.extra);
      extra.className = `clp-extra clp-t-${figure.tone}`;
      if (figure.spoken) extra.title = figure.spoken;
      setText(box.lastChild, figure.label);
    });
  }

  paintBars() {
    const bars = this.view.bars;
    while (this.bars.children.length < bars.length) {
      const line = make("div", "clp-barline");
      const track = make("div", "clp-track");
      track.setAttribute("role", "progressbar");
      track.setAttribute("aria-valuemin", "0");
      track.append(make("i", "clp-done"), make("i", "clp-failed"));
      const words = make("span", "clp-barwords");
      words.append(make("span", ""), make("span", "clp-t-bad"), make("span", "clp-baraside"));
      line.append(make("span", "clp-barlabel"), track, words);
      this.bars.append(line);
    }
    bars.forEach((bar, index) => {
      const [label, track, words] = this.bars.children[index].children;
      setText(label, bar.label);
      const share = (part) => (bar.total ? `${(100 * part) / bar.total}%` : "0%");
      track.children[0].style.width = share(bar.done);
      track.children[1].style.width = share(bar.failed);
      track.setAttribute("aria-label", bar.label);
      track.setAttribute("aria-valuemax", String(bar.total));
      track.setAttribute("aria-valuenow", String(bar.done + bar.failed));
      const spoken = [bar.words, bar.failed_words, bar.aside].filter(Boolean).join(", ");
      track.setAttribute("aria-valuetext", spoken);
      setText(words.children[0], bar.words);
      setText(words.children[1], bar.failed_words ? ` · ${bar.failed_words}` : "");
      setText(words.children[2], bar.aside ? ` · ${bar.aside}` : "");
      words.title = spoken;
    });
  }

  paintFoot() {
    const foot = this.view.foot;
    const some = foot.errors > 0;
    const words = `${foot.errors.toLocaleString("en-US")} ${foot.errors === 1 ? "error" : "errors"}`;
    setText(this.errors, some ? `${words}: ${foot.words}` : "no errors");
    this.errors.disabled = !some;
    this.pair(this.median, "median answer", foot.median);
    this.pair(this.plan, "plan", foot.plan);
    this.pair(this.free, "kernel free", foot.free);
    setText(this.hint.firstChild, `run ${foot.short} · attach(“${foot.short}”)`);
  }

  pair(node, label, value) {
    if (!node.firstChild) node.append(make("span", ""), make("b", ""));
    toggle(node, !value);
    setText(node.firstChild, `${label} `);
    setText(node.lastChild, value);
  }

  // ---- one worker's log and figures, or the errors, above the feed

  chosen(filter, worker) {
    this.workers.choose(worker);
    this.paintStrip();
    this.send({ type: "log", filter, worker });
  }

  paintStrip() {
    const lines = [];
    const { worker, filter } = this.feed;
    const state = worker === null ? undefined : this.view[`worker:${worker}`];
    if (state) {
      const requests = state.requests === 1 ? "1 request" : `${state.requests} requests`;
      const parts = [requests, state.failures || "no failures"];
      if (state.median) parts.push(`median ${state.median}`);
      lines.push([`Worker ${worker}`, parts.join(" · "), ""]);
    }
    if (filter === "errors" && !state) {
      for (const kind of this.view.foot.kinds) {
        lines.push([`${kind.count} × ${kind.kind}`, `while ${kind.stage}`, kind.last]);
      }
    }
    const key = JSON.stringify(lines);
    if (key === this.stripKey) return;
    this.stripKey = key;
    toggle(this.strip, lines.length === 0);
    this.strip.replaceChildren();
    for (const [head, text, last] of lines) {
      const line = make("div", "clp-stripline");
      line.append(make("b", "", head), make("span", "", text));
      if (last) line.append(make("bdi", "clp-last", `last: ${last}`));
      line.title = [head, text, last].filter(Boolean).join(" · ");
      if (state) {
        const close = make("button", "clp-chip clp-close", "Show all workers ×");
        close.type = "button";
        close.addEventListener("click", () => {
          this.feed.choose(this.feed.look.filters[0][0], null);
          this.workers.focus(worker);
        });
        line.append(close);
      }
      this.strip.append(line);
    }
  }

  // ---- clicks: acknowledged here at once, then by the kernel, then by the run's status

  ask(open) {
    this.asking = open;
    this.paintButtons();
    if (open) this.no.focus();
    else this.button.cancel.focus();
  }

  act(verb) {
    this.pending = { verb, since: Date.now(), reached: false };
    setText(this.spoken, DOING[verb][1]);
    this.paintButtons();
    this.send({ type: "do", verb });
  }

  acknowledged({ verb, ok }) {
    if (this.pending?.verb !== verb) return;
    this.pending.reached = true;
    if (!ok) this.settle();
  }

  settle() {
    if (!this.pending) return;
    this.pending = null;
    this.paintButtons();
  }

  // ---- time, counted here

  tick() {
    const head = this.view.head;
    if (!head) return;
    const now = this.now();
    setText(this.times, this.timesText(head, now));
    this.workers.tick(now, head.final);
    if (this.pending && Date.now() - this.pending.since > CLICK_GIVES_UP_MS) this.settle();
    this.paintNote(head, now);
    if (this.heard === null) this.paintButtons();
  }

  timesText(head, now) {
    if (head.started === null) return head.created ? `created ${moment(head.created)}` : "";
    const parts = [`started ${moment(head.started)}`];
    if (head.finished !== null) parts.push(`took ${span(head.finished - head.started)}`);
    else if (head.ticking) parts.push(span(now - head.started));
    if (head.ticking && head.forecast !== null) parts.push(about(head.forecast - now));
    return parts.join(" · ");
  }

  // What to say while the kernel does not answer: a cell keeps it busy, or it is gone.
  silence(quiet, clickWaits) {
    const aside = clickWaits ? `${DOING[this.pending.verb][1]} waits for it` : "";
    const note = { tone: "warn", mark: "◷", until: null, aside };
    if (this.heard === null) {
      const text = "The kernel is busy or gone: this is how the run stood. Show the run again.";
      return { ...note, head: "Not connected.", text };
    }
    if (quiet <= HEARD_WITHIN_MS) {
      return { ...note, head: "The kernel is busy.", text: "A cell is keeping it." };
    }
    const text = "A cell is keeping it busy, or it is gone. The picture goes on when it answers.";
    return { ...note, head: `No answer from the kernel for ${span(quiet)}.`, text };
  }

  paintNote(head, now) {
    const notes = this.view.notes ?? [];
    let note = notes.find((n) => n.until === null || n.until > now);
    const quiet = Date.now() - this.seen;
    const clickWaits =
      this.pending && !this.pending.reached && Date.now() - this.pending.since > CLICK_WAITS_MS;
    const isSilent = (head.ticking || this.heard === null) && quiet > HEARD_WITHIN_MS;
    if (!head.final && (clickWaits || isSilent)) note = this.silence(quiet, clickWaits);
    if (!note) note = { tone: "calm", mark: "", head: "", text: "", until: null, aside: "" };
    this.note.className = `clp-note clp-n-${note.tone}`;
    setText(this.noteMark, note.mark);
    setText(this.noteHead, note.head);
    const left = note.until === null ? "" : ` ${span(note.until - now + 999)}.`;
    setText(this.noteText, `${note.head ? " " : ""}${note.text}${left}`);
    setText(this.noteAside, note.aside);
  }
}

function render({ model, el }) {
  const panel = new Panel(model, el);
  return () => panel.destroy();
}

export default { render };
