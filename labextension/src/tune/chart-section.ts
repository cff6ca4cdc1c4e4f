/** What the curves and the parallel coordinates have around their chart. */
import { h, setText, setTextOrHide, setVisible, suppressShortcuts } from '../core/dom';

export interface ChartSection {
  node: HTMLDetailsElement;
  /** How much of the search is drawn. */
  note: HTMLElement;
  /** What the pointer is on, or else what it can do. */
  readout: HTMLElement;
  /** Hides the chart while there is a reason why there is nothing to draw. */
  setEmpty(reason: string): void;
}

export function chartSection(title: string, hint: string, control: HTMLElement, chart: HTMLElement): ChartSection {
  const note = h('div', 'muted');
  const readout = h('div', 'readout');
  const summary = h('summary', 'title', title);
  const empty = h('div', 'empty');
  const picture = h('div', '', h('div', 'chart-head', note, control), chart, readout);
  const node = h('details', 'section chart', summary, empty, picture);
  node.open = true;
  suppressShortcuts(summary);
  setText(readout, hint);
  return {
    node,
    note,
    readout,
    setEmpty(reason) {
      setTextOrHide(empty, reason);
      setVisible(picture, reason === '');
    },
  };
}
