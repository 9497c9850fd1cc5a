// The tree of departments and their categories: search, select all of one or of all, fold.

class CategoryTree {
  // catalogue: [[department, [[node id, name, confirmed, unfruitful], …]], …]
  constructor(catalogue, { onChange }) {
    this.catalogue = catalogue;
    this.onChange = onChange;
    this.chosen = new Set();
    this.wanted = "";
    this.departments = [];
    this.node = make("div", "clp-tree");
    this.build();
  }

  build() {
    const tools = make("div", "clp-treetools");
    this.search = make("input", "clp-input");
    this.search.type = "search";
    this.search.placeholder = "Search categories";
    this.search.setAttribute("aria-label", "Search categories");
    this.search.addEventListener("input", () => this.find(this.search.value));
    this.badge = make("span", "clp-badge clp-t-calm");
    this.badge.setAttribute("aria-live", "polite");
    this.all = makeButton("clp-chip", "Select all", () => this.choose(this.shownIds(), true));
    this.none = makeButton("clp-chip", "Select none", () => this.choose(this.shownIds(), false));
    tools.append(this.search, this.all, this.none, this.badge);
    this.list = make("ul", "clp-departments");
    this.list.setAttribute("role", "list");
    this.list.setAttribute("aria-label", "Departments and their categories");
    this.missing = make("li", "clp-nomatch", "No category is called that.");
    for (const [name, categories] of this.catalogue) {
      this.departments.push(this.buildDepartment(name, categories));
    }
    this.list.append(...this.departments.map((d) => d.node), this.missing);
    this.node.append(tools, this.list);
  }

  buildDepartment(name, categories) {
    const department = { name, open: false, node: make("li", "clp-department"), items: [] };
    const head = make("div", "clp-departmenthead");
    department.fold = makeButton("clp-fold", "▸", () => {
      department.open = !department.open;
      this.paint();
    });
    department.box = make("input", "");
    department.box.type = "checkbox";
    department.box.setAttribute("aria-label", `Select all of ${name}`);
    department.box.addEventListener("change", () => {
      const ids = department.items.filter((item) => !item.node.hidden).map((item) => item.id);
      this.choose(ids, department.box.checked);
    });
    department.count = make("span", "clp-count");
    const label = makeButton("clp-departmentname", name, () => department.fold.click());
    label.tabIndex = -1;
    head.append(department.fold, department.box, label, department.count);
    department.list = make("ul", "clp-categories");
    department.list.setAttribute("role", "list");
    for (const [id, title, confirmed, unfruitful] of categories) {
      department.items.push(this.buildCategory(id, title, confirmed, unfruitful));
    }
    department.list.append(...department.items.map((item) => item.node));
    department.node.append(head, department.list);
    return department;
  }

  buildCategory(id, title, confirmed, unfruitful) {
    const node = make("li", "");
    const label = make("label", "clp-category");
    const box = make("input", "");
    box.type = "checkbox";
    box.value = id;
    box.addEventListener("change", () => this.choose([id], box.checked));
    label.append(box, make("span", "", title));
    if (!confirmed) {
      const mark = make("span", "clp-tag clp-unsure", "? not confirmed");
      mark.title = "Amazon may answer with nothing";
      label.append(mark);
    }
    if (unfruitful) {
      const mark = make("span", "clp-tag clp-unsure", "▿ few new sellers");
      mark.title = "In its latest three runs a new seller cost over three times the average";
      label.append(mark);
    }
    node.append(label);
    return { id, title, node, box };
  }

  find(text) {
    this.wanted = text.trim().toLowerCase();
    this.paint();
  }

  shownIds() {
    return this.departments.flatMap((d) =>
      d.items.filter((item) => !item.node.hidden).map((item) => item.id)
    );
  }

  choose(ids, on) {
    for (const id of ids) {
      if (on) this.chosen.add(id);
      else this.chosen.delete(id);
    }
    this.paint();
    this.onChange([...this.chosen]);
  }

  replace(ids) {
    this.chosen = new Set(ids);
    this.paint();
  }

  paint() {
    let total = 0;
    let any = false;
    for (const department of this.departments) {
      const whole = department.name.toLowerCase().includes(this.wanted);
      let chosen = 0;
      let shown = 0;
      for (const item of department.items) {
        const match =
          whole || item.title.toLowerCase().includes(this.wanted) || item.id.includes(this.wanted);
        toggle(item.node, !match);
        item.box.checked = this.chosen.has(item.id);
        chosen += item.box.checked;
        shown += match;
      }
      total += department.items.length;
      any ||= shown > 0;
      toggle(department.node, shown === 0);
      const open = department.open || (this.wanted !== "" && shown > 0);
      toggle(department.list, !open);
      setText(department.fold, open ? "▾" : "▸");
      department.fold.setAttribute("aria-expanded", String(open));
      department.fold.setAttribute("aria-label", `${open ? "Fold" : "Unfold"} ${department.name}`);
      department.box.checked = chosen === department.items.length;
      department.box.indeterminate = chosen > 0 && chosen < department.items.length;
      setText(department.count, `${chosen ? `${chosen} of ` : ""}${department.items.length}`);
      department.count.className = `clp-count${chosen ? " clp-some" : ""}`;
    }
    toggle(this.missing, any);
    setText(this.all, this.wanted ? "Select these" : "Select all");
    setText(this.none, this.wanted ? "Deselect these" : "Select none");
    const number = this.chosen.size;
    setText(this.badge, `${number} of ${total} ${total === 1 ? "category" : "categories"} chosen`);
    this.badge.className = `clp-badge clp-t-${number ? "ok" : "calm"}`;
  }
}
