/** An image that came from the kernel: PNG or JPEG alone, which run nothing. */
import type { Component } from './component';
import { h, setAttr, setTextOrHide, setVisible } from './dom';

const TYPES = ['image/png', 'image/jpeg'];
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export function picture(): Component<{ mime: string; data: string; alt: string }> {
  const image = h('img', 'picture');
  const text = h('div', 'muted');
  return {
    node: h('div', '', image, text),
    update({ mime, data, alt }) {
      const isPicture = TYPES.includes(mime) && BASE64.test(data);
      setAttr(image, 'src', isPicture ? `data:${mime};base64,${data}` : null);
      setAttr(image, 'alt', alt);
      setVisible(image, isPicture);
      setTextOrHide(text, isPicture ? '' : alt || 'A picture that cannot be shown.');
    },
  };
}
