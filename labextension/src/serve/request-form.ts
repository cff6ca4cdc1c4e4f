/** The form in which a request is written. A snapshot never changes what a person has typed. */
import type { Component } from '../core/component';
import { h, option, setAttr, setAttrs, setVisible, suppressShortcuts } from '../core/dom';
import type { HttpRequest } from '../core/transport';
import { METHODS, type Application, type ExampleRequest } from './status';

const WITHOUT_BODY = ['GET', 'DELETE'];
const CONTENT_TYPE = 'application/json';

export interface RequestForm extends Component<Application> {
  button: HTMLButtonElement;
  read(): HttpRequest;
}

export function requestForm(submit: () => void): RequestForm {
  const exampleField = h('select', 'field');
  const method = h('select', 'field', ...METHODS.map(name => option(name, name)));
  const path = h('input', 'field code path-field');
  const body = h('textarea', 'field code');
  const button = h('button', 'small send', 'Send');
  const node = h('form', 'request', exampleField, h('div', 'tools', method, path), body, button);
  const choice = exampleChoice(exampleField);
  let edited = false;
  let firstBefore = '';

  const hasBody = (): boolean => !WITHOUT_BODY.includes(method.value);
  const showBody = (): void => setVisible(body, hasBody());
  const fill = (example: ExampleRequest): void => {
    method.value = example.method;
    path.value = example.path;
    body.value = example.body;
    body.rows = Math.max(3, Math.min(10, example.body.split('\n').length));
    showBody();
  };
  const markEdited = (): void => {
    edited = true;
    exampleField.value = '';
  };

  path.type = 'text';
  button.type = 'submit';
  node.noValidate = true;
  setAttr(exampleField, 'aria-label', 'Example requests');
  setAttr(method, 'aria-label', 'Method');
  setAttr(path, 'aria-label', 'Path');
  setAttr(body, 'aria-label', 'Body');
  suppressShortcuts(exampleField, method, path, body, button);
  for (const field of [path, body]) {
    setAttrs(field, { spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off' });
    field.addEventListener('input', markEdited);
  }
  method.addEventListener('change', () => {
    markEdited();
    showBody();
  });
  exampleField.addEventListener('change', () => {
    const example = choice.chosen();
    edited = true;
    if (example) fill(example);
  });
  node.addEventListener('keydown', event => {
    event.stopPropagation();
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  });
  node.addEventListener('submit', event => {
    event.preventDefault();
    submit();
  });
  return {
    node,
    button,
    read: () => ({ method: method.value, path: path.value.trim(), body: hasBody() ? body.value : '', type: CONTENT_TYPE }),
    update({ examples, route }) {
      const offered = examples.length ? examples : [{ method: 'GET', path: route, body: '' }];
      const first = JSON.stringify(offered[0]);
      choice.update(offered);
      if (!edited && first !== firstBefore && !node.contains(document.activeElement)) fill(offered[0]!);
      firstBefore = first;
    },
  };
}

/** The chosen example stays chosen when others come or go. */
function exampleChoice(select: HTMLSelectElement): Component<ExampleRequest[]> & { chosen(): ExampleRequest | undefined } {
  let examples: ExampleRequest[] = [];
  let before = '';
  const chosen = (): ExampleRequest | undefined => examples[Number(select.value || NaN)];
  return {
    node: select,
    chosen,
    update(next) {
      const now = JSON.stringify(next);
      if (now === before) return;
      const kept = before === '' ? 0 : next.findIndex(example => JSON.stringify(example) === JSON.stringify(chosen()));
      [examples, before] = [next, now];
      select.replaceChildren(option('', 'A request of your own'), ...next.map(({ method, path }, index) => option(String(index), `${method} ${path}`)));
      select.value = kept < 0 ? '' : String(kept);
      setVisible(select, next.length > 1);
    },
  };
}
