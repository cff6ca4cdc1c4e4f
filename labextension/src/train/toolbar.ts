/** Above the charts: what all of them are drawn over, on which scale, and whether each worker has a line. */
import type { Component } from '../core/component';
import { h, setAttrs, setVisible } from '../core/dom';
import { toggle } from '../core/toggle';
import { randomId } from '../core/transport';

/** The same object as long as nothing has been changed. */
export interface ChartOptions {
  byTime: boolean;
  log: boolean;
  eachWorker: boolean;
}

export interface Toolbar extends Component<{ severalWorkers: boolean }> {
  options(): ChartOptions;
}

export function toolbar(changed: () => void): Toolbar {
  const group = `ray-magics-x-${randomId()}`; // a page may run this module more than once
  const bySteps = toggle('step', true, change, group);
  const byTime = toggle('time', false, change, group);
  const log = toggle('log scale', false, change);
  const eachWorker = toggle('each worker', true, change);
  const legend = h('span', 'muted', 'The thick line is the mean of the workers, and so are the numbers.');
  const axis = h('span', 'choices', 'x:', bySteps.node, byTime.node);
  const node = h('div', 'tools', axis, log.node, eachWorker.node, legend);
  let options = read();
  setAttrs(axis, { role: 'radiogroup', 'aria-label': 'What the charts are drawn over' });
  node.addEventListener('keydown', event => event.stopPropagation());

  function read(): ChartOptions {
    return { byTime: byTime.isOn(), log: log.isOn(), eachWorker: eachWorker.isOn() };
  }
  function change(): void {
    options = read();
    changed();
  }

  return {
    node,
    options: () => options,
    update({ severalWorkers }) {
      setVisible(eachWorker.node, severalWorkers);
      setVisible(legend, severalWorkers && options.eachWorker);
    },
  };
}
