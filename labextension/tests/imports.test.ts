/// <reference types="vite/client" />
import { describe, expect, it } from 'vitest';

const sources = import.meta.glob<string>('../src/**/*.ts', { query: '?raw', import: 'default', eager: true });
const files = Object.entries(sources).map(([path, source]) => [path.replace('../src/', ''), source] as const);

const VERBS = ['tune', 'serve', 'train'];

/** What is wrong with the imports of a file, by its path below src. */
function violations(path: string, source: string): string[] {
  const from = folderOf(path);
  return [...source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].flatMap(([, target = '']) => {
    if (!target.startsWith('.')) return [`${path} imports ${target}, which is not bundled from here`];
    const to = folderOf(new URL(target, `file:///${path}`).pathname.slice(1));
    const allowed = to === 'core' || to === from || path === 'view.ts';
    return allowed && !(to === '' && from !== '') ? [] : [`${path} imports ${target}`];
  });
}

function folderOf(path: string): string {
  return path.includes('/') ? path.split('/')[0]! : '';
}

describe('the imports', () => {
  it.each(files)('of %s point to core, to its own folder, or come from view.ts', (path, source) => {
    expect(violations(path, source)).toEqual([]);
  });

  it('are found in files of each folder', () => {
    for (const folder of ['', 'core', ...VERBS]) expect(files.some(([path, source]) => folderOf(path) === folder && /\bfrom '/.test(source))).toBe(true);
    expect(files.filter(([, source]) => VERBS.some(verb => source.includes(`from './${verb}/`))).map(([path]) => path)).toEqual(['view.ts']);
  });

  it.each([
    ['core/dom.ts', "import { curves } from '../tune/curves';"],
    ['core/dom.ts', "export * from '../view';"],
    ['core/dom.ts', "const view = await import('../serve/view');"],
    ['core/dom.ts', 'import type { Search } from "../tune/status";'],
    ['core/dom.ts', "import {\n  mount,\n} from '../cluster/view';"],
    ['tune/view.ts', "import { mount } from '../serve/view';"],
    ['serve/view.ts', "import '../tune/status';"],
    ['train/view.ts', "import { curves } from '../tune/curves';"],
    ['serve/view.ts', "import widget from '../widget';"],
    ['widget.ts', "import { mount } from './tune/view';"],
    ['tune/view.ts', "import { h } from 'elsewhere';"],
  ])('of a file that breaks the rule are told: %s: %s', (path, source) => {
    expect(violations(path, source).length).toBe(1);
  });
});
