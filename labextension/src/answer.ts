/** What an application answered to the last request that was tried. */
import { h, setAttr, setAttrs, setLine, setText, show, type Part } from './dom';
import { count, seconds, size } from './format';
import { icon } from './icon';
import { layOut } from './json';
import type { Answer } from './serve-status';
import { millis } from './serve-words';

const LINES = 20;
const SPOKEN = 200;

export function answer(): Part<Answer | null> {
  const sign = icon();
  const head = h('span');
  const body = bodyOf();
  const error = h('div', 'error');
  const news = h('div', 'unseen');
  const node = h('div', 'answer', h('div', 'answer-head', sign.node, head), error, body.node);
  setAttr(news, 'aria-live', 'polite');
  let before: string | null = null;
  return {
    node: h('div', '', node, news),
    paint(next) {
      const now = next ? `${next.number} ${next.state}` : '';
      show(node, next !== null);
      if (next) {
        sign.paint(signOf(next));
        setText(head, headText(next));
        setLine(error, next.state === 'failed' ? next.error || 'The request failed.' : '');
        body.paint(next);
      }
      if (next && before !== null && before !== now) setText(news, `${headText(next)} ${next.error || next.body.slice(0, SPOKEN)}`);
      before = now;
    },
  };
}

function signOf({ state, status }: Answer): string {
  if (state === 'asked') return 'running';
  return state === 'answered' && status !== null && status < 400 ? 'finished' : 'failed';
}

/** "POST /digits/predict · 200 · 12 ms · application/json" */
function headText({ method, path, state, status, seconds: took, type }: Answer): string {
  const request = `${method} ${path}`;
  if (state === 'asked') return `${request} · asked, no answer yet`;
  if (state !== 'answered') return `${request} · failed`;
  const time = took === null ? '' : took < 1 ? millis(1000 * took) : seconds(took);
  return [request, status === null ? '' : String(status), time, type].filter(Boolean).join(' · ');
}

function bodyOf(): Part<Answer> {
  const text = h('pre', 'lines');
  const unfold = h('button', 'small');
  const none = h('div', 'muted', 'The answer is empty.');
  const cut = h('div', 'muted');
  const node = h('div', '', text, none, unfold, cut);
  let answer: Answer | null = null;
  let lines: string[] = [];
  let open = false;
  setAttrs(text, { tabindex: '0', role: 'region', 'aria-label': 'Body of the answer' });
  unfold.type = 'button';
  for (const one of [text, unfold]) setAttr(one, 'data-lm-suppress-shortcuts', 'true');
  unfold.addEventListener('click', () => {
    open = !open;
    draw();
  });

  function draw(): void {
    setText(text, (open ? lines : lines.slice(0, LINES)).join('\n'));
    text.classList.toggle('ray-magics-unfolded', open);
    setText(unfold, open ? 'Show fewer lines' : `Show all ${count(lines.length)} lines`);
    setAttr(unfold, 'aria-expanded', String(open));
    show(unfold, lines.length > LINES);
  }

  return {
    node,
    paint(next) {
      const there = next.state === 'answered';
      show(node, there);
      if (there && !isSame(answer, next)) {
        lines = (/json/i.test(next.type) ? (layOut(next.body) ?? next.body) : next.body).split('\n');
        open = false;
        draw();
      }
      answer = next;
      show(text, next.body !== '');
      show(none, next.body === '' && next.cut === 0);
      setLine(cut, next.cut ? `${size(next.cut)} more not shown` : '');
    },
  };
}

function isSame(one: Answer | null, other: Answer): boolean {
  return one !== null && one.number === other.number && one.state === other.state && one.body === other.body && one.type === other.type;
}
