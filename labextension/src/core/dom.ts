/** Small helpers for plain DOM. Data enters as text only, never as markup. */

const SVG = 'http://www.w3.org/2000/svg';

export type Child = Node | string;

/** `h('div', 'bar wide', 'text')` makes a div of the classes ray-magics-bar and ray-magics-wide. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, names = '', ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (names) element.className = classNames(names);
  element.append(...children);
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...children: Node[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  setAttrs(element, attributes);
  element.append(...children);
  return element;
}

/** "bar wide" -> "ray-magics-bar ray-magics-wide" */
export function classNames(names: string): string {
  return names
    .split(' ')
    .map(name => `ray-magics-${name}`)
    .join(' ');
}

export function button(name: string, clicked: (event: MouseEvent) => void, ...children: Child[]): HTMLButtonElement {
  const node = h('button', name, ...children);
  node.type = 'button';
  node.addEventListener('click', clicked);
  suppressShortcuts(node);
  return node;
}

/** One choice of a `select`. */
export function option(value: string, text: string): HTMLOptionElement {
  const node = h('option', '', text);
  node.value = value;
  return node;
}

export function columnHeading(text: string): HTMLElement {
  const node = h('th', '', text);
  node.scope = 'col';
  return node;
}

/** Assistive technology reads out what is written into it; it cannot be seen. */
export function liveRegion(tag: 'div' | 'span'): HTMLElement {
  const node = h(tag, 'unseen');
  setAttr(node, 'aria-live', 'polite');
  return node;
}

/** An element that scrolls must be reachable by keyboard, and then needs a name. */
export function makeScrollRegion(element: HTMLElement, label: string | null = null): void {
  setAttrs(element, { tabindex: '0', role: 'region', 'aria-label': label });
}

/** In JupyterLab and Notebook 7: keys typed here are no shortcuts of the notebook. */
export function suppressShortcuts(...elements: Element[]): void {
  for (const element of elements) setAttr(element, 'data-lm-suppress-shortcuts', 'true');
}

/** Writes only what differs, so that a selection in unchanged text survives. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The same for an attribute; null removes it. */
export function setAttr(element: Element, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function setAttrs(element: Element, attributes: Record<string, string | null>): void {
  for (const [name, value] of Object.entries(attributes)) setAttr(element, name, value);
}

/** Hides the element while there is no text. */
export function setTextOrHide(element: HTMLElement, text: string): void {
  setText(element, text);
  setVisible(element, text !== '');
}

export function setVisible(element: HTMLElement, visible: boolean): void {
  if (element.hidden === visible) element.hidden = !visible;
}
