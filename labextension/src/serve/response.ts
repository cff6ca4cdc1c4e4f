/** The response of an application to the last request that was tried. */
import type { Component } from '../core/component';
import { button, h, liveRegion, makeScrollRegion, setAttr, setText, setTextOrHide, setVisible, suppressShortcuts } from '../core/dom';
import { count, seconds, size } from '../core/format';
import { stateIcon } from '../core/state-icon';
import { joinText } from '../core/text';
import { formatJson } from './format-json';
import type { HttpResponse } from './status';
import { millisecondsText } from './text';

const FOLDED_LINES = 20;
const ANNOUNCED_LENGTH = 200; // characters

export function responseBox(): Component<HttpResponse | null> {
  const icon = stateIcon();
  const head = h('span');
  const body = responseBody();
  const error = h('div', 'error');
  const announcement = liveRegion('div');
  const box = h('div', 'answer', h('div', 'answer-head', icon.node, head), error, body.node);
  let before: string | null = null;
  return {
    node: h('div', '', box, announcement),
    update(response) {
      const now = response ? `${response.number} ${response.state}` : '';
      setVisible(box, response !== null);
      if (response) {
        const text = headText(response);
        icon.update(iconOf(response));
        setText(head, text);
        setTextOrHide(error, response.state === 'failed' ? response.error || 'The request failed.' : '');
        body.update(response);
        // What was there when the view began is no news.
        if (before !== null && before !== now) setText(announcement, `${text} ${response.error || response.body.slice(0, ANNOUNCED_LENGTH)}`);
      }
      before = now;
    },
  };
}

function iconOf({ state, status }: HttpResponse): string {
  if (state === 'asked') return 'running';
  return state === 'answered' && status !== null && status < 400 ? 'finished' : 'failed';
}

/** "POST /digits/predict · 200 · 12 ms · application/json" */
function headText({ method, path, state, status, seconds: duration, type }: HttpResponse): string {
  const request = `${method} ${path}`;
  if (state === 'asked') return `${request} · asked, no answer yet`;
  if (state !== 'answered') return `${request} · failed`;
  const time = duration === null ? '' : duration < 1 ? millisecondsText(1000 * duration) : seconds(duration);
  return joinText([request, status === null ? '' : String(status), time, type]);
}

function responseBody(): Component<HttpResponse> {
  const text = h('pre', 'lines');
  const unfold = button('small', () => {
    unfolded = !unfolded;
    draw();
  });
  const empty = h('div', 'muted', 'The answer is empty.');
  const cut = h('div', 'muted');
  const node = h('div', '', text, empty, unfold, cut);
  let before: HttpResponse | null = null;
  let lines: string[] = [];
  let unfolded = false;
  makeScrollRegion(text, 'Body of the answer');
  suppressShortcuts(text);

  function draw(): void {
    setText(text, (unfolded ? lines : lines.slice(0, FOLDED_LINES)).join('\n'));
    text.classList.toggle('ray-magics-unfolded', unfolded);
    setText(unfold, unfolded ? 'Show fewer lines' : `Show all ${count(lines.length)} lines`);
    setAttr(unfold, 'aria-expanded', String(unfolded));
    setVisible(unfold, lines.length > FOLDED_LINES);
  }

  return {
    node,
    update(response) {
      const { state, body, cut: cutBytes } = response;
      setVisible(node, state === 'answered');
      if (state === 'answered' && !isSame(before, response)) {
        lines = linesOf(response);
        unfolded = false;
        draw();
      }
      before = response;
      setVisible(text, body !== '');
      setVisible(empty, body === '' && cutBytes === 0);
      setTextOrHide(cut, cutBytes ? `${size(cutBytes)} more not shown` : '');
    },
  };
}

function linesOf({ type, body }: HttpResponse): string[] {
  return ((/json/i.test(type) ? formatJson(body) : null) ?? body).split('\n');
}

function isSame(one: HttpResponse | null, other: HttpResponse): boolean {
  return one !== null && one.number === other.number && one.state === other.state && one.body === other.body && one.type === other.type;
}
