/** Served applications on a page, for tests. */
import served from '../../../tests/data/serve.json';
import { all, find, type Row } from '../support/page';

export const running = served.running;
export const app = running.apps[0]!;
export const withApp = (more: Row): Row => ({ ...running, apps: [{ ...app, ...more }] });
export const withAnswer = (more: Row): Row => withApp({ answer: { ...served.answered.apps[0]!.answer, ...more } });

export const field = <T extends HTMLElement = HTMLInputElement>(label: string): T => find<T>(`[aria-label="${label}"]`);
export const button = (words: string): HTMLElement => all('button').find(node => node.textContent!.startsWith(words) && !node.hidden)!;
export const message = (): string => find('.ray-magics-try > .ray-magics-message').textContent ?? '';
export const type = (label: string, value: string): void => {
  field(label).value = value;
  field(label).dispatchEvent(new Event('input', { bubbles: true }));
};
export const choose = (label: string, value: string): void => {
  field(label).value = value;
  field(label).dispatchEvent(new Event('change', { bubbles: true }));
};
export const submit = (): boolean => find('form').dispatchEvent(new Event('submit', { cancelable: true }));
