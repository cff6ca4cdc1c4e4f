/** How numbers and foreign text are written; ray_magics/views/format.py writes them alike (tests/data/format.json). */

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

// Escape sequences of terminals, then the rest of the control characters and the marks that reverse the text around them.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])?/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

// One for all: toLocaleString makes a new one for each number.
const WHOLE = new Intl.NumberFormat('en-US');

const PLAIN = /^[ -~]*$/;

/** Foreign text without terminal escapes; of a line that carriage returns overwrote, what is left to see. */
export function plain(text: string, limit: number): string {
  if (text.length <= limit && PLAIN.test(text)) return text;
  const clean = text
    .slice(0, limit + 10_000)
    .replace(ESCAPES, '')
    .split('\n')
    .map(overwritten)
    .join('\n')
    .replace(CONTROLS, '');
  return clean.length > limit ? shorten(clean, limit) : clean;
}

function overwritten(line: string): string {
  const end = line.replace(/\r+$/, '');
  return end.slice(end.lastIndexOf('\r') + 1);
}

function shorten(text: string, limit: number): string {
  const characters = Array.from(text);
  return characters.length > limit ? `${characters.slice(0, limit).join('')}…` : text;
}

/** 1797 -> "1,797" */
export function count(value: number): string {
  return WHOLE.format(Math.round(value));
}

/** Four digits, and whole numbers whole: 0.123456 -> "0.1235", 0.00001 -> "1e-5", 65536 -> "65536" */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size < 1e9 && (size >= 1000 || Number.isInteger(value))) return value.toFixed(0);
  const [digits = '', power] = value.toExponential(3).split('e');
  const exponent = Number(power);
  return exponent < -4 || exponent > 3 ? `${trim(digits)}e${exponent}` : trim(value.toFixed(3 - exponent));
}

/** ("item", 1) -> "item", ("batch", 2) -> "batches" */
export function plural(unit: string, value: number): string {
  if (value === 1) return unit;
  return /(?:s|x|ch|sh)$/.test(unit) ? `${unit}es` : `${unit}s`;
}

/** 3435973837 -> "3.2 GiB" */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count(value) : few(value)} ${SIZES[unit]}`;
}

/** (1, 2, "") -> "1 of 2"; sizes name their unit once if it is the same: "0.5 of 2 GiB" */
export function usage(used: number, total: number, unit: string): string {
  if (unit !== 'bytes') return `${amountText(used)} of ${amountText(total)}${unit && ` ${unit}`}`;
  const [amount, scale] = size(used).split(' ');
  const whole = size(total);
  return used === 0 || whole.endsWith(` ${scale}`) ? `${amount} of ${whole}` : `${amount} ${scale} of ${whole}`;
}

/** 3.24 -> "3.2 s", 125 -> "2 min 05 s", 3720 -> "1 h 02 min" */
export function seconds(value: number): string {
  return value < 10 ? `${(Math.floor(value * 10 + 0.5) / 10).toFixed(1)} s` : clock(Math.floor(value + 0.5));
}

/** The same in whole seconds, for what ticks. */
export function clock(value: number): string {
  const whole = Math.floor(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, 'min', 's');
  if (whole < 86_400) return pair(Math.floor(whole / 60), 60, 'h', 'min');
  return pair(Math.floor(whole / 3600), 24, 'd', 'h');
}

/** Items in a second; slow ones in a minute or an hour: 0.2 -> "12 items/min" */
export function rate(perSecond: number, unit: string): string {
  const [value, time] = perSecond >= 1 ? [perSecond, 's'] : perSecond >= 1 / 60 ? [perSecond * 60, 'min'] : [perSecond * 3600, 'h'];
  const text = few(value);
  return `${text} ${plural(unit, text === '1' ? 1 : 2)}/${time}`;
}

/** "running" -> "Running" */
export function word(state: string): string {
  return state.charAt(0).toUpperCase() + state.slice(1);
}

/** Of a resource: 1187.5 is not 1188. */
function amountText(value: number): string {
  return Math.abs(value) < 1000 ? number(value) : trim(value.toFixed(1));
}

function trim(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

function few(value: number): string {
  return value < 9.95 ? String(Math.floor(value * 10 + 0.5) / 10) : count(Math.floor(value + 0.5));
}

function pair(value: number, base: number, large: string, small: string): string {
  return `${count(Math.floor(value / base))} ${large} ${String(value % base).padStart(2, '0')} ${small}`;
}
