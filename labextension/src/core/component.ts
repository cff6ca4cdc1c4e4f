/** A component: an element of the page, and how it shows a value. */

export interface Component<T> {
  node: HTMLElement;
  update(value: T): void;
  dispose?(): void;
}

/**
 * Children of `parent`, after those it has already: one for each item, found again by its key. A child that stays is
 * updated, never rebuilt.
 */
export function keyedList<T>(parent: HTMLElement, key: (item: T) => string, build: (item: T) => Component<T>): Component<T[]> {
  let children = new Map<string, Component<T>>();
  const before = parent.lastChild;
  return {
    node: parent,
    update(items) {
      const next = new Map<string, Component<T>>();
      for (const item of items) {
        const name = uniqueKey(key(item), next);
        const child = children.get(name) ?? build(item);
        next.set(name, child);
        child.update(item);
      }
      for (const [name, child] of children) if (!next.has(name)) remove(child);
      arrange(parent, before, [...next.values()]);
      children = next;
    },
    dispose() {
      for (const child of children.values()) remove(child);
      children.clear();
    },
  };
}

/** Moves as few as possible: a child that is moved loses focus and scroll position. */
function arrange(parent: HTMLElement, before: ChildNode | null, children: Component<never>[]): void {
  let place = before ? before.nextSibling : parent.firstChild;
  for (const { node } of children) {
    if (place && node === place.nextSibling) {
      parent.append(place);
      place = node;
    }
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
}

function remove(child: Component<never>): void {
  child.dispose?.();
  child.node.remove();
}

function uniqueKey(key: string, taken: Map<string, unknown>): string {
  return taken.has(key) ? uniqueKey(`${key}'`, taken) : key;
}
