/** A link to a web address that came from the kernel. */
import { h, setAttr, setVisible, suppressShortcuts, type Child } from './dom';

export interface ExternalLink {
  node: HTMLAnchorElement;
  /** Shows the link if a browser may follow the address; returns whether it may. */
  update(address: string): boolean;
}

export function externalLink(...label: Child[]): ExternalLink {
  const node = h('a', 'link', ...label, h('span', 'unseen', ' (opens in a new tab)'));
  node.target = '_blank';
  node.rel = 'noopener noreferrer';
  suppressShortcuts(node);
  return {
    node,
    update(address) {
      const url = webAddress(address);
      setAttr(node, 'href', url);
      setVisible(node, url !== null);
      return url !== null;
    },
  };
}

/** Not javascript: or the like, which would run with the page's rights. */
function webAddress(text: string): string | null {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}
