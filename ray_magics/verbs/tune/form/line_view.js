function button(label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "lm-Widget jupyter-widgets jupyter-button widget-button";
  made.textContent = label;
  made.onclick = act;
  return made;
}

async function copy(text, box) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    box.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? "Copied" : "The browser does not let this page copy; select the line instead.";
  }
}

/* The notebook's own document, as its widget manager knows it in JupyterLab and Notebook 7. */
function cellsOf(model) {
  return model.widget_manager?.context?.model?.sharedModel;
}

function insert(cells, below, text) {
  const at = cells.cells.findIndex(cell => cell.getId() === below);
  cells.insertCell(at < 0 ? cells.cells.length : at + 1, { cell_type: "code", source: text, metadata: {} });
  return at < 0 ? "Inserted at the end" : "Inserted below";
}

/* An option is not broken behind its hyphens. */
function unbroken(part) {
  if (!part.startsWith("--")) return part;
  const made = document.createElement("span");
  made.style.whiteSpace = "nowrap";
  made.textContent = part;
  return made;
}

function render({ model, el }) {
  const line = document.createElement("pre");
  line.tabIndex = 0;
  line.setAttribute("aria-label", "The magic line of this search");
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  const say = text => {
    said.textContent = text;
    setTimeout(() => { if (said.textContent === text) said.textContent = ""; }, 4000);
  };
  const row = document.createElement("div");
  row.append(button("Copy", async () => say(await copy(model.get("text"), el))));
  const cells = cellsOf(model);
  if (cells?.insertCell && cells.cells) {
    row.append(button("Insert as a cell", () => say(insert(cells, model.get("cell"), model.get("text")))));
  }
  row.append(said);
  const draw = () => line.replaceChildren(...model.get("line").split(/(--[a-z-]+)/).map(unbroken));
  model.on("change:line", draw);
  draw();
  el.classList.add("ray-magics-form-line");
  el.replaceChildren(line, row);
  return () => model.off("change:line", draw);
}

export default { render };
