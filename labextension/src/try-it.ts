/** A box for one request to an application, and its answer. What a person types here no snapshot touches. */
import { answer } from './answer';
import { h, setAttr, setAttrs, show, type Part } from './dom';
import { exchange, type Exchange } from './exchange';
import { BODY_LENGTH, METHODS, type App, type Call } from './serve-status';
import type { HttpRequest, Source } from './source';

const BODILESS = ['GET', 'DELETE'];
const TYPE = 'application/json';

export interface Tried {
  app: App;
  alone: boolean;
  gone: boolean;
}

export function tryIt(send: Source['send']): Part<Tried> {
  let app: App | null = null;
  const form = requestForm(() => {
    const refusal = refusalOf(form.read());
    if (refusal) post.refuse(refusal);
    else if (app) post.ask({ action: 'try', run: 'serve', part: app.id, request: form.read() });
  });
  const post: Exchange = exchange(send, form.button);
  const last = answer();
  const summary = h('summary', 'title', 'Try it');
  const node = h('details', 'try', summary, form.node, post.message, last.node);
  setAttr(summary, 'data-lm-suppress-shortcuts', 'true');
  let seen = false;
  return {
    node,
    paint({ app: next, alone, gone }) {
      app = next;
      if (!seen) node.open = alone || next.answer !== null;
      seen = true;
      form.paint(next);
      post.paint({ answer: next.answer, gone });
      last.paint(next.answer);
      show(form.node, next.route !== '');
      show(node, next.route !== '' || next.answer !== null);
    },
    dispose: post.dispose,
  };
}

function refusalOf({ path, body }: HttpRequest): string {
  if (!path.startsWith('/')) return 'The path begins with a slash, as in /digits.';
  return body.length > BODY_LENGTH ? `The body has ${body.length} characters; ${BODY_LENGTH} are the most.` : '';
}

interface Form extends Part<App> {
  button: HTMLButtonElement;
  read(): HttpRequest;
}

function requestForm(submit: () => void): Form {
  const examples = h('select', 'field');
  const method = h('select', 'field', ...METHODS.map(name => option(name, name)));
  const path = h('input', 'field code path-field');
  const body = h('textarea', 'field code');
  const button = h('button', 'small send', 'Send');
  const node = h('form', 'request', examples, h('div', 'tools', method, path), body, button);
  const choices = exampleChoices(examples);
  let touched = false;
  let first = '';

  const fill = (call: Call): void => {
    method.value = call.method;
    path.value = call.path;
    body.value = call.body;
    body.rows = Math.max(3, Math.min(10, call.body.split('\n').length));
    fold();
  };
  const fold = (): void => show(body, !BODILESS.includes(method.value));
  const typed = (): void => {
    touched = true;
    examples.value = '';
  };

  path.type = 'text';
  button.type = 'submit';
  node.noValidate = true;
  setAttr(examples, 'aria-label', 'Example requests');
  setAttr(method, 'aria-label', 'Method');
  setAttr(path, 'aria-label', 'Path');
  setAttr(body, 'aria-label', 'Body');
  for (const one of [path, body]) {
    setAttrs(one, { spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off' });
    one.addEventListener('input', typed);
  }
  for (const one of [examples, method, path, body, button]) {
    setAttr(one, 'data-lm-suppress-shortcuts', 'true');
  }
  method.addEventListener('change', () => {
    typed();
    fold();
  });
  examples.addEventListener('change', () => {
    const call = choices.chosen();
    touched = true;
    if (call) fill(call);
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
    read: () => ({ method: method.value, path: path.value.trim(), body: BODILESS.includes(method.value) ? '' : body.value, type: TYPE }),
    paint(app) {
      const calls = app.calls.length ? app.calls : [{ method: 'GET', path: app.route, body: '' }];
      const now = JSON.stringify(calls[0]);
      choices.paint(calls);
      if (!touched && now !== first && !node.contains(document.activeElement)) fill(calls[0]!);
      first = now;
    },
  };
}

function exampleChoices(select: HTMLSelectElement): Part<Call[]> & { chosen(): Call | undefined } {
  let calls: Call[] = [];
  let before = '';
  return {
    node: select,
    chosen: () => calls[Number(select.value || NaN)],
    paint(next) {
      const now = JSON.stringify(next);
      if (now === before) return;
      const kept = before === '' ? '0' : String(next.findIndex(call => JSON.stringify(call) === JSON.stringify(calls[Number(select.value || NaN)])));
      [calls, before] = [next, now];
      select.replaceChildren(option('', 'A request of your own'), ...next.map((call, index) => option(String(index), `${call.method} ${call.path}`)));
      select.value = kept === '-1' ? '' : kept;
      show(select, next.length > 1);
    },
  };
}

function option(value: string, text: string): HTMLElement {
  const node = h('option', '', text);
  node.value = value;
  return node;
}
