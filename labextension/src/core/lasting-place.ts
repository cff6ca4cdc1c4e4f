/**
 * A view may outlive the output that it was drawn in: the kernel replaces the output by still HTML, which is what a saved
 * notebook has, and marks in it the place where a page that still has the view goes on showing it.
 */

const ATTRIBUTE = 'data-ray-magics-place'; // views/show.py writes it
const PATIENCE = 5000; // milliseconds until that HTML is on the page, if it comes at all

const stills = new WeakMap<HTMLElement, ChildNode[]>();

/** Moves `view` to the place with this key as soon as there is one; calls `missing` where none comes. */
export function moveToPlace(key: string, view: HTMLElement, missing: () => void): void {
  if (move(key, view)) return;
  const observer = new MutationObserver(() => {
    if (move(key, view)) stop();
  });
  const timer = setTimeout(() => {
    stop();
    missing();
  }, PATIENCE);
  const stop = (): void => {
    observer.disconnect();
    clearTimeout(timer);
  };
  observer.observe(document.body, { childList: true, subtree: true });
}

/** Takes a view off the page; where it had been moved to, the HTML that was there comes back. */
export function leavePlace(view: HTMLElement): void {
  const place = view.parentElement;
  if (place && stills.has(view)) place.replaceChildren(...stills.get(view)!);
  else view.remove();
}

function move(key: string, view: HTMLElement): boolean {
  const place = document.querySelector(`[${ATTRIBUTE}="${CSS.escape(key)}"]`);
  if (!place) return false;
  place.removeAttribute(ATTRIBUTE); // each view has a place of its own
  place.closest('.jp-RenderedHTMLCommon')?.classList.remove('jp-RenderedHTMLCommon'); // its tables are not ours
  stills.set(view, [...place.childNodes]);
  place.replaceChildren(view);
  return true;
}
