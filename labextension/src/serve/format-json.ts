/** JSON laid out in lines. Its text is moved only: numbers keep all their digits, and keys their order. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const ENDS: Record<string, string> = { '{': '}', '[': ']' };
const WIDE = 80;
const DEEP = 100;

interface Piece {
  text: string;
  /** Holds other values. */
  full: boolean;
}

/** null where the text is no JSON, or nested too deeply to be read more easily. */
export function layOut(text: string): string | null {
  try {
    JSON.parse(text);
    return drawn(text.match(TOKEN) ?? []);
  } catch {
    return null;
  }
}

function drawn(tokens: string[]): string {
  let place = 0;
  const next = (): string => tokens[place++] ?? '';

  const items = (end: string, depth: number): Piece[] => {
    const pieces: Piece[] = [];
    while (place < tokens.length && tokens[place] !== end) {
      if (tokens[place] === ',') next();
      const key = end === '}' ? `${next()}${next()} ` : '';
      const piece = value(depth);
      pieces.push({ ...piece, text: key + piece.text });
    }
    next();
    return pieces;
  };

  const value = (depth: number): Piece => {
    const begin = next();
    const end = ENDS[begin];
    if (!end) return { text: begin, full: false };
    if (depth > DEEP) throw new RangeError('too deep');
    const pieces = items(end, depth + 1);
    const texts = pieces.map(({ text }) => text);
    const line = begin + texts.join(', ') + end;
    const [outer, inner] = ['  '.repeat(depth), '  '.repeat(depth + 1)];
    const short = !pieces.some(({ full }) => full) && outer.length + line.length <= WIDE;
    const text = short ? line : `${begin}\n${inner}${texts.join(`,\n${inner}`)}\n${outer}${end}`;
    return { text, full: pieces.length > 0 };
  };

  return value(0).text;
}
