// Elements, made and changed without ever reading markup: all text goes in as textContent.

const FOCUSED_BY_TAB = new Set(["button", "input", "select", "textarea"]);

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  // While a key is pressed here, the notebook must not take it for a command ("b" adds a cell).
  if (FOCUSED_BY_TAB.has(tag)) node.setAttribute("data-lm-suppress-shortcuts", "true");
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function toggle(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

function makeButton(className, text, onClick) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}
