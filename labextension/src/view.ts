/** The view of any snapshot: a card, with the parts that verbs draw themselves. */
import { mountCard, type SpecialParts } from './core/card';
import { classNames, h, setText } from './core/dom';
import { plain } from './core/format';
import { lookUp } from './core/json-readers';
import type { Mount } from './core/live-view';
import { runsPart } from './core/run-table';
import { kindOf } from './core/status';
import { applicationsPart } from './serve/view';
import { trainingPart } from './train/view';
import { searchPart } from './tune/view';

const SPECIAL_PARTS: SpecialParts = { runs: runsPart, search: searchPart, applications: applicationsPart, training: trainingPart };
const RENDERERS: Record<string, Mount> = { card: mountCard(SPECIAL_PARTS) };

export const mount: Mount = (root, transport) => {
  let kind: string | null = null;
  let end = (): void => undefined;
  const choose = (): void => {
    const next = kindOf(transport.snapshot());
    if (next === kind) return;
    end();
    kind = next;
    end = (lookUp(RENDERERS, next) ?? mountAsText)(root, transport);
  };
  choose();
  const unsubscribe = transport.onChange(choose);
  return () => {
    unsubscribe();
    end();
  };
};

const mountAsText: Mount = (root, transport) => {
  const node = h('pre', 'plain');
  const update = (): void => setText(node, asPlainText(transport.snapshot()));
  const unsubscribe = transport.onChange(update);
  root.classList.add(classNames('view'));
  root.append(node);
  update();
  return () => {
    unsubscribe();
    node.remove();
  };
};

function asPlainText(snapshot: unknown): string {
  const empty = typeof snapshot !== 'object' || snapshot === null || Object.keys(snapshot).length === 0;
  return empty ? 'Nothing to show yet.' : `This version of ray_magics cannot draw this status:\n${plain(JSON.stringify(snapshot), 500)}`;
}
