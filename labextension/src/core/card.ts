/** A view as a document: draws the typed sections of a card (ray_magics/views/card.py), and knows no verb. */
import { keyedList, type Component } from './component';
import { commandButton } from './command-button';
import { countChips } from './count-chips';
import { h, liveRegion, setAttr, setText, setTextOrHide, setVisible } from './dom';
import { joinText, KERNEL_GONE } from './text';
import { gauges } from './gauges';
import { header } from './header';
import { asFields, asId, lookUp, type Fields } from './json-readers';
import { liveView, type Mount, type ViewState } from './live-view';
import { picture } from './picture';
import { plot } from './plot';
import { progress } from './progress-bar';
import { readButton, readCard, readCounts, readFacts, readGauges, readGroup, readHeader, readLog, readPicture, readPlot, readProgress, readSpecial, readTable, readText, typeOf, type Header } from './sections';
import { stateLabel } from './state-icon';
import { isLiveState } from './status';
import { table } from './table';
import type { Send } from './transport';
import { workerOutput } from './worker-output';

/** What a verb draws itself: `snapshot` is its data, with its rows as `rows`. */
export interface SpecialPart {
  build(send: Send): Component<ViewState>;
  /** Whether its clocks run. */
  ticks?(data: unknown): boolean;
}

export type SpecialParts = Record<string, SpecialPart>;

/** A section, and what its component may need besides. */
interface SectionState {
  section: Fields;
  header: Header | null;
  age: number;
  kernelGone: boolean;
}

interface Context {
  send: Send;
  specials: SpecialParts;
}

type Build = (context: Context, section: Fields) => Component<SectionState>;

export function mountCard(specials: SpecialParts): Mount {
  return liveView(send => card({ send, specials }), snapshot => ticks(snapshot, specials));
}

function ticks(snapshot: unknown, specials: SpecialParts): boolean {
  return readCard(snapshot).sections.some(section => {
    if (section.type === 'special') return lookUp(specials, asId(section.name))?.ticks?.(section.data) ?? false;
    return section.type === 'header' && isLiveState(readHeader(section).state);
  });
}

function card(context: Context): Component<ViewState> {
  const body = h('div', 'sections');
  const sections = sectionList(body, context);
  const empty = h('div', 'empty', 'Nothing to show yet.');
  const kernelNotice = h('div', 'why');
  const announcement = liveRegion('div');
  const node = h('section', 'card', body, empty, kernelNotice, announcement);
  let before = '';
  setAttr(node, 'tabindex', '-1');
  return {
    node,
    update({ snapshot, age, kernelGone }) {
      const { label, sections: every } = readCard(snapshot);
      const head = every.find(section => section.type === 'header');
      const header = head ? readHeader(head) : null;
      setVisible(empty, every.length === 0);
      sections.update(every.map(section => ({ section, header, age, kernelGone })));
      setTextOrHide(kernelNotice, kernelGone && header && (header.elapsed === null || isLiveState(header.state)) ? KERNEL_GONE : '');
      setAttr(node, 'aria-label', label || null);
      node.classList.toggle('ray-magics-old', kernelGone || header?.state === 'lost');
      const state = header ? header.state : '';
      if (header && before && before !== state) setText(announcement, header.title ? `${label}: ${header.title}` : `${header.name} ${state}`);
      before = state;
    },
    dispose: sections.dispose,
  };
}

/** A section that stays is updated, never rebuilt: it is found again by its type and its place among those alike. */
function sectionList(parent: HTMLElement, context: Context): Component<SectionState[]> {
  const list = keyedList<SectionState & { key: string }>(
    parent,
    ({ key }) => key,
    ({ section }) => (lookUp(BUILDERS, typeOf(section)) ?? unknown)(context, section),
  );
  return {
    node: parent,
    update(states) {
      const seen = new Map<string, number>();
      list.update(
        states.map(state => {
          const kind = `${typeOf(state.section)} ${asId(state.section.name ?? state.section.tone)}`;
          const place = seen.get(kind) ?? 0;
          seen.set(kind, place + 1);
          return { ...state, key: `${kind} ${place}` };
        }),
      );
    },
    dispose: list.dispose,
  };
}

