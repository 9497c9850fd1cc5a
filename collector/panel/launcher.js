// The launcher: the tree, presets, terms, the estimate and Launch. What is chosen is written to the
// `choice` trait; the kernel answers with `answer`.

const CHOICE_AFTER_MS = 150;
const LAUNCH_RESTS_MS = 2500;
const FIELDS = [
  ["name", "Name", "text", "By default after the categories", ""],
  ["budget", "Budget", "number", "No ceiling", "requests at most"],
  ["pages_per_list", "Pages per list", "number", "", "of 2"],
  ["pages_per_search", "Pages per product", "number", "", "of 3"],
  ["page_on", "Next page", "select", "", ""],
  ["search_again_days", "Search again after", "number", "", "days; 0: in every run"],
];
const CHOICES = {
  page_on: [
    ["always", "always"],
    ["while_new_to_run", "while somebody is new to the run"],
    ["while_new", "while somebody is new to the list"],
  ],
};
const LIMITS = {
  budget: [1, ""],
  pages_per_list: [1, 2],
  pages_per_search: [1, 3],
  search_again_days: [0, 365],
};

class LauncherView {
  constructor(model, el) {
    this.model = model;
    this.fields = { ...model.get("choice").fields };
    this.inputs = {};
    this.problems = {};
    this.busy = false;
    this.build(el);
    this.listeners = {
      "change:choice": () => this.takeOver(),
      "change:answer": () => this.paintAnswer(),
      "change:presets": () => this.paintPresets(),
      "change:catalogue": () => this.renewTree(),
      "msg:custom": (message) => this.receive(message),
    };
    for (const [name, listener] of Object.entries(this.listeners)) model.on(name, listener);
    this.takeOver();
    this.paintPresets();
    this.paintAnswer();
  }

  destroy() {
    clearTimeout(this.timer);
    clearTimeout(this.rest);
    for (const [name, listener] of Object.entries(this.listeners)) this.model.off(name, listener);
  }

  // ---- what stands where

  build(el) {
    const root = make("section", "clp clp-launcher");
    root.setAttribute("aria-label", "Launch a run");
    const head = make("div", "clp-head");
    const title = make("div", "clp-name", "Launch a run");
    title.setAttribute("role", "heading");
    title.setAttribute("aria-level", "3");
    this.source = make("span", "clp-badge");
    head.append(title, this.source);
    this.tree = new CategoryTree(this.model.get("catalogue"), {
      onChange: () => this.changed(),
    });
    const columns = make("div", "clp-launchcolumns");
    const right = make("div", "clp-terms");
    right.append(this.buildPresets(), this.buildFields(), this.buildCheck());
    columns.append(this.tree.node, right);
    root.append(head, columns, this.buildEnd());
    el.append(root);
  }

  buildPresets() {
    const group = make("div", "clp-group");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Presets");
    const line = make("div", "clp-line");
    this.preset = make("select", "clp-input clp-preset");
    this.preset.setAttribute("aria-label", "Preset");
    this.preset.addEventListener("change", () => this.paintPresetButtons());
    this.presetButtons = {
      use: makeButton("clp-button", "Use", () => this.usePreset()),
      save: makeButton("clp-chip", "Save as…", () => this.askPreset("save")),
      rename: makeButton("clp-chip", "Rename…", () => this.askPreset("rename")),
      default: makeButton("clp-chip", "Make default", () => this.tellPreset("default")),
      delete: makeButton("clp-chip", "Delete…", () => this.askPreset("delete")),
    };
    const { use, ...others } = this.presetButtons;
    line.append(this.preset, use);
    const more = make("div", "clp-line");
    more.append(...Object.values(others));
    group.append(make("div", "clp-grouptitle", "Presets"), line, more, this.buildQuestion());
    return group;
  }

  buildQuestion() {
    this.question = make("div", "clp-line clp-ask");
    this.question.setAttribute("role", "group");
    this.question.hidden = true;
    this.questionText = make("span", "");
    this.questionInput = make("input", "clp-input");
    this.questionInput.type = "text";
    this.questionInput.maxLength = 100;
    const answer = () => this.tellPreset(this.asking, this.questionInput.value.trim());
    this.questionYes = makeButton("clp-button", "Save", answer);
    const no = makeButton("clp-button", "Keep as it is", () => this.closeQuestion());
    this.question.addEventListener("keydown", (event) => {
      // JupyterLab keeps Enter from submitting a form.
      if (event.key === "Enter" && event.target === this.questionInput) answer();
      if (event.key === "Escape") this.closeQuestion();
    });
    this.question.append(this.questionText, this.questionInput, this.questionYes, no);
    return this.question;
  }

