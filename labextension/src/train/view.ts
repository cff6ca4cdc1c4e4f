/** What a training reports: a small chart for each metric, and one toolbar for all of them. */
import { keyedList, type Component } from '../core/component';
import { disclosure } from '../core/disclosure';
import { h, setText, setTextOrHide, setVisible } from '../core/dom';
import { count, plural } from '../core/format';
import type { ViewState } from '../core/live-view';
import { isLive } from '../core/status';
import { moreText } from '../core/text';
import { metricChart, type ChartProps } from './chart';
import { MAX_METRICS, readTraining, type Training } from './status';
import { toolbar } from './toolbar';

const ALWAYS_SHOWN = 4; // metrics

export const trainingPart = { build: trainingBody };

function trainingBody(): Component<ViewState> {
  const tools = toolbar(redraw);
  const first = chartGrid();
  const others = chartGrid();
  const cut = h('div', 'muted');
  const region = h('div', '', others.node, cut);
  const moreLabel = h('span');
  const opener = disclosure(region, redraw, moreLabel);
  const more = h('div', 'more-metrics', opener.node);
  const charts = h('div', '', tools.node, first.node, more, region);
  const empty = h('div', 'empty');
  const node = h('div', 'training', empty, charts);
  let training: Training | null = null;

  function redraw(): void {
    if (!training) return;
    const { run, workers, metrics, total } = training;
    const options = tools.options();
    const props = metrics.map(metric => ({ metric, options }));
    const further = props.slice(ALWAYS_SHOWN);
    tools.update({ severalWorkers: workers > 1 || metrics.some(({ lines }) => lines.length > 1) });
    first.update(props.slice(0, ALWAYS_SHOWN));
    if (opener.isOpen()) others.update(further);
    setText(moreLabel, `${count(further.length)} more ${plural('metric', further.length)}`);
    setVisible(more, further.length > 0);
    setTextOrHide(cut, moreText(total, MAX_METRICS, 'metric'));
    setTextOrHide(empty, metrics.length > 0 ? '' : isLive(run) ? 'Nothing has been reported yet.' : 'Nothing was reported.');
    setVisible(charts, metrics.length > 0);
  }

  return {
    node,
    update({ snapshot }) {
      training = readTraining(snapshot);
      redraw();
    },
    dispose() {
      first.dispose?.();
      others.dispose?.();
    },
  };
}

function chartGrid(): Component<ChartProps[]> {
  return keyedList<ChartProps>(h('div', 'metrics'), ({ metric }) => metric.id, metricChart);
}
