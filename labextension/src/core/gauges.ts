/** What is used of what there is: a bar for each resource. */
import { keyedList, type Component } from './component';
import { h, setAttr, setAttrs, setText, setVisible } from './dom';
import { usage } from './format';
import { percentWidth } from './progress-bar';
import type { Gauge } from './sections';

const ALMOST_FULL = 0.9; // of a memory

export function gauges(): Component<Gauge[]> {
  const node = h('div', 'meters');
  const list = keyedList<Gauge>(node, ({ name }) => name, gauge);
  return {
    node,
    update(gauges) {
      list.update(gauges);
      setVisible(node, gauges.length > 0);
    },
  };
}

function gauge(): Component<Gauge> {
  const label = h('span', 'meter-name');
  const amount = h('span', 'number');
  const fill = h('div', 'bar-done');
  const track = h('div', 'bar', fill);
  setAttrs(track, { role: 'meter', 'aria-valuemin': '0' });
  return {
    node: h('div', 'meter', h('div', 'meter-text', label, amount), track),
    update({ name, used, total, unit }) {
      const text = usage(used, total, unit);
      const share = total > 0 ? Math.min(used / total, 1) : 0;
      setText(label, name);
      setText(amount, text);
      setAttr(track, 'aria-label', name);
      setAttr(track, 'aria-valuemax', String(total));
      setAttr(track, 'aria-valuenow', String(Math.min(used, total)));
      setAttr(track, 'aria-valuetext', text);
      fill.style.width = percentWidth(share);
      track.classList.toggle('ray-magics-full', unit === 'bytes' && share > ALMOST_FULL);
    },
  };
}
