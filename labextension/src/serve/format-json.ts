/** JSON indented for reading. Only spaces and line breaks change: numbers keep all their digits, and keys their order. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const CLOSING: Record<string, string> = { '{': '}', '[': ']' };
const MAX_WIDTH = 80; // characters
const MAX_DEPTH = 100;

interface Value {
  text: string;
  /** Whether it is an object or a list that is not empty. */
  hasItems: boolean;
}

/** null where the text is no JSON, or nested too deeply to be read more easily. */
export function formatJson(text: string): string | null {
  try {
    JSON.parse(text);
    return indent(text.match(TOKEN) ?? []);
  } catch {
    return null;
  }
}

function indent(tokens: string[]): string {
  let position = 0;
  const next = (): string => tokens[position++] ?? '';

  const parseItems = (end: string, depth: number): Value[] => {
    const values: Value[] = [];
    while (position < tokens.length && tokens[position] !== end) {
      if (tokens[position] === ',') next();
      const key = end === '}' ? `${next()}${next()} ` : '';
      const one = parseValue(depth);
      values.push({ ...one, text: key + one.text });
    }
    next();
    return values;
  };

  const parseValue = (depth: number): Value => {
    const opening = next();
    const end = CLOSING[opening];
    if (!end) return { text: opening, hasItems: false };
    if (depth > MAX_DEPTH) throw new RangeError('too deep');
    const values = parseItems(end, depth + 1);
    const texts = values.map(({ text }) => text);
    const line = opening + texts.join(', ') + end;
    const [outer, inner] = ['  '.repeat(depth), '  '.repeat(depth + 1)];
    const onOneLine = !values.some(({ hasItems }) => hasItems) && outer.length + line.length <= MAX_WIDTH;
    const text = onOneLine ? line : `${opening}\n${inner}${texts.join(`,\n${inner}`)}\n${outer}${end}`;
    return { text, hasItems: values.length > 0 };
  };

  return parseValue(0).text;
}