  buildCheck() {
    this.checkGroup = make("div", "clp-group");
    this.checkGroup.setAttribute("role", "group");
    this.checkGroup.setAttribute("aria-label", "Catalogue");
    this.department = make("select", "clp-input clp-asked");
    this.department.setAttribute("aria-label", "Department to check");
    for (const [name] of this.model.get("catalogue")) {
      const option = make("option", "", name);
      option.value = name;
      this.department.append(option);
    }
    this.check = makeButton("clp-button clp-check", "Check", () => {
      this.check.disabled = true;
      setText(this.checked, "Reading the department's page…");
      this.model.send({ type: "check", department: this.department.value });
    });
    this.check.title = "Read the department's own best-seller page: one request";
    const line = make("div", "clp-line");
    line.append(this.department, this.check);
    this.checked = make("div", "clp-unit");
    this.checked.setAttribute("aria-live", "polite");
    this.checkGroup.append(make("div", "clp-grouptitle", "Catalogue"), line, this.checked);
    return this.checkGroup;
  }

  renewTree() {
    const tree = new CategoryTree(this.model.get("catalogue"), { onChange: () => this.changed() });
    this.tree.node.replaceWith(tree.node);
    this.tree = tree;
    this.takeOver();
  }

  buildFields() {
    const group = make("div", "clp-group clp-fields");
    for (const [key, label, type, placeholder, unit] of FIELDS) {
      const input = this.buildInput(key, type, placeholder);
      group.append(this.buildField(label, [input], unit, [key]));
    }
    const low = this.buildInput("above_from", "number", "");
    const high = this.buildInput("above_to", "number", "");
    low.setAttribute("aria-label", "Lower end of the price window, per cent above Amazon");
    high.setAttribute("aria-label", "Upper end of the price window, per cent above Amazon");
    const dash = make("span", "clp-unit", "to");
    group.append(
      this.buildField("Price window", [low, dash, high], "% above Amazon", [
        "above_from",
        "above_to",
      ])
    );
    return group;
  }

  buildInput(key, type, placeholder) {
    const input = make(type === "select" ? type : "input", `clp-input clp-field-${key}`);
    if (type === "select") {
      for (const [value, text] of CHOICES[key]) {
        const option = make("option", "", text);
        option.value = value;
        input.append(option);
      }
    } else {
      input.type = type;
      input.placeholder = placeholder;
    }
    if (LIMITS[key]) [input.min, input.max] = LIMITS[key];
    if (key === "name") input.maxLength = 200;
    input.addEventListener("input", () => {
      // What a number field cannot read is empty to a script: the browser's own word is kept.
      this.fields[key] = input.validity.badInput ? "not a number" : input.value;
      this.changed();
    });
    this.inputs[key] = input;
    return input;
  }

  buildField(label, parts, unit, keys) {
    const field = make("div", "clp-field");
    const name = make("label", "clp-fieldname", label);
    const id = `clp-${Math.random().toString(36).slice(2)}`;
    parts[0].id = id;
    name.htmlFor = id;
    const line = make("div", "clp-line");
    line.append(...parts);
    if (unit) line.append(make("span", "clp-unit", unit));
    const problem = make("div", "clp-problem");
    problem.id = `${id}-problem`;
    for (const key of keys) {
      this.problems[key] = problem;
      this.inputs[key].setAttribute("aria-describedby", problem.id);
    }
    field.append(name, line, problem);
    return field;
  }

  buildEnd() {
    const end = make("div", "clp-launchend");
    this.warnings = make("ul", "clp-warnings");
    this.warnings.setAttribute("aria-label", "Warnings");
    this.estimate = make("div", "clp-estimate");
    this.error = make("div", "clp-problem");
    this.error.setAttribute("role", "alert");
    this.launch = makeButton("clp-button clp-launch", "▶ Launch", () => this.start());
    const words = make("div", "clp-launchwords");
    words.append(this.estimate, this.error);
    const line = make("div", "clp-launchline");
    line.append(words, this.launch);
    end.append(this.warnings, line);
    return end;
  }

  // ---- to and from the kernel

