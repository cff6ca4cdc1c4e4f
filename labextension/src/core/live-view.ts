/** Keeps a picture of a source up to date, and its clocks ticking between two snapshots. */
import { classes, type Part } from './dom';
import type { Source } from './transport';

/** A snapshot, how long it has been here in seconds, and whether the kernel that sent it has left. */
export interface Seen {
  snapshot: unknown;
  age: number;
  gone: boolean;
}

export const GONE = 'The kernel has left; this is the last it said.';

export function live(root: HTMLElement, source: Source, picture: Part<Seen>, moves: (snapshot: unknown) => boolean): () => void {
  let since = performance.now();
  let age = 0;
  const paint = (): void => picture.paint({ snapshot: source.get(), age, gone: source.gone() });
  const end = source.onChange(() => {
    if (!source.gone()) {
      since = performance.now();
      age = 0;
    }
    paint();
  });
  const timer = setInterval(() => {
    if (source.gone() || !moves(source.get())) return;
    age = (performance.now() - since) / 1000;
    paint();
  }, 1000);
  const name = classes('view');
  root.classList.add(name);
  root.append(picture.node);
  paint();
  return () => {
    end();
    clearInterval(timer);
    picture.dispose?.();
    picture.node.remove();
    root.classList.remove(name);
  };
}
