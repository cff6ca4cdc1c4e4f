/** A checkbox, or one of several radio buttons, within its label. */
import { h, suppressShortcuts } from './dom';

export interface Toggle {
  node: HTMLLabelElement;
  isOn(): boolean;
}

/** Radio buttons of one `group` exclude each other. */
export function toggle(text: string, isOn: boolean, changed: () => void, group = ''): Toggle {
  const input = h('input');
  input.type = group ? 'radio' : 'checkbox';
  input.name = group;
  input.checked = isOn;
  suppressShortcuts(input);
  input.addEventListener('change', changed);
  return { node: h('label', 'toggle', input, text), isOn: () => input.checked };
}
