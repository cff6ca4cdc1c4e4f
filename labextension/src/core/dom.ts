/** A few words for plain DOM. Data enters as text only. */

export type Child = Node | string;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name = '',
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (name) element.className = classes(name);
  element.append(...children);
  return element;
}

/** "bar wide" -> "ray-magics-bar ray-magics-wide" */
export function classes(names: string): string {
  return names
    .split(' ')
    .map(name => `ray-magics-${name}`)
    .join(' ');
}

/** Writes only what differs, so that a selection in unchanged text survives. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The same for an attribute; null takes it away. */
export function setAttr(element: Element, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A line that is only there when it says something. */
export function setLine(element: HTMLElement, text: string): void {
  setText(element, text);
  show(element, text !== '');
}

export function show(element: HTMLElement, shown: boolean): void {
  if (element.hidden === shown) element.hidden = !shown;
}

/** A part of a view: its element, and how it shows a value. */
export interface Part<T> {
  node: HTMLElement;
  paint(value: T): void;
  dispose?(): void;
}

/** Children of `parent` after those it has, one for each item, found again by their key: what stays is painted anew, never rebuilt. */
export function keyed<T>(parent: HTMLElement, key: (item: T) => string, build: (item: T) => Part<T>): Part<T[]> {
  let parts = new Map<string, Part<T>>();
  const lead = parent.lastChild;
  return {
    node: parent,
    paint(items) {
      const next = new Map<string, Part<T>>();
      for (const item of items) {
        const name = unused(key(item), next);
        const part = parts.get(name) ?? build(item);
        next.set(name, part);
        part.paint(item);
      }
      for (const [name, part] of parts) if (!next.has(name)) discard(part);
      arrange(parent, lead, [...next.values()]);
      parts = next;
    },
    dispose() {
      for (const part of parts.values()) discard(part);
      parts.clear();
    },
  };
}

/** Moves as few as it can: what is moved loses focus and scroll position. `lead` and what is before it are not parts. */
function arrange(parent: HTMLElement, lead: ChildNode | null, parts: Part<never>[]): void {
  let place = lead ? lead.nextSibling : parent.firstChild;
  for (const { node } of parts) {
    if (place && node === place.nextSibling) {
      parent.append(place);
      place = node;
    }
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
}

function discard(part: Part<never>): void {
  part.dispose?.();
  part.node.remove();
}

function unused(name: string, taken: Map<string, unknown>): string {
  return taken.has(name) ? unused(`${name}'`, taken) : name;
}
