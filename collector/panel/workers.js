// The workers of a live panel: a card each; from the sixth on a line each, in as many columns as
// fit, so that twenty are seen at a glance and a hundred are within a short scroll.

const CARDS_FIT = 5;

class Workers {
  constructor(onChoice) {
    this.onChoice = onChoice;
    this.cards = new Map();
    this.box = make("div", "clp-side");
    const title = make("div", "clp-title", "Workers");
    this.aside = make("em", "");
    title.append(this.aside);
    this.list = make("div", "clp-workers");
    this.box.append(title, this.list);
    this.paintTitle();
  }

  paint(worker) {
    let card = this.cards.get(worker.id);
    if (card === undefined) {
      card = this.build(worker.id);
      this.cards.set(worker.id, card);
      const after = [...this.cards.keys()].filter((id) => id > worker.id).sort((a, b) => a - b)[0];
      this.list.insertBefore(card.node, after === undefined ? null : this.cards.get(after).node);
      this.list.classList.toggle("clp-crowd", this.cards.size > CARDS_FIT);
    }
    card.since = worker.since;
    card.idle = worker.idle;
    card.node.classList.toggle("clp-idle", worker.idle);
    setText(card.tag, worker.tag);
    toggle(card.tag, !worker.tag);
    setText(card.text, worker.text);
    const both = worker.detail && worker.last;
    setText(card.detail, both ? `${worker.detail} · ` : worker.detail);
    const last = worker.last ? `last: ${worker.last}` : "";
    setText(card.last, last);
    card.last.className = worker.ok ? "" : "clp-t-bad";
    // On a line of a crowd the tooltip is the only place for the rest.
    const title = [worker.text, worker.detail, last].filter(Boolean).join(" · ");
    if (card.node.title !== title) card.node.title = title;
  }

  paintTitle() {
    const all = this.cards.size;
    const atWork = [...this.cards.values()].filter((card) => !card.idle).length;
    const few = all <= CARDS_FIT;
    setText(this.aside, few ? "any of them takes the next page" : `${atWork} of ${all} at work`);
  }

  build(id) {
    const node = make("button", "clp-card");
    node.type = "button";
    node.dataset.worker = String(id);
    node.setAttribute("aria-pressed", "false");
    paintColour(node, id);
    const card = {
      node,
      tag: make("span", "clp-tag"),
      text: make("bdi", ""),
      since: null,
      idle: true,
      sinceText: make("span", "clp-since"),
      detail: make("bdi", ""),
      last: make("bdi", ""),
    };
    const what = make("span", "clp-what");
    what.append(card.tag, card.text);
    const more = make("span", "clp-more");
    more.append(card.detail, card.last);
    node.append(make("span", "clp-id", `W${id}`), what, card.sinceText, more);
    node.addEventListener("click", () => this.onChoice(id));
    return card;
  }

  choose(worker) {
    for (const [id, card] of this.cards) {
      card.node.setAttribute("aria-pressed", String(id === worker));
    }
  }

  focus(id) {
    this.cards.get(id)?.node.focus();
  }

  tick(now, isOver) {
    for (const card of this.cards.values()) {
      setText(card.sinceText, card.since === null || isOver ? "" : span(now - card.since));
    }
  }
}
