/** A button that shows and hides a part of the page; while that is hidden it need not be updated. */
import { button, setAttr, setVisible } from './dom';

export interface Disclosure {
  node: HTMLButtonElement;
  isOpen(): boolean;
}

let disclosures = 0;

/** `toggled` is called when a click has opened or closed `region`. */
export function disclosure(region: HTMLElement, toggled: () => void, ...label: HTMLElement[]): Disclosure {
  disclosures += 1;
  region.id = `ray-magics-fold-${disclosures}`;
  const isOpen = (): boolean => !region.hidden;
  const setOpen = (open: boolean): void => {
    setAttr(node, 'aria-expanded', String(open));
    setVisible(region, open);
  };
  const toggle = (): void => {
    setOpen(!isOpen());
    toggled();
  };
  const node = button('fold', toggle, ...label);
  setAttr(node, 'aria-controls', region.id);
  setOpen(false);
  return { node, isOpen };
}
