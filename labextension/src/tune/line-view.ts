/**
 * The line of a form, with Copy, and Insert as a cell where the page allows it, as JupyterLab and Notebook 7 do. An
 * anywidget of its own; see LineView in ray_magics/verbs/tune/form/line_view.py for its traits.
 */
import { h, setAttr, setTextOrHide } from '../core/dom';

const CHANGES = ['change:line', 'change:note'] as const;
type Change = (typeof CHANGES)[number];

export interface LineModel {
  get(trait: 'line' | 'text' | 'note' | 'cell'): string;
  on(event: Change, callback: () => void): void;
  off(event: Change, callback: () => void): void;
  widget_manager?: { context?: { model?: { sharedModel?: Partial<SharedNotebook> | null } } };
}

/** The part of JupyterLab's notebook document that is used here. */
interface SharedNotebook {
  cells: readonly { getId(): string }[];
  insertCell(index: number, cell: { cell_type: 'code'; source: string; metadata: object }): void;
}

const MESSAGE_TIME = 4000; // milliseconds

function render({ model, el }: { model: LineModel; el: HTMLElement }): () => void {
  const line = h('pre');
  const note = h('div', 'form-hint');
  const status = h('span');
  const row = h('div');
  const showMessage = (text: string): void => {
    status.textContent = text;
    setTimeout(() => {
      if (status.textContent === text) status.textContent = '';
    }, MESSAGE_TIME);
  };
  const draw = (): void => {
    line.replaceChildren(...model.get('line').split(/(--[a-z-]+)/).map(unbroken));
    setTextOrHide(note, model.get('note'));
  };
  const notebook = notebookOf(model);
  line.tabIndex = 0;
  setAttr(line, 'aria-label', 'The magic line of this search');
  setAttr(status, 'role', 'status');
  row.append(button('Copy', async () => showMessage(await copy(model.get('text'), el))));
  if (notebook) row.append(button('Insert as a cell', () => showMessage(insert(notebook, model.get('cell'), model.get('text')))));
  row.append(status);
  for (const change of CHANGES) model.on(change, draw);
  draw();
  el.classList.add('ray-magics-form-line');
  el.replaceChildren(line, note, row);
  return () => CHANGES.forEach(change => model.off(change, draw));
}

/** In the style of the other buttons of the form, which are ipywidgets. */
function button(label: string, clicked: () => void): HTMLButtonElement {
  const node = h('button', '', label);
  node.type = 'button';
  node.className = 'lm-Widget jupyter-widgets jupyter-button widget-button';
  node.onclick = clicked;
  return node;
}

/** Where the browser refuses its clipboard, by selecting the text; returns what came of it. */
async function copy(text: string, parent: HTMLElement): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied';
  } catch {
    const field = h('textarea');
    field.value = text;
    parent.append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied ? 'Copied' : 'The browser does not let this page copy; select the line instead.';
  }
}

/** The notebook's document, which its widget manager knows in JupyterLab and Notebook 7. */
function notebookOf(model: LineModel): SharedNotebook | null {
  const notebook = model.widget_manager?.context?.model?.sharedModel;
  return notebook?.insertCell && notebook.cells ? (notebook as SharedNotebook) : null;
}

/** Below the cell of this id, else at the end; returns where. */
function insert(notebook: SharedNotebook, below: string, source: string): string {
  const index = notebook.cells.findIndex(cell => cell.getId() === below);
  notebook.insertCell(index < 0 ? notebook.cells.length : index + 1, { cell_type: 'code', source, metadata: {} });
  return index < 0 ? 'Inserted at the end' : 'Inserted below';
}

/** An option is not broken behind its hyphens. */
function unbroken(part: string): string | HTMLElement {
  if (!part.startsWith('--')) return part;
  const node = h('span', '', part);
  node.style.whiteSpace = 'nowrap';
  return node;
}

export default { render };
