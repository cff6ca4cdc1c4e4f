/** A button that copies a text; where the browser refuses, a field from which it can be copied by hand. */
import type { Component } from '../core/component';
import { button, h, setAttr, setText, setTextOrHide, setVisible, suppressShortcuts } from '../core/dom';

const CONFIRMATION = 2000; // milliseconds

export interface CopyButton extends Component<string> {
  /** The field, hidden while the clipboard works. */
  fallback: HTMLElement;
}

export function copyButton(label: string, fieldLabel: string): CopyButton {
  const node = button('small', copy, label);
  const field = h('textarea', 'field code');
  const hint = h('div', 'muted');
  const fallback = h('div', '', hint, field);
  const announcement = h('span', 'unseen');
  let code = '';
  let timer: ReturnType<typeof setTimeout> | undefined;

  function copy(): void {
    try {
      navigator.clipboard.writeText(code).then(() => showMessage('Copied'), showField);
    } catch {
      showField(); // there is no clipboard on a page that did not come over HTTPS
    }
  }

  function showMessage(text: string): void {
    setText(node, text);
    setText(announcement, text);
    clearTimeout(timer);
    timer = setTimeout(() => setText(node, label), CONFIRMATION);
  }

  function showField(): void {
    field.value = code;
    field.rows = Math.min(8, Math.ceil(code.length / 60) + 1);
    setVisible(fallback, true);
    field.focus();
    field.select();
    setTextOrHide(hint, 'The browser keeps its clipboard closed to this page. Copy the selected text with Ctrl+C or ⌘C.');
    showMessage('Copy it here:');
  }

  field.readOnly = true;
  suppressShortcuts(field);
  setAttr(announcement, 'role', 'status');
  setAttr(field, 'aria-label', fieldLabel);
  field.addEventListener('keydown', event => event.stopPropagation());
  setVisible(fallback, false);
  return {
    node: h('span', '', node, announcement),
    fallback,
    update(text) {
      code = text;
      setVisible(node, text !== '');
      if (!fallback.hidden && field.value !== text) setVisible(fallback, false);
    },
    dispose: () => clearTimeout(timer),
  };
}