const BUILDERS: Record<string, Build> = {
  header: ({ send }) => {
    const part = header(send);
    return { ...part, update: ({ section, age, kernelGone }) => part.update({ header: readHeader(section), age, kernelGone }) };
  },
  progress: () => {
    const part = progress();
    return { ...part, update: ({ section, age, header }) => part.update({ progress: readProgress(section), age, name: header?.name ?? '' }) };
  },
  text: (_, section) => text(readText(section).tone),
  facts: () => {
    const node = h('div', 'muted');
    return { node, update: ({ section }) => setText(node, joinText(readFacts(section).facts.map(([name, value]) => value && joinText([name, value], ': ')))) };
  },
  counts: (_, section) => {
    const part = countChips(readCounts(section).title, 'none');
    return { ...part, update: state => part.update(readCounts(state.section).counts) };
  },
  gauges: () => {
    const part = gauges();
    return { ...part, update: ({ section }) => part.update(readGauges(section).gauges) };
  },
  table: ({ send }) => {
    const part = table(send);
    return { ...part, update: ({ section, kernelGone }) => part.update({ table: readTable(section), kernelGone }) };
  },
  plot: () => {
    const part = plot();
    return { ...part, update: ({ section }) => part.update(readPlot(section)) };
  },
  log: (_, section) => {
    const part = workerOutput(readLog(section).opened);
    return { ...part, update: state => part.update(readLog(state.section).workers) };
  },
  picture: () => {
    const part = picture();
    return { ...part, update: ({ section }) => part.update(readPicture(section)) };
  },
  button: ({ send }) => {
    const part = commandButton(send);
    return { ...part, update: ({ section, kernelGone }) => part.update({ button: readButton(section), kernelGone }) };
  },
  group,
  special,
};

const TONES: Record<string, string> = { notice: 'why', muted: 'note', strong: 'strong', error: 'error', code: 'lines' };

function text(tone: string): Component<SectionState> {
  const node = h('div', lookUp(TONES, tone) ?? 'text');
  return { node, update: ({ section }) => setTextOrHide(node, readText(section).text) };
}

function group(context: Context, section: Fields): Component<SectionState> {
  const { title, opened } = readGroup(section);
  const isFolded = title.kind !== 'text' || title.text !== '';
  const label = title.kind === 'state' ? stateLabel() : null;
  const text = h('span', 'title');
  const body = h('div', 'group-body');
  const sections = sectionList(body, context);
  const node = isFolded ? h('details', 'section group', h('summary', '', label?.node ?? text), body) : h('div', 'section group', body);
  if (node instanceof HTMLDetailsElement) node.open = opened;
  return {
    node,
    update(state) {
      const { title: now, sections: inside } = readGroup(state.section);
      if (now.kind === 'state') label?.update({ icon: now.state, text: now.text });
      else if (now.kind === 'text') setText(text, now.text);
      const head = inside.find(one => one.type === 'header');
      const header = head ? readHeader(head) : state.header;
      sections.update(inside.map(one => ({ ...state, section: one, header })));
    },
    dispose: sections.dispose,
  };
}

function special({ send, specials }: Context, section: Fields): Component<SectionState> {
  const { name } = readSpecial(section);
  const part = lookUp(specials, name)?.build(send);
  if (!part) return unknown({ send, specials }, section);
  return {
    node: part.node,
    update(state) {
      const { data, rows } = readSpecial(state.section);
      part.update({ snapshot: rows ? { ...data, rows } : data, age: state.age, kernelGone: state.kernelGone });
    },
    dispose: part.dispose,
  };
}

/** Of a kernel that is newer than the page. */
function unknown(_: Context, section: Fields): Component<SectionState> {
  const what = asFields(section).type === 'special' ? asId(section.name) : typeOf(section);
  const node = h('div', 'muted');
  setText(node, `This version of ray_magics cannot draw ${what || 'a part of this view'}.`);
  setVisible(node, true);
  return { node, update: () => undefined };
}