  takeOver() {
    const choice = this.model.get("choice");
    this.tree.replace(choice.chosen ?? []);
    this.fields = { ...choice.fields };
    for (const [key, input] of Object.entries(this.inputs)) {
      // A form that was saved before there was this choice shows the first.
      const value = this.fields[key] ?? CHOICES[key]?.[0][0] ?? "";
      if (document.activeElement !== input && input.value !== value) input.value = value;
    }
  }

  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), CHOICE_AFTER_MS);
  }

  write() {
    clearTimeout(this.timer);
    const choice = { chosen: [...this.tree.chosen], fields: { ...this.fields } };
    this.model.set("choice", choice);
    this.model.save_changes();
    return choice;
  }

  start() {
    if (this.busy) return;
    const choice = this.write();
    this.setBusy(true);
    setText(this.error, "");
    this.model.send({ type: "launch", choice });
    // Whether or not an answer comes, a double click launches once.
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.setBusy(false), LAUNCH_RESTS_MS);
  }

  setBusy(busy) {
    this.busy = busy;
    setText(this.launch, busy ? "Launching…" : "▶ Launch");
    this.paintLaunch();
  }

  receive(message) {
    if (message.type !== "done") return;
    setText(this.error, message.error ? `✕ ${message.error}` : "");
    if (message.about === "preset" && !message.error) this.closeQuestion();
    if (message.about === "check") {
      this.check.disabled = false;
      setText(this.checked, message.told ?? "");
    }
  }

  // ---- presets

  presetNamed(name) {
    return this.model.get("presets").find((preset) => preset.name === name);
  }

  paintPresets() {
    const chosen = this.preset.value;
    const presets = this.model.get("presets");
    this.preset.replaceChildren();
    for (const { name, chosen: ids, default: isDefault } of presets) {
      const star = isDefault ? "★ " : "";
      const option = make("option", "", `${star}${name} (${ids.length})`);
      option.value = name;
      this.preset.append(option);
    }
    if (!presets.length) this.preset.append(make("option", "", "No preset yet"));
    if (this.selectNext && this.presetNamed(this.selectNext)) this.preset.value = this.selectNext;
    else if (this.presetNamed(chosen)) this.preset.value = chosen;
    this.paintPresetButtons();
  }

  paintPresetButtons() {
    const preset = this.presetNamed(this.preset.value);
    for (const [key, button] of Object.entries(this.presetButtons)) {
      button.disabled = key !== "save" && !preset;
    }
    if (preset?.default) this.presetButtons.default.disabled = true;
    this.preset.disabled = !preset;
  }

  usePreset() {
    const preset = this.presetNamed(this.preset.value);
    if (!preset) return;
    this.tree.replace(preset.chosen);
    this.write();
  }

  askPreset(what) {
    const name = this.presetNamed(this.preset.value)?.name ?? "";
    this.asking = what;
    const texts = {
      save: ["Save what is chosen as", "Save"],
      rename: [`Rename “${name}” to`, "Rename"],
      delete: [`Delete “${name}”?`, "Delete"],
    };
    setText(this.questionText, texts[what][0]);
    setText(this.questionYes, texts[what][1]);
    toggle(this.questionInput, what === "delete");
    this.questionInput.value = name;
    this.questionInput.setAttribute("aria-label", texts[what][0]);
    toggle(this.question, false);
    (what === "delete" ? this.question.lastChild : this.questionInput).focus();
    this.questionInput.select();
  }

  closeQuestion() {
    if (this.question.hidden) return;
    toggle(this.question, true);
    this.presetButtons[this.asking]?.focus();
  }

  tellPreset(what, text) {
    const name = what === "save" ? text : this.preset.value;
    this.selectNext = what === "rename" ? text : name;
    setText(this.error, "");
    this.model.send({ type: "preset", do: what, name, to: text, chosen: [...this.tree.chosen] });
  }

  // ---- what the choice comes to

  paintAnswer() {
    toggle(this.checkGroup, !this.model.get("answer").checks);
    const answer = this.model.get("answer");
    setText(this.source, answer.source);
    this.source.className = `clp-badge clp-t-${answer.sandbox ? "warn" : "calm"}`;
    const { categories, options, ...fields } = answer.problems;
    setText(this.estimate, answer.estimate || categories || options || "Something is to be put right.");
    const said = new Map();
    for (const [key, node] of Object.entries(this.problems)) {
      const problem = fields[key] ?? "";
      said.set(node, said.get(node) || problem);
      this.inputs[key].setAttribute("aria-invalid", String(Boolean(problem)));
    }
    for (const [node, problem] of said) setText(node, problem ? `✕ ${problem}` : "");
    this.warnings.replaceChildren(...answer.warnings.map((text) => make("li", "", `⚠ ${text}`)));
    toggle(this.warnings, answer.warnings.length === 0);
    this.paintLaunch();
  }

  paintLaunch() {
    const wrong = Object.keys(this.model.get("answer").problems).length > 0;
    this.launch.disabled = this.busy || wrong;
  }
}

function render({ model, el }) {
  const view = new LauncherView(model, el);
  return () => view.destroy();
}

export default { render };
