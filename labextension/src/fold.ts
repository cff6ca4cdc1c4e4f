/** A button that unfolds a part of the page; what is folded needs no painting. */
import { h, setAttr, setAttrs, show } from './dom';

export interface Fold {
  node: HTMLButtonElement;
  open(): boolean;
}

let folds = 0;

export function fold(region: HTMLElement, changed: (open: boolean) => void, ...words: HTMLElement[]): Fold {
  folds += 1;
  const node = h('button', 'fold', ...words);
  const set = (open: boolean): void => {
    setAttr(node, 'aria-expanded', String(open));
    show(region, open);
  };
  node.type = 'button';
  region.id = `ray-magics-fold-${folds}`;
  setAttrs(node, { 'aria-controls': region.id, 'data-lm-suppress-shortcuts': 'true' });
  node.addEventListener('click', () => {
    set(!node.matches('[aria-expanded=true]'));
    changed(!region.hidden);
  });
  set(false);
  return { node, open: () => !region.hidden };
}
