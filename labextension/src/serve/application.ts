/** One application: where it is, how it does, its deployments, and a box to try it. */
import { webAddress } from '../cluster/view';
import { h, setAttr, setLine, setText, show, type Part } from '../core/dom';
import { deployments } from './deployments';
import { figures } from './request-metrics';
import { messageBox, statePart } from './state';
import type { App } from './status';
import { sinceText, unsaid, updateText } from './text';
import type { Source } from '../core/transport';
import { tryIt } from './request-tester';

export interface Shown {
  app: App;
  /** What was said above already. */
  above: string;
  alone: boolean;
  gone: boolean;
}

export function application(send: Source['send']): Part<Shown> {
  const head = header();
  const update = h('div', 'update');
  const message = messageBox();
  const requests = figures();
  const table = deployments();
  const trial = tryIt(send);
  const node = h('section', 'section app', head.node, update, message.node, requests.node, table.node, trial.node);
  return {
    node,
    paint({ app, above, alone, gone }) {
      head.paint(app);
      setLine(update, updateText(app));
      message.paint({ status: app.status, message: unsaid(app.message, above) });
      requests.paint(app);
      table.paint({ app, above });
      trial.paint({ app, alone, gone });
      setAttr(node, 'aria-label', `Application ${app.name}`);
    },
    dispose: trial.dispose,
  };
}

function header(): Part<App> {
  const state = statePart();
  const name = h('b', 'name');
  const address = link('');
  const docs = link('Docs');
  const since = h('span', 'muted right');
  return {
    node: h('div', 'head', name, state.node, address.node, docs.node, since),
    paint(app) {
      setText(name, app.name);
      state.paint(app.status);
      address.paint(app.url || (app.route ? app.route : 'not reachable by HTTP'));
      docs.paint(app.docs);
      setText(since, sinceText(app));
    },
  };
}

/** A link where a browser may follow it; else its text, if it has no words of its own. */
function link(words: string): Part<string> {
  const text = h('span', '', words);
  const anchor = h('a', 'link', text, h('span', 'unseen', ' (opens in a new tab)'));
  const rest = h('span', 'muted');
  const node = h('span', 'address', anchor, rest);
  anchor.target = '_blank';
  anchor.rel = 'noopener noreferrer';
  setAttr(anchor, 'data-lm-suppress-shortcuts', 'true');
  return {
    node,
    paint(address) {
      const url = webAddress(address);
      setAttr(anchor, 'href', url);
      setText(text, words || address);
      setText(rest, words ? '' : address);
      show(anchor, url !== null);
      show(rest, url === null);
      show(node, url !== null || rest.textContent !== '');
    },
  };
}
