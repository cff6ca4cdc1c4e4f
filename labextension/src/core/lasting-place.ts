/**
 * A view may have no output of its own, or outlive it: what stands in the cell is still HTML, which is what a saved
 * notebook has, and it marks the place where a page that has the view shows it.
 */

const ATTRIBUTE = 'data-ray-magics-place'; // views/widget.py writes it
const PATIENCE = 5000; // milliseconds until that HTML is on the page, if it comes at all

const stills = new WeakMap<HTMLElement, ChildNode[]>();
const expected = new Map<string, (place: Element) => void>();
let observer: MutationObserver | null = null;

/** Moves `view` to the place with this key as soon as there is one; calls `missing` where none comes. */
export function moveToPlace(key: string, view: HTMLElement, missing: () => void): void {
  const timer = setTimeout(() => {
    forget(key);
    missing();
  }, PATIENCE);
  expect(key, place => {
    clearTimeout(timer);
    forget(key);
    move(place, view);
  });
}

/** Moves `view` to the place with this key whenever there is one; returns the function that takes it off the page. */
export function keepAtPlace(key: string, view: HTMLElement): () => void {
  expect(key, place => move(place, view));
  return () => {
    forget(key);
    leavePlace(view);
  };
}

/** Takes a view off the page; where it had been moved to, the HTML that was there comes back. */
export function leavePlace(view: HTMLElement): void {
  const place = view.parentElement;
  if (place && stills.has(view)) place.replaceChildren(...stills.get(view)!);
  else view.remove();
}

function expect(key: string, found: (place: Element) => void): void {
  expected.set(key, found);
  observer ??= new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  look();
}

function forget(key: string): void {
  expected.delete(key);
  if (expected.size === 0) observer?.disconnect();
}

function look(): void {
  for (const place of document.querySelectorAll(`[${ATTRIBUTE}]`)) expected.get(place.getAttribute(ATTRIBUTE) ?? '')?.(place);
}

function move(place: Element, view: HTMLElement): void {
  place.removeAttribute(ATTRIBUTE); // each view has a place of its own
  place.closest('.jp-RenderedHTMLCommon')?.classList.remove('jp-RenderedHTMLCommon'); // its tables are not ours
  stills.set(view, [...place.childNodes]);
  place.replaceChildren(view);
}
